"""Opaque cursors: where the next page starts, whatever was added or removed in between."""

import base64
import binascii
from typing import NamedTuple


class InvalidCursor(ValueError):
    """A cursor that this list did not hand out."""


class Position(NamedTuple):
    """The last row of a page: its sort value (0 where the id alone orders) and its id."""

    value: int
    id: str


def encode_cursor(order: str, position: Position) -> str:
    """Text for ``nextCursor``; ``order`` names the sorting it belongs to."""
    raw = f"{order}|{position.value}|{position.id}".encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def decode_cursor(order: str, cursor: str) -> Position:
    """The position that ``encode_cursor`` wrote for the same ``order``.

    Raises:
        InvalidCursor: malformed, or from a list that is sorted otherwise.
    """
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        given_order, value, row_id = raw.split("|")
        position = Position(int(value), row_id)
    except (binascii.Error, UnicodeError, ValueError) as error:
        raise InvalidCursor("not a cursor of this list") from error
    if given_order != order or abs(position.value) >= 2**63 or encode_cursor(order, position) != cursor:
        raise InvalidCursor("not a cursor of this list in this order")
    return position
