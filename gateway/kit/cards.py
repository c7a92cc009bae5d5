"""Finds card numbers in free text, so that a real one is never accepted, stored or logged."""

import re

TEST_CARD_NUMBERS = frozenset(
    {
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
    }
)
"""The numbers that payment providers publish for testing; no issuer ever gives them out."""

_CANDIDATE = re.compile(r"(?<!\d)\d(?:[ -]?\d){12,18}(?!\d)", re.ASCII)
_ISSUED = re.compile(
    r"4\d{12}(?:\d{3}){0,2}|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}"
    r"|3[47]\d{13}|6(?:011|5\d\d)\d{12}"
)


def _passes_luhn(digits: str) -> bool:
    doubled = [int(digit) for digit in reversed(digits)]
    doubled[1::2] = [sum(divmod(2 * digit, 10)) for digit in doubled[1::2]]
    return sum(doubled) % 10 == 0


def _is_real(digits: str) -> bool:
    return digits not in TEST_CARD_NUMBERS and _ISSUED.fullmatch(digits) is not None and _passes_luhn(digits)


def holds_card_number(text: str) -> bool:
    """Whether ``text`` holds a number that a card scheme could have issued (ISO/IEC 7812, Luhn)."""
    return any(_is_real(re.sub(r"[ -]", "", match[0])) for match in _CANDIDATE.finditer(text))


def mask_card_numbers(text: str) -> str:
    """``text`` with every such number, test numbers too, replaced by ``[card number]``."""
    return _CANDIDATE.sub("[card number]", text)
