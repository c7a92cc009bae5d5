"""Group commit: each answered after its own commit, each failing alone."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from beanie import Document
from pymongo.errors import DuplicateKeyError, PyMongoError

from gateway.auth.documents import UsedSignature
from gateway.config import Settings
from gateway.kit import clock
from gateway.main import DOCUMENTS
from gateway.payments.documents import TransactionCount
from gateway.store import group_commit
from gateway.store.bulk import Update
from gateway.store.connection import Store, open_store
from gateway.store.group_commit import GroupCommit, StoreBusy, Unit
from gateway.users.documents import User


@pytest.fixture
async def store(settings: Settings) -> AsyncIterator[Store]:
    async with open_store(settings, DOCUMENTS) as made:
        yield made


def _row(name: str) -> dict[str, Any]:
    return {"_id": name, "expires_at": clock.now()}


def _unit(*names: str) -> Unit:
    """A unit of several documents: a row for each name, and one more in a number that all share."""
    one_more = Update({"_id": "owner:1"}, {"$inc": {"pending": 1}}, upsert=True)
    return Unit([*((UsedSignature, _row(name)) for name in names), (TransactionCount, one_more)])


def _alone(name: str) -> Unit:
    return Unit([(UsedSignature, _row(name))])


async def _stored(store: Store) -> set[str]:
    return {row["_id"] async for row in store.database["used_signatures"].find()}


async def _pending(store: Store) -> int:
    row = await store.database["transaction_counts"].find_one({"_id": "owner:1"})
    return int(row["pending"]) if row else 0


async def test_many_at_once_are_all_committed(store: Store) -> None:
    await asyncio.gather(*(group_commit.commit(_unit(f"s{number}")) for number in range(500)))
    assert len(await _stored(store)) == 500
    assert await _pending(store) == 500


async def test_they_share_transactions(store: Store) -> None:
    before = await store.database.command("serverStatus")
    await asyncio.gather(*(group_commit.commit(_unit(f"s{number}")) for number in range(300)))
    after = await store.database.command("serverStatus")
    commits = after["transactions"]["totalCommitted"] - before["transactions"]["totalCommitted"]
    assert 0 < commits < 20


async def test_units_of_one_document_share_commands_and_need_no_transaction(store: Store) -> None:
    before = await store.database.command("serverStatus")
    await asyncio.gather(*(group_commit.commit(_alone(f"s{number}")) for number in range(300)))
    after = await store.database.command("serverStatus")
    inserts = [status["metrics"]["commands"]["insert"]["total"] for status in (before, after)]
    assert 0 < inserts[1] - inserts[0] < 20
    assert after["transactions"]["totalCommitted"] == before["transactions"]["totalCommitted"]
    assert len(await _stored(store)) == 300


async def test_a_duplicate_of_one_document_fails_alone(store: Store) -> None:
    await group_commit.commit(_alone("taken"))
    units = [_alone("taken" if number in (4, 9) else f"s{number}") for number in range(12)]
    units.insert(6, _unit("several"))
    results = await asyncio.gather(*(group_commit.commit(unit) for unit in units), return_exceptions=True)
    failed = [number for number, result in enumerate(results) if result is not None]
    assert failed == [4, 10]
    assert all(isinstance(results[number], DuplicateKeyError) for number in failed)
    assert await _stored(store) == {"taken", "several"} | {f"s{n}" for n in range(12) if n not in (4, 9)}


async def test_an_update_alone_changes_its_document_or_none(store: Store) -> None:
    await group_commit.commit(_alone("there"))
    moment = clock.now().replace(microsecond=0)
    set_moment = {"$set": {"expires_at": moment}}
    await asyncio.gather(
        *(
            group_commit.commit(Unit([(UsedSignature, Update({"_id": name}, set_moment))]))
            for name in ("there", "missing")
        )
    )
    assert await store.database["used_signatures"].find().to_list() == [
        {"_id": "there", "expires_at": moment}
    ]


async def test_a_duplicate_fails_alone(store: Store) -> None:
    await group_commit.commit(_unit("taken"))
    units = [_unit(f"s{number}") for number in range(20)]
    units[7] = _unit("x7", "taken")
    units[13] = _unit("taken", "x13")
    results = await asyncio.gather(*(group_commit.commit(unit) for unit in units), return_exceptions=True)
    failed = [number for number, result in enumerate(results) if isinstance(result, DuplicateKeyError)]
    assert failed == [7, 13]
    assert [result for number, result in enumerate(results) if number not in failed] == [None] * 18
    assert await _stored(store) == {"taken"} | {f"s{n}" for n in range(20) if n not in failed}
    assert await _pending(store) == 19


async def test_of_two_with_one_id_in_the_same_moment_one_is_committed(store: Store) -> None:
    results = await asyncio.gather(
        *(group_commit.commit(_unit("same")) for _ in range(10)), return_exceptions=True
    )
    assert results.count(None) == 1
    assert sum(isinstance(result, DuplicateKeyError) for result in results) == 9
    assert await _pending(store) == 1


@pytest.mark.parametrize(
    "also", [[], [(UsedSignature, Update({"_id": "s"}, {"$set": {"x": 1}}))]], ids=["alone", "several"]
)
async def test_a_duplicate_of_another_unique_key_fails_alone(
    store: Store, also: list[tuple[type[Document], Update]]
) -> None:
    def user(number: int, email: str) -> Unit:
        return Unit([(User, {"_id": f"user_{number}", "email": email}), *also])

    await group_commit.commit(user(0, "a@b.example"))
    results = await asyncio.gather(
        group_commit.commit(user(1, "c@d.example")),
        group_commit.commit(user(2, "a@b.example")),
        group_commit.commit(user(3, "e@f.example")),
        return_exceptions=True,
    )
    assert [type(result) for result in results] == [type(None), DuplicateKeyError, type(None)]


@pytest.mark.parametrize("writes", [1, 2])
async def test_a_unit_that_the_store_refuses_fails_alone(store: Store, writes: int) -> None:
    refusal = (TransactionCount, Update({"_id": "n"}, {"$set": {"_id": "m"}}, upsert=True))
    refused = Unit([refusal] * writes)
    results = await asyncio.gather(
        group_commit.commit(_unit("one")),
        group_commit.commit(refused),
        group_commit.commit(_unit("two")),
        return_exceptions=True,
    )
    assert results[0] is None
    assert isinstance(results[1], PyMongoError)
    assert results[2] is None
    assert await _stored(store) == {"one", "two"}


async def test_a_caller_that_goes_away_disturbs_nobody(store: Store) -> None:
    tasks = [asyncio.create_task(group_commit.commit(_unit(f"s{number}"))) for number in range(10)]
    await asyncio.sleep(0)
    tasks[3].cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(results[3], asyncio.CancelledError)
    assert {f"s{n}" for n in range(10) if n != 3} <= await _stored(store)


async def test_a_full_queue_refuses_with_a_time_to_retry(store: Store) -> None:
    group = GroupCommit(max_waiting=3, max_group=10)
    waiting = [asyncio.create_task(group.commit(_unit(f"s{number}"))) for number in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(StoreBusy) as refused:
        await group.commit(_unit("one too many"))
    assert refused.value.status_code == 503
    assert refused.value.headers["Retry-After"] == "1"
    group.start()
    await asyncio.gather(*waiting)
    await group.stop()


async def test_stopping_commits_what_waits_and_takes_nothing_more(store: Store) -> None:
    group = GroupCommit(max_waiting=100, max_group=10)
    waiting = [asyncio.create_task(group.commit(_unit(f"s{number}"))) for number in range(35)]
    await asyncio.sleep(0)
    group.start()
    await group.stop()
    assert await asyncio.gather(*waiting) == [None] * 35
    assert len(await _stored(store)) == 35
    with pytest.raises(StoreBusy):
        await group.commit(_unit("late"))


async def test_one_that_waited_too_long_is_refused(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "MAX_WAIT_SECONDS", 0.0)
    group = GroupCommit(max_waiting=100, max_group=10)
    waiting = asyncio.create_task(group.commit(_unit("late")))
    await asyncio.sleep(0.01)
    group.start()
    with pytest.raises(StoreBusy):
        await waiting
    await group.stop()
    assert await _stored(store) == set()


async def test_how_long_a_unit_has_waited_counts_from_when_it_was_made(store: Store) -> None:
    group = GroupCommit(max_waiting=100, max_group=10)
    group.start()
    made = time.time() - group_commit.MAX_WAIT_SECONDS - 1
    with pytest.raises(StoreBusy):
        await group.commit(Unit(_unit("old").writes, made))
    await group.stop()
    assert await _stored(store) == set()
