"""Amounts: exact between wire and minor units, and refused where they cannot be."""

import json
from decimal import Decimal

import pytest
from hypothesis import given, strategies as st

from gateway.kit import money
from gateway.kit.money import DECIMALS, MAX_MINOR_UNITS, InvalidAmount

currencies = st.sampled_from(sorted(DECIMALS))
minor_units = st.integers(1, MAX_MINOR_UNITS)


@given(minor_units, currencies)
def test_what_goes_out_comes_back_the_same(minor: int, currency: str) -> None:
    wire = json.loads(json.dumps(money.to_wire(minor, currency)))
    assert money.to_minor_units(money.parse_decimal(wire), currency) == minor


@given(minor_units, currencies)
def test_a_decimal_string_means_the_same_as_the_number(minor: int, currency: str) -> None:
    text = f"{Decimal(minor).scaleb(-DECIMALS[currency]):f}"
    assert money.to_minor_units(money.parse_decimal(text), currency) == minor


@pytest.mark.parametrize(
    ("currency", "decimals"), [("USD", 2), ("EUR", 2), ("JPY", 0), ("KRW", 0), ("KWD", 3), ("CLF", 4)]
)
def test_each_currency_has_its_own_decimals(currency: str, decimals: int) -> None:
    assert DECIMALS[currency] == decimals
    assert money.to_minor_units(Decimal(1), currency) == 10**decimals
    smallest = Decimal(1).scaleb(-decimals)
    assert money.to_minor_units(smallest, currency) == 1
    with pytest.raises(InvalidAmount):
        money.to_minor_units(smallest / 10, currency)


@pytest.mark.parametrize("code", ["XXX", "XAU", "XTS", "usd", "EURO", ""])
def test_what_has_no_minor_unit_is_no_currency_here(code: str) -> None:
    assert code not in DECIMALS


@given(st.integers(1, 10**9), currencies, st.integers(1, 40))
def test_a_finer_amount_is_refused_however_small_the_rest(whole: int, currency: str, places: int) -> None:
    rest = "0" * (DECIMALS[currency] + places - 1) + "1"
    with pytest.raises(InvalidAmount, match="decimals"):
        money.to_minor_units(Decimal(f"{whole}.{rest}"), currency)


@given(currencies)
def test_the_largest_amount_is_accepted_and_one_more_is_not(currency: str) -> None:
    largest = Decimal(MAX_MINOR_UNITS).scaleb(-DECIMALS[currency])
    assert money.to_minor_units(largest, currency) == MAX_MINOR_UNITS
    with pytest.raises(InvalidAmount, match="at most"):
        money.to_minor_units(largest + Decimal(1).scaleb(-DECIMALS[currency]), currency)


@pytest.mark.parametrize("amount", ["1E+13", "1E+999999", "9" * 60, "Infinity"])
def test_a_huge_amount_is_refused_without_being_written_out(amount: str) -> None:
    with pytest.raises(InvalidAmount):
        money.to_minor_units(Decimal(amount), "USD")


@pytest.mark.parametrize("amount", ["0", "-0", "0.00", "-0.01", "-1", "-Infinity", "0E+20"])
def test_nothing_and_less_is_refused(amount: str) -> None:
    with pytest.raises(InvalidAmount, match="greater than zero"):
        money.to_minor_units(Decimal(amount), "USD")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (10, "10"),
        (10.5, "10.5"),
        (0.1, "0.1"),
        (1e-7, "1E-7"),
        ("10.50", "10.50"),
        ("+1", "1"),
        ("007", "7"),
        (Decimal("2.30"), "2.30"),
    ],
)
def test_numbers_and_decimal_strings_are_read_exactly(value: object, expected: str) -> None:
    assert money.parse_decimal(value) == Decimal(expected)


@pytest.mark.parametrize(
    "value",
    [
        *(True, False, None, [], {}, b"1"),
        *("", " ", "1 ", " 1", "1_000", "1,000", "1.", ".5", "1e3", "1.2.3", "--1", "0x10", "1\n"),
        *("NaN", "nan", "Infinity", "-inf", "sNaN", "١٢", "１２", "½", "9" * 16, "0." + "1" * 13),
        *(float("nan"), float("inf"), float("-inf"), Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity")),
    ],
)
def test_anything_else_is_no_amount(value: object) -> None:
    with pytest.raises(InvalidAmount):
        money.parse_decimal(value)


@pytest.mark.parametrize("digits", [20, 5000])
def test_an_amount_of_many_digits_is_too_large_and_nothing_worse(digits: int) -> None:
    with pytest.raises(InvalidAmount):
        money.to_minor_units(money.parse_decimal(10**digits), "USD")
    with pytest.raises(InvalidAmount):
        money.parse_decimal("1" * digits)


@given(st.one_of(st.text(), st.floats(), st.integers(), st.decimals(), st.binary(), st.none()), currencies)
def test_whatever_comes_is_a_positive_whole_number_or_refused(value: object, currency: str) -> None:
    try:
        minor = money.to_minor_units(money.parse_decimal(value), currency)
    except InvalidAmount:
        return
    assert 1 <= minor <= MAX_MINOR_UNITS


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [(100_000, "USD", "1000"), (1050, "USD", "10.5"), (1, "USD", "0.01"), (500, "JPY", "500")],
)
def test_the_wire_number_is_the_shortest(minor: int, currency: str, text: str) -> None:
    assert json.dumps(money.to_wire(minor, currency)) == text


@given(minor_units, currencies, minor_units, currencies)
def test_sort_keys_order_amounts_of_different_currencies(
    one: int, one_currency: str, other: int, other_currency: str
) -> None:
    majors = (
        Decimal(one).scaleb(-DECIMALS[one_currency]),
        Decimal(other).scaleb(-DECIMALS[other_currency]),
    )
    keys = (money.sort_key(one, one_currency), money.sort_key(other, other_currency))
    assert (keys[0] < keys[1]) == (majors[0] < majors[1])
    assert money.sort_key_of_major(majors[0]) == keys[0]


def test_no_currency_is_finer_than_the_common_scale() -> None:
    assert max(DECIMALS.values()) <= money.SORT_DECIMALS
