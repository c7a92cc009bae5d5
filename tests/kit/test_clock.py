"""Times: UTC, whole milliseconds, one form on the wire."""

import re
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given, strategies as st

from gateway.kit import clock


def test_now_is_utc_in_whole_milliseconds() -> None:
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    now = clock.now()
    assert before <= now <= datetime.now(UTC)
    assert now.tzinfo is UTC
    assert now.microsecond % 1000 == 0


def test_a_whole_second_keeps_its_fraction() -> None:
    assert clock.to_wire(datetime(2026, 11, 20, 22, 57, 4, tzinfo=UTC)) == "2026-11-20T22:57:04.000Z"


def test_microseconds_are_cut_off_rather_than_rounded() -> None:
    moment = datetime(2026, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    assert clock.to_wire(moment) == "2026-12-31T23:59:59.999Z"


def test_other_zones_are_converted() -> None:
    zone = timezone(timedelta(hours=5, minutes=30))
    assert clock.to_wire(datetime(2026, 1, 1, 5, 30, tzinfo=zone)) == "2026-01-01T00:00:00.000Z"


@given(st.datetimes(datetime(1970, 1, 1), timezones=st.just(UTC)))
def test_the_wire_form_is_read_back_to_the_millisecond(moment: datetime) -> None:
    wire = clock.to_wire(moment)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", wire)
    assert datetime.fromisoformat(wire) == moment.replace(microsecond=moment.microsecond // 1000 * 1000)
