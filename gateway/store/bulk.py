"""Writes of many documents at once, in a caller's unit of work or each document for itself.

Within a transaction the driver's bulk machinery has nothing to do (no batches to split, no retries
of its own) but costs more than the write; there the plain commands are sent.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pymongo
from beanie import Document
from pymongo import InsertOne, UpdateOne
from pymongo.errors import BulkWriteError, DuplicateKeyError, WriteError

from gateway.store.unit_of_work import TIMEOUT_SECONDS, Session

Row = dict[str, Any]
DUPLICATE_KEY = 11000


class Update(NamedTuple):
    """A change of one document, found by ``find``."""

    find: Mapping[str, Any]
    change: Mapping[str, Any]
    upsert: bool = False


Write = Row | Update
"""A row to insert, which has its ``_id``, or an update."""


async def write(kind: type[Document], writes: Sequence[Write], session: Session) -> None:
    """Make all the writes in the caller's unit of work.

    Raises:
        DuplicateKeyError: one of them violates a unique index; the unit of work is then void.
    """
    if session is None:
        for error in (await write_each(kind, writes)).values():
            raise error
        return
    collection = kind.get_pymongo_collection()
    rows = [each for each in writes if isinstance(each, dict)]
    updates = [each for each in writes if isinstance(each, Update)]
    if rows:
        command = {"insert": collection.name, "documents": rows}
        _check(await collection.database.command(command, session=session))
    if updates:
        statements = [{"q": u.find, "u": u.change, "upsert": u.upsert} for u in updates]
        command = {"update": collection.name, "updates": statements}
        _check(await collection.database.command(command, session=session))


async def write_each(kind: type[Document], writes: Sequence[Write]) -> dict[int, WriteError]:
    """Make each of the writes, durably, whatever becomes of the others; return what was refused.

    Raises:
        PyMongoError: the store does not answer; which writes were made is then unknown.
    """
    operations: list[InsertOne[Row] | UpdateOne] = [
        InsertOne(each) if isinstance(each, dict) else UpdateOne(each.find, each.change, upsert=each.upsert)
        for each in writes
    ]
    try:
        with pymongo.timeout(TIMEOUT_SECONDS):
            await kind.get_pymongo_collection().bulk_write(operations, ordered=False)
    except BulkWriteError as error:
        if error.details["writeConcernErrors"]:
            raise
        return {problem["index"]: _refusal(problem) for problem in error.details["writeErrors"]}
    return {}


def _check(reply: Mapping[str, Any]) -> None:
    for problem in reply.get("writeErrors", ()):
        raise _refusal(problem)


def _refusal(problem: Mapping[str, Any]) -> WriteError:
    kind = DuplicateKeyError if problem["code"] == DUPLICATE_KEY else WriteError
    return kind(problem["errmsg"], problem["code"], problem)
