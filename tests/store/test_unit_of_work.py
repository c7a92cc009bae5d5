"""Units of work and their counterpart for reads, against the real store."""

from uuid import uuid4

import pytest
from fastapi import FastAPI

from gateway.payments.documents import TransactionCount
from gateway.store.unit_of_work import Session, at_one_moment, unit_of_work


@pytest.mark.usefixtures("app")
async def test_reads_are_of_one_moment_whatever_is_written_meanwhile() -> None:
    collection = TransactionCount.get_pymongo_collection()
    await collection.insert_many([{"_id": "a", "pending": 1}, {"_id": "b", "pending": 1}])

    async def change(session: Session) -> None:
        await collection.update_many({}, {"$inc": {"pending": 1}}, session=session)

    async def read_around_a_change(session: Session) -> list[int]:
        first = await collection.find_one({"_id": "a"}, session=session)
        await unit_of_work(change)
        second = await collection.find_one({"_id": "b"}, session=session)
        assert first is not None
        assert second is not None
        return [first["pending"], second["pending"]]

    assert await at_one_moment(read_around_a_change) == [1, 1]
    assert await at_one_moment(read_around_a_change) == [2, 2]


async def test_a_moment_too_early_for_a_new_collection_is_left_for_a_later_one(app: FastAPI) -> None:
    database = app.state.store.database
    known = TransactionCount.get_pymongo_collection()
    await known.insert_one({"_id": "a"})
    name = f"made_meanwhile_{uuid4().hex}"
    runs = 0

    async def read(session: Session) -> int:
        nonlocal runs
        runs += 1
        await known.find_one({}, session=session)
        await database[name].update_one({"_id": 1}, {"$set": {"n": 1}}, upsert=True)
        return int(await database[name].count_documents({}, session=session))

    assert await at_one_moment(read) == 1
    assert runs == 2
