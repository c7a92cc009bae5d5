"""Group read: one query for those that wait together, each with its own answer."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import OperationFailure

from gateway.auth.documents import UsedSignature
from gateway.config import Settings
from gateway.kit import clock
from gateway.main import DOCUMENTS
from gateway.store.connection import Store, open_store
from gateway.store.group_read import GroupRead


@pytest.fixture
async def store(settings: Settings) -> AsyncIterator[Store]:
    async with open_store(settings, DOCUMENTS) as made:
        rows = [{"_id": f"s{number}", "expires_at": clock.now()} for number in range(300)]
        await made.database["used_signatures"].insert_many(rows)
        yield made


async def test_each_gets_its_own(store: Store) -> None:
    read = GroupRead(UsedSignature)
    names = [f"s{number}" for number in range(0, 400, 2)] * 2
    rows = await asyncio.gather(*(read.get(name) for name in names))
    assert [row and row["_id"] for row in rows] == [name if int(name[1:]) < 300 else None for name in names]


async def test_they_share_queries(store: Store) -> None:
    read = GroupRead(UsedSignature)
    before = (await store.database.command("serverStatus"))["opcounters"]["query"]
    await asyncio.gather(*(read.get(f"s{number}") for number in range(256)))
    after = (await store.database.command("serverStatus"))["opcounters"]["query"]
    assert after - before < 10


async def test_a_write_before_the_look_up_is_seen(store: Store) -> None:
    read = GroupRead(UsedSignature)
    for number in range(50):
        busy = [asyncio.create_task(read.get(f"s{other}")) for other in range(5)]
        await asyncio.sleep(0)
        await store.database["used_signatures"].insert_one({"_id": f"new{number}"})
        assert await read.get(f"new{number}") is not None
        await asyncio.gather(*busy)


async def test_one_that_goes_away_disturbs_nobody(store: Store) -> None:
    read = GroupRead(UsedSignature)
    tasks = [asyncio.create_task(read.get("s1")) for _ in range(3)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    rows = await asyncio.gather(*tasks[1:])
    assert [row and row["_id"] for row in rows] == ["s1", "s1"]


async def test_a_failure_reaches_every_caller_and_the_next_look_up_works(store: Store) -> None:
    numbers = store.database["numbers"]
    await numbers.insert_many([{"_id": "s1", "n": 0}, {"_id": "s2", "n": 0}])
    inverse = [{"$set": {"inverse": {"$divide": [1, "$n"]}}}]
    await store.database.create_collection("inverses", viewOn="numbers", pipeline=inverse)

    class Inverse(UsedSignature):
        @classmethod
        def get_pymongo_collection(cls) -> AsyncCollection[Any]:
            return store.database["inverses"]

    read = GroupRead(Inverse)
    results = await asyncio.gather(read.get("s1"), read.get("s2"), return_exceptions=True)
    assert all(isinstance(result, OperationFailure) for result in results)
    await numbers.update_many({}, {"$set": {"n": 4}})
    row = await read.get("s1")
    assert row is not None
    assert row["inverse"] == 0.25
