"""The one source of the current time: UTC, in whole milliseconds, as BSON stores it."""

import time
from datetime import UTC, datetime


def now() -> datetime:
    """The current UTC time, truncated to milliseconds so that a stored time reads back equal."""
    return datetime.fromtimestamp(time.time_ns() // 1_000_000 / 1000, UTC)


def to_wire(moment: datetime) -> str:
    """ISO 8601 in UTC with milliseconds and ``Z``, e.g. ``2026-11-20T22:57:04.671Z``."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
