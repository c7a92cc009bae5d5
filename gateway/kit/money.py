"""Money as whole minor units of an ISO 4217 currency; major units exist only on the wire."""

import re
from decimal import Decimal

from iso4217 import Currency

MAX_MINOR_UNITS = 999_999_999_999
SORT_DECIMALS = 4
"""More decimals than any ISO 4217 currency has: the common scale on which amounts compare."""

DECIMALS: dict[str, int] = {
    currency.code: currency.exponent for currency in Currency if currency.exponent is not None
}
"""Decimals of each currency that has a minor unit (USD 2, JPY 0, KWD 3)."""


_DECIMAL_TEXT = re.compile(r"[+-]?\d{1,15}(\.\d{1,12})?", re.ASCII)


class InvalidAmount(ValueError):
    """An amount that is no number, not positive, too large, or finer than its currency allows."""


def parse_decimal(value: object) -> Decimal:
    """A JSON number or decimal string as an exact, finite ``Decimal``.

    Raises:
        InvalidAmount: for anything else, booleans, NaN and infinities included.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise InvalidAmount("must be a number or a decimal string")
    if isinstance(value, str) and not _DECIMAL_TEXT.fullmatch(value):
        raise InvalidAmount("must be a number or a decimal string")
    amount = Decimal(str(value) if isinstance(value, float) else value)
    if not amount.is_finite():
        raise InvalidAmount("must be finite")
    return amount


def to_minor_units(amount: Decimal, currency: str) -> int:
    """Major units to minor units: ``to_minor_units(Decimal("10.50"), "USD") == 1050``.

    Raises:
        InvalidAmount: not positive, more decimals than the currency has, or more than
            ``MAX_MINOR_UNITS``.
    """
    decimals = DECIMALS[currency]
    if amount <= 0:
        raise InvalidAmount("must be greater than zero")
    if not amount.is_finite() or amount.adjusted() + decimals > 12:
        raise InvalidAmount(f"must be at most {MAX_MINOR_UNITS:,} minor units")
    minor = int(amount.scaleb(decimals))
    if Decimal(minor).scaleb(-decimals) != amount:
        raise InvalidAmount(f"{currency} has {decimals} decimals, the amount has more")
    if minor > MAX_MINOR_UNITS:
        raise InvalidAmount(f"must be at most {MAX_MINOR_UNITS:,} minor units")
    return minor


def to_wire(minor: int, currency: str) -> int | float:
    """Minor units to the JSON number of major units, whole amounts without a fraction.

    The shortest form survives a receiver that parses and serialises the body again before it
    checks the signature: ``10`` and ``10.5`` come out the same in every language, ``10.0`` does
    not. Twelve significant digits fit a double exactly as written.
    """
    factor: int = 10 ** DECIMALS[currency]
    return minor // factor if minor % factor == 0 else minor / factor


def sort_key(minor: int, currency: str) -> int:
    """The amount in ten-thousandths of the major unit, comparable between currencies."""
    return int(minor * 10 ** (SORT_DECIMALS - DECIMALS[currency]))


def sort_key_of_major(amount: Decimal) -> Decimal:
    """A bound given in major units on the scale of ``sort_key``; may lie between two keys."""
    return amount.scaleb(SORT_DECIMALS)
