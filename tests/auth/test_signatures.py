"""Signature checks without a request around them."""

import re

import pytest
from hypothesis import given, settings as hypothesis_settings, strategies as st

from gateway.auth.signatures import (
    InvalidSignature,
    check_plain,
    check_timestamped,
    is_timestamped,
    sign,
)

_SECRET = "SK_" + "5" * 48
_KEY = "PK_LIVE_" + "7" * 48
_NOW = 1_800_000_000.0


def plain(header: str, body: bytes) -> None:
    check_plain(header, body, _SECRET, api_key=_KEY)


def stamped(header: str, body: bytes, *, now: float = _NOW) -> str:
    return check_timestamped(header, body, _SECRET, api_key=_KEY, now=now, tolerance=300).digest


def test_a_known_vector() -> None:
    """RFC 4231, test case 2."""
    expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert sign("Jefe", b"what do ya want for nothing?") == expected


@given(st.binary(max_size=300))
@hypothesis_settings(max_examples=100, derandomize=True, deadline=None, database=None)
def test_any_body_can_be_signed_in_either_form(body: bytes) -> None:
    plain(sign(_SECRET, body), body)
    digest = sign(_SECRET, b"1800000000." + body)
    assert stamped(f"t=1800000000,v1={digest}", body) == digest


@given(st.text(max_size=200), st.binary(max_size=100))
@hypothesis_settings(max_examples=300, derandomize=True, deadline=None, database=None)
def test_no_other_text_is_a_signature_and_none_crashes(header: str, body: bytes) -> None:
    for check in (plain, stamped):
        with pytest.raises(InvalidSignature) as refused:
            check(header, body)
        assert refused.value.hint
        assert not re.search(sign(_SECRET, body), refused.value.hint)


@pytest.mark.parametrize(
    ("age", "accepted"), [(0, True), (300, True), (-300, True), (301, False), (-301, False)]
)
def test_the_tolerance_is_300_seconds_either_way_and_exact(age: int, accepted: bool) -> None:
    header = f"t={int(_NOW) - age},v1={sign(_SECRET, f'{int(_NOW) - age}.'.encode())}"
    if accepted:
        stamped(header, b"")
    else:
        with pytest.raises(InvalidSignature):
            stamped(header, b"")


def test_the_digest_that_is_remembered_is_the_right_one_of_several() -> None:
    digest = sign(_SECRET, b"1800000000.x")
    assert stamped(f"t=1800000000,v1={'0' * 64},v1={digest.upper()}", b"x") == digest


def test_the_forms_are_told_apart() -> None:
    assert is_timestamped("t=1,v1=x")
    assert is_timestamped("v1=x, t=1")
    assert not is_timestamped("0" * 64)
    assert not is_timestamped("")


def test_json_that_can_not_be_read_is_no_crash() -> None:
    for body in (b"[" * 200_000, b"\xff", b"{", b'{"a":' + b"9" * 5000 + b"}", b'"\\ud83c"'):
        with pytest.raises(InvalidSignature):
            plain("0" * 64, body)
