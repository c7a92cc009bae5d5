"""Cursors: what was handed out comes back, and nothing else is taken."""

import base64

import pytest
from hypothesis import example, given, strategies as st

from gateway.kit.pagination import InvalidCursor, Position, decode_cursor, encode_cursor

ORDERS = ["createdAt:desc", "createdAt:asc", "amount:desc", "amount:asc"]
orders = st.sampled_from(ORDERS)
positions = st.builds(
    Position, st.integers(-(2**63) + 1, 2**63 - 1), st.from_regex(r"txn_[0-9a-f]{28}", fullmatch=True)
)


def raw(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@given(orders, positions)
def test_a_cursor_comes_back_as_it_was(order: str, position: Position) -> None:
    cursor = encode_cursor(order, position)
    assert decode_cursor(order, cursor) == position
    assert "=" not in cursor
    assert cursor.isascii()


@given(orders, orders, positions)
def test_a_cursor_of_another_order_is_refused(order: str, other: str, position: Position) -> None:
    if order != other:
        with pytest.raises(InvalidCursor):
            decode_cursor(other, encode_cursor(order, position))


@given(
    orders,
    st.one_of(st.text(), st.text("ABCDEFabcdef0123456789-_="), st.text().map(lambda text: raw(ascii(text)))),
)
@example("amount:asc", "\ud800")
@example("amount:asc", "é")
@example("amount:asc", "A")
@example("amount:asc", "=")
@example("amount:asc", "\x00")
def test_garbage_is_an_invalid_cursor_and_nothing_else(order: str, garbage: str) -> None:
    with pytest.raises(InvalidCursor):
        decode_cursor(order, garbage)


@given(orders, positions, st.integers(0, 60), st.characters())
def test_a_changed_cursor_is_refused_or_another_position(
    order: str, position: Position, place: int, character: str
) -> None:
    cursor = encode_cursor(order, position)
    changed = cursor[:place] + character + cursor[place + 1 :]
    try:
        decoded = decode_cursor(order, changed)
    except InvalidCursor:
        return
    assert encode_cursor(order, decoded) == changed


@pytest.mark.parametrize(
    "text",
    [
        "amount:asc|1",
        "amount:asc|1|a|b",
        "amount:asc||txn_1",
        "amount:asc|one|txn_1",
        "amount:asc|1.5|txn_1",
        "amount:asc|1_0|txn_1",
        "amount:asc|+1|txn_1",
        "amount:asc| 1|txn_1",
        "amount:asc|١|txn_1",
        f"amount:asc|{2**63}|txn_1",
        f"amount:asc|{-(2**63)}|txn_1",
        f"amount:asc|{'9' * 5000}|txn_1",
    ],
)
def test_a_well_encoded_cursor_with_wrong_parts_is_refused(text: str) -> None:
    with pytest.raises(InvalidCursor):
        decode_cursor("amount:asc", raw(text))


@pytest.mark.parametrize("added", ["=", "!", " ", "\n", "é"])
def test_nothing_may_be_added_to_a_cursor(added: str) -> None:
    cursor = encode_cursor("amount:asc", Position(1050, "txn_1"))
    with pytest.raises(InvalidCursor):
        decode_cursor("amount:asc", cursor + added)
