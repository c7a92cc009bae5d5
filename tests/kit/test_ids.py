"""Identifiers: unique, in the order of their making, with their time inside."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from gateway.kit import clock, ids
from gateway.kit.ids import id_floor, millis, moment_of, new_id

MOMENT = datetime(2026, 11, 20, 22, 57, 4, 671_000, tzinfo=UTC)
moments = st.datetimes(datetime(1970, 1, 2), datetime(2999, 1, 1), timezones=st.just(UTC)).map(
    lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000)
)


@pytest.fixture(autouse=True)
def _fresh_sequence(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Ids of any time, without pushing those of the tests that follow into the future."""
    with monkeypatch.context() as patch:
        patch.setattr(ids, "_last_millis", 0)
        patch.setattr(ids, "_sequence", 0)
        yield


def test_an_id_has_its_prefix_and_28_hex_digits() -> None:
    assert re.fullmatch(r"txn_[0-9a-f]{28}", new_id("txn", MOMENT))


def test_text_order_is_the_order_of_making() -> None:
    made = [new_id("txn", MOMENT + timedelta(milliseconds=number // 50)) for number in range(1000)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)


def test_ids_never_go_backwards_when_the_clock_does() -> None:
    first = new_id("txn", MOMENT)
    assert new_id("txn", MOMENT - timedelta(hours=1)) > first


def test_a_full_millisecond_runs_over_into_the_next() -> None:
    made = [new_id("txn", MOMENT) for _ in range(0x10000 + 5)]
    assert made == sorted(made)
    assert moment_of(made[0xFFFF]) == MOMENT
    assert moment_of(made[-1]) == MOMENT + timedelta(milliseconds=1)


def test_threads_never_make_the_same_id() -> None:
    count, barrier = 8, Barrier(8)

    def make(_: int) -> list[str]:
        barrier.wait()
        return [new_id("evt", clock.now()) for _ in range(2000)]

    with ThreadPoolExecutor(count) as pool:
        batches = list(pool.map(make, range(count)))
    heads = [identifier[:20] for batch in batches for identifier in batch]
    assert len(set(heads)) == count * 2000, "time and sequence alone tell them apart"
    assert all(batch == sorted(batch) for batch in batches)


def test_the_random_part_differs_between_processes_of_the_same_moment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = new_id("txn", MOMENT)
    monkeypatch.setattr(ids, "_last_millis", 0)
    second = new_id("txn", MOMENT)
    assert first[:20] == second[:20]
    assert first != second


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moments, st.sampled_from(["txn", "user", "a_b"]))
def test_the_time_is_read_back(monkeypatch: pytest.MonkeyPatch, moment: datetime, prefix: str) -> None:
    monkeypatch.setattr(ids, "_last_millis", 0)
    assert moment_of(new_id(prefix, moment)) == moment


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moments)
def test_the_floor_of_a_millisecond_lies_between_it_and_the_one_before(
    monkeypatch: pytest.MonkeyPatch, moment: datetime
) -> None:
    monkeypatch.setattr(ids, "_last_millis", 0)
    before = new_id("txn", moment - timedelta(milliseconds=1))
    assert before < id_floor("txn", millis(moment)) <= new_id("txn", moment)


def test_the_floor_of_a_time_before_the_epoch_is_that_of_the_epoch() -> None:
    assert id_floor("txn", -5) == id_floor("txn", 0) == "txn_000000000000"


@given(moments)
def test_milliseconds_are_exact(moment: datetime) -> None:
    assert datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=millis(moment)) == moment
