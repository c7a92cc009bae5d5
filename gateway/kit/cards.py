"""Finds card numbers in free text, so that a real one is never accepted, stored or logged."""

import re
from collections.abc import Iterator

TEST_CARD_NUMBERS = frozenset(
    {
        "4111111111111111",
        "4242424242424242",
        "4000056655665556",
        "4000000000000002",
        "5555555555554444",
        "5200828282828210",
        "2223003122003222",
        "378282246310005",
        "371449635398431",
        "6011111111111117",
        "6011000990139424",
        "36227206271667",
        "3566002020360505",
        "6200000000000005",
    }
)
"""The numbers that payment providers publish for testing; no issuer ever gives them out."""

_RUN = re.compile(r"(?<!\d)\d(?:[ -]?\d){12,}", re.ASCII)
# Digits within a longer token, as in a UUID's hex, are part of that token.
_STANDING_ALONE = re.compile(r"(?<![0-9A-Za-z])\d(?:[ -]?\d){12,}(?![0-9A-Za-z])", re.ASCII)
_SEPARATOR = re.compile(r"[ -]")
_LENGTHS = range(13, 20)
_ISSUED = re.compile(
    r"4\d{12}(?:\d{3}){0,2}|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}"
    r"|3[47]\d{13}|6(?:011|4[4-9]\d|5\d\d)\d{12}"
    r"|3(?:0[0-5]|[689]\d)\d{11}|35(?:2[89]|[3-8]\d)\d{12}|62\d{14,17}"
)


def _passes_luhn(digits: str) -> bool:
    doubled = [int(digit) for digit in reversed(digits)]
    doubled[1::2] = [sum(divmod(2 * digit, 10)) for digit in doubled[1::2]]
    return sum(doubled) % 10 == 0


def _is_real(digits: str) -> bool:
    return _ISSUED.fullmatch(digits) is not None and _passes_luhn(digits)


def _numbers_at(groups: list[str], start: int) -> Iterator[tuple[int, str]]:
    digits = ""
    for end in range(start, len(groups)):
        digits += groups[end]
        if len(digits) >= _LENGTHS.stop:
            return
        if len(digits) in _LENGTHS:
            yield end + 1, digits


def _holds_real(groups: list[str]) -> bool:
    # Any neighbouring groups may be the card; what stands beside it is an expiry, a code, an order.
    start = 0
    while start < len(groups):
        numbers = list(_numbers_at(groups, start))
        after_test_number = [end for end, digits in numbers if digits in TEST_CARD_NUMBERS]
        if not after_test_number and any(_is_real(digits) for _, digits in numbers):
            return True
        start = max(after_test_number, default=start + 1)
    return False


def holds_card_number(text: str) -> bool:
    """Whether ``text`` holds a number that a card scheme could have issued (ISO/IEC 7812, Luhn)."""
    if len(text) < _LENGTHS.start:
        return False
    return any(_holds_real(_SEPARATOR.split(run[0])) for run in _STANDING_ALONE.finditer(text))


def mask_card_numbers(text: str) -> str:
    """``text`` with everything that may hold a card number, test numbers too, masked."""
    return _RUN.sub("[card number]", text)
