"""Writes of many documents at once, in a caller's unit of work.

Within a transaction the driver's bulk machinery has nothing to do (no batches to split, no retries
of its own) but costs more than the write; there the plain commands are sent.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from beanie import Document
from pymongo import UpdateOne
from pymongo.errors import BulkWriteError, DuplicateKeyError, WriteError

from gateway.store.unit_of_work import Session

Row = dict[str, Any]
DUPLICATE_KEY = 11000


class Update(NamedTuple):
    """A change of one document, found by ``find``."""

    find: Mapping[str, Any]
    change: Mapping[str, Any]
    upsert: bool = False


async def insert(kind: type[Document], rows: Sequence[Row], session: Session) -> None:
    """Insert rows that have their ``_id``.

    Raises:
        DuplicateKeyError: one of them violates a unique index; the unit of work is then void.
    """
    collection = kind.get_pymongo_collection()
    if session is None:
        await _told_alike(collection.insert_many(rows))
    else:
        command = {"insert": collection.name, "documents": rows}
        _check(await collection.database.command(command, session=session))


async def update(kind: type[Document], updates: Sequence[Update], session: Session) -> None:
    """Apply each update to the one document that it finds."""
    collection = kind.get_pymongo_collection()
    if session is None:
        operations = [UpdateOne(u.find, u.change, upsert=u.upsert) for u in updates]
        await _told_alike(collection.bulk_write(operations))
    else:
        statements = [{"q": u.find, "u": u.change, "upsert": u.upsert} for u in updates]
        command = {"update": collection.name, "updates": statements}
        _check(await collection.database.command(command, session=session))


async def _told_alike(write: Any) -> None:
    try:
        await write
    except BulkWriteError as error:
        _check(error.details)


def _check(reply: Mapping[str, Any]) -> None:
    for problem in reply.get("writeErrors", ()):
        kind = DuplicateKeyError if problem["code"] == DUPLICATE_KEY else WriteError
        raise kind(problem["errmsg"], problem["code"], problem)
