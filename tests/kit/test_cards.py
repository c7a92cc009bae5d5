"""Card numbers in free text: every real one is found, and as little else as possible."""

import random
import re
import time
from random import Random

import pytest
from hypothesis import given, strategies as st

from gateway.kit.cards import TEST_CARD_NUMBERS, holds_card_number, mask_card_numbers

REAL = {
    "visa": "4012888888881881",
    "visa of 13": "4222222222222",
    "visa of 19": "4000000000000000006",
    "mastercard": "5105105105105100",
    "mastercard of the 2 series": "2221000000000009",
    "the last of the 2 series": "2720990000000007",
    "american express": "371449635398456",
    "discover": "6011000000000004",
    "discover 64": "6440000000000005",
    "discover 65": "6500000000000002",
    "diners club": "30569309025904",
    "diners club 36": "36000000000008",
    "jcb": "3530111333300000",
    "unionpay": "6221260000000000",
    "unionpay of 19": "6200000000000000000",
}


def luhn_sum(digits: str) -> int:
    return sum(
        int(digit) if place % 2 == 0 else sum(divmod(2 * int(digit), 10))
        for place, digit in enumerate(reversed(digits))
    )


def with_check_digit(digits: str) -> str:
    return digits + str(-luhn_sum(digits + "0") % 10)


@pytest.mark.parametrize("digits", REAL.values(), ids=REAL)
def test_a_number_that_a_scheme_could_have_issued_is_found(digits: str) -> None:
    assert luhn_sum(digits) % 10 == 0, "the example itself"
    assert holds_card_number(digits)
    assert holds_card_number(f"card:{digits}.")


@pytest.mark.parametrize(
    "text",
    [
        "4012 8888 8888 1881",
        "4012-8888-8888-1881",
        "4 0 1 2 8 8 8 8 8 8 8 8 1 8 8 1",
        "3714 496353 98456",
        "4242424242424242 4012888888881881",
        "4012888888881881 12/27",
        "4012888888881881 123",
        "4012 8888 8888 1881 12 27 123",
        "7 4012888888881881",
        "order 1001 4012888888881881",
        "01-4012-8888-8888-1881",
        "4012888888881881 4012888888881881",
        "2026-11-20 4012888888881881 2026-11-20",
        "1234567890123456 4012888888881881",
    ],
)
def test_it_is_found_however_it_is_written_and_whatever_stands_around_it(text: str) -> None:
    assert holds_card_number(text)


@given(
    st.sampled_from(["", " ", "-", " and ", "\n"]),
    st.sampled_from(sorted(REAL.values())),
    st.text("0123456789 -"),
)
def test_no_number_before_or_after_hides_it(separator: str, digits: str, noise: str) -> None:
    assert holds_card_number(f"{digits} and {noise}")
    assert holds_card_number(f"{noise} and {digits}")
    if separator:
        assert holds_card_number(f"12{separator}{digits}{separator}345")


@pytest.mark.parametrize("digits", sorted(TEST_CARD_NUMBERS))
def test_the_documented_test_numbers_may_be_used(digits: str) -> None:
    assert luhn_sum(digits) % 10 == 0
    grouped = " ".join(re.findall(r"\d{1,4}", digits))
    for text in (digits, grouped, grouped.replace(" ", "-"), f"paid with {digits}"):
        assert not holds_card_number(text)


@given(st.sampled_from(sorted(TEST_CARD_NUMBERS)), st.integers(0, 9999))
def test_a_test_number_may_stand_beside_its_expiry_and_code(digits: str, code: int) -> None:
    assert not holds_card_number(f"{digits} {code:03d}")
    assert not holds_card_number(f"{digits} 12/27 {code:03d}")


@pytest.mark.parametrize("digits", REAL.values(), ids=REAL)
def test_a_wrong_check_digit_is_no_card(digits: str) -> None:
    assert not holds_card_number(digits[:-1] + str((int(digits[-1]) + 1) % 10))


@given(st.integers(1, 40).filter(lambda length: length not in range(13, 20)), st.integers(0))
def test_an_order_number_of_another_length_is_no_card(length: int, seed: int) -> None:
    digits = "".join(random.Random(seed).choices("0123456789", k=length))
    assert not holds_card_number(f"order {digits}")


@given(st.sampled_from(["0", "1", "7", "8", "9", "20", "31", "50", "56", "60", "69"]), st.integers(11, 17))
def test_a_number_that_no_scheme_starts_with_is_no_card(start: str, length: int) -> None:
    assert not holds_card_number(with_check_digit(start.ljust(length, "0")))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-20T22:57:04.671Z",
        "1763679424671",
        "+1 202 555 0143",
        "019e6b0c-9a2f-7000-8000-0d5e4f110000",
    ],
)
def test_times_telephones_and_uuids_are_no_cards(text: str) -> None:
    assert not holds_card_number(text)


@pytest.mark.parametrize("digits", [*REAL.values(), *sorted(TEST_CARD_NUMBERS)])
def test_a_mask_leaves_nothing_of_a_number(digits: str) -> None:
    grouped = " ".join(re.findall(r"\d{1,4}", digits))
    for text in (digits, grouped, f"1234 5678 {grouped}", f"{grouped} 123"):
        masked = mask_card_numbers(f"paid with {text}!")
        assert masked.startswith("paid with ")
        assert masked.endswith("!")
        assert digits[-6:] not in re.sub(r"\D", "", masked)
        assert digits[:6] not in re.sub(r"\D", "", masked)


def test_a_mask_leaves_other_text_alone() -> None:
    text = "order 1001 of 2026-11-20, +1 202 555 0143"
    assert mask_card_numbers(text) == text


@pytest.mark.parametrize("text", ["1" * 20_000, "1 " * 10_000, "4" * 12 + "-" * 10_000, "4-" * 10_000])
def test_a_long_text_does_not_hang_the_reader(text: str) -> None:
    started = time.perf_counter()
    holds_card_number(text)
    mask_card_numbers(text)
    assert time.perf_counter() - started < 20  # minutes, were the work to grow with the square


def test_digits_within_a_token_are_no_card_number() -> None:
    random = Random(1)
    tokens = [f"{random.getrandbits(128):032x}" for _ in range(100_000)]
    assert not any(holds_card_number(token) for token in tokens)
    assert not holds_card_number("order-a4012888888881881b")
    assert holds_card_number("paid with 4012888888881881.")
