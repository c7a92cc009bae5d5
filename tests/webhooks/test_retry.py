"""The schedule of retries."""

import pytest
from hypothesis import given, strategies as st

from gateway.config import Settings
from gateway.webhooks.retry import wait_before_retry

SCHEDULE = (5.0, 30.0, 120.0)


def test_the_waits_are_those_of_the_schedule_in_turn() -> None:
    waits = [wait_before_retry(made, SCHEDULE, 0.0) for made in range(1, 5)]
    assert waits == [5.0, 30.0, 120.0, None]


@pytest.mark.parametrize("attempts_made", [4, 5, 100])
def test_after_the_schedule_nothing_is_tried_again(attempts_made: int) -> None:
    assert wait_before_retry(attempts_made, SCHEDULE, 0.1) is None


def test_an_empty_schedule_means_one_attempt() -> None:
    assert wait_before_retry(1, (), 0.1) is None


@pytest.mark.parametrize(("unit", "expected"), [(0.0, 27.0), (0.5, 30.0), (1.0, 33.0)])
def test_the_jitter_spreads_both_ways(unit: float, expected: float) -> None:
    assert wait_before_retry(2, SCHEDULE, 0.1, unit) == pytest.approx(expected)


@given(st.integers(1, 3), st.floats(0, 0.5))
def test_a_wait_never_leaves_its_band(attempts_made: int, jitter: float) -> None:
    base = SCHEDULE[attempts_made - 1]
    wait = wait_before_retry(attempts_made, SCHEDULE, jitter)
    assert wait is not None
    assert base * (1 - jitter) - 1e-9 <= wait <= base * (1 + jitter) + 1e-9


def test_deliveries_that_failed_together_do_not_come_back_together() -> None:
    assert len({wait_before_retry(1, SCHEDULE, 0.1) for _ in range(100)}) > 90


def test_the_default_schedule_grows_and_covers_hours() -> None:
    schedule = Settings.model_fields["webhook_retry_seconds"].default
    assert list(schedule) == sorted(schedule)
    assert sum(schedule) > 6 * 3600
