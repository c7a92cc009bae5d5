"""One unit of work: everything a state change writes, committed together or not at all.

And its counterpart for reads: everything as it was at one moment.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import pymongo
from pymongo import AsyncMongoClient
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import OperationFailure

T = TypeVar("T")
Session = AsyncClientSession | None
"""What ``write`` and ``read`` hand to every operation; ``None`` where the store has no sessions."""

TIMEOUT_SECONDS = 10.0
"""How long conflicts with other writers are retried before the unit of work is given up."""

_SNAPSHOT_UNAVAILABLE = 246
_SNAPSHOT_PAUSE = 0.01

_client: AsyncMongoClient[dict[str, Any]] | None = None


@contextmanager
def use_client(client: AsyncMongoClient[dict[str, Any]] | None) -> Iterator[None]:
    """Let ``unit_of_work`` commit through ``client``; ``None`` for a store without sessions."""
    global _client
    previous, _client = _client, client
    try:
        yield
    finally:
        _client = previous


async def unit_of_work(write: Callable[[Session], Awaitable[T]]) -> T:
    """Run ``write`` in one transaction and return its result after the durable commit.

    ``write`` is run again when it meets a transient conflict, so it must do nothing but write
    through the session it is given. Its own exceptions roll everything back and come through.

    Raises:
        PyMongoError: the store does not answer, or conflicts outlast ``TIMEOUT_SECONDS``.
    """
    if _client is None:
        return await write(None)
    with pymongo.timeout(TIMEOUT_SECONDS):
        async with _client.start_session() as session:
            return await session.with_transaction(write)


async def at_one_moment(read: Callable[[Session], Awaitable[T]]) -> T:
    """Run ``read``, whose finds and counts through the session all see the same moment.

    What was acknowledged before is in it. ``read`` may be run again.

    Raises:
        PyMongoError: the store does not answer within ``TIMEOUT_SECONDS``.
    """
    if _client is None:
        return await read(None)
    with pymongo.timeout(TIMEOUT_SECONDS):
        while True:
            async with _client.start_session(snapshot=True) as session:
                try:
                    return await read(session)
                except OperationFailure as error:
                    if error.code != _SNAPSHOT_UNAVAILABLE:
                        raise
            # A collection or an index has just been made: the moment is too early for it.
            await asyncio.sleep(_SNAPSHOT_PAUSE)
