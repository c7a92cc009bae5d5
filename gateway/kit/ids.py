"""Prefixed identifiers whose text order is the order of their creation."""

import os
from datetime import UTC, datetime, timedelta
from threading import Lock

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_lock = Lock()
_last_millis = 0
_sequence = 0


def millis(moment: datetime) -> int:
    """Whole milliseconds since the Unix epoch."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def new_id(prefix: str, moment: datetime) -> str:
    """``<prefix>_`` and 28 hex digits: milliseconds (12), sequence within one (4), random (12).

    Within a process ids never go backwards, even when the clock does; across processes they
    are ordered by millisecond.
    """
    global _last_millis, _sequence
    with _lock:
        current = millis(moment)
        if current > _last_millis:
            _last_millis, _sequence = current, 0
        else:
            _sequence += 1
            if _sequence > 0xFFFF:
                _last_millis, _sequence = _last_millis + 1, 0
        head = f"{_last_millis:012x}{_sequence:04x}"
    return f"{prefix}_{head}{os.urandom(6).hex()}"


def moment_of(identifier: str) -> datetime:
    """The creation time that ``new_id`` wrote into an id."""
    return _EPOCH + timedelta(milliseconds=int(identifier.rpartition("_")[2][:12], 16))


def id_floor(prefix: str, at_millis: int) -> str:
    """The smallest id of a millisecond: a bound for range queries."""
    return f"{prefix}_{max(at_millis, 0):012x}"
