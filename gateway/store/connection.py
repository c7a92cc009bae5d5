"""Opens the store that the settings name and binds the documents to it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import structlog
from beanie import Document, init_beanie
from pymongo import AsyncMongoClient
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import ConfigurationError, InvalidURI, PyMongoError

from gateway.config import Settings
from gateway.errors import StartupError
from gateway.store import group_commit, unit_of_work
from gateway.store.memory import memory_database

log = structlog.get_logger(__name__)

_MONGODB_5_0 = 13
"""Its wire version: the first to read several collections at one moment."""


class Store:
    """An open store: ``database`` for what no document covers, ``ping`` for the health check."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]], *, in_memory: bool) -> None:
        self.database = database
        self.in_memory = in_memory

    async def ping(self) -> None:
        """Raise a ``PyMongoError`` when the store does not answer."""
        if not self.in_memory:
            await self.database.command("ping")


@asynccontextmanager
async def open_store(settings: Settings, documents: Sequence[type[Document]]) -> AsyncIterator[Store]:
    """Connect, make the indexes and bind ``documents``; close on leaving.

    Raises:
        StartupError: the store can't be reached, started or used; one line that says why.
    """
    if settings.in_memory:
        log.warning("store_in_memory", note="memory:// keeps nothing: every payment is lost at the end")
        database = memory_database(settings.mongodb_database)
        await init_beanie(database=database, document_models=list(documents))
        with unit_of_work.use_client(None):
            async with _group_commit(settings):
                yield Store(database, in_memory=True)
    elif settings.mongodb_url:
        async with _connected(settings, settings.mongodb_url, documents) as store:
            yield store
    else:
        # Not for Windows, which still can use the other stores.
        from gateway.store.mongod import EmbeddedMongod

        mongod = EmbeddedMongod(settings)
        try:
            url = await mongod.start()
            async with _connected(settings, url, documents) as store:
                yield store
        finally:
            mongod.release()


@asynccontextmanager
async def _connected(
    settings: Settings, url: str, documents: Sequence[type[Document]]
) -> AsyncIterator[Store]:
    async with connect(settings, url) as client:
        database = client[settings.mongodb_database]
        try:
            await init_beanie(database=database, document_models=list(documents))
        except PyMongoError as error:
            raise StartupError(f"MongoDB at {_hosts(url)} refused the indexes: {error}") from error
        with unit_of_work.use_client(client):
            async with _group_commit(settings):
                yield Store(database, in_memory=False)


@asynccontextmanager
async def connect(settings: Settings, url: str) -> AsyncIterator[AsyncMongoClient[dict[str, Any]]]:
    """A client whose every write waits for a journaled majority, checked to know transactions and snapshots.

    Raises:
        StartupError: no answer within ``STORE_TIMEOUT_SECONDS``, no replica set, or one that is too old.
    """
    millis = int(settings.store_timeout_seconds * 1000)
    try:
        client = AsyncMongoClient[dict[str, Any]](
            url, w="majority", journal=True, tz_aware=True, serverSelectionTimeoutMS=millis
        )
    except (ConfigurationError, InvalidURI, ValueError) as error:
        raise StartupError(f"MONGODB_URL can't be used: {error}") from error
    async with client:
        try:
            hello = await client.admin.command("hello")
        except PyMongoError as error:
            raise StartupError(f"MongoDB at {_hosts(url)} does not answer: {_first_line(error)}") from error
        if lack := lack_of(hello):
            raise StartupError(f"MongoDB at {_hosts(url)} {lack}")
        yield client


def lack_of(hello: Mapping[str, Any]) -> str | None:
    """Why the server that answers with ``hello`` can't be the store, if so."""
    if "setName" not in hello and hello.get("msg") != "isdbgrid":
        return "is a standalone server: transactions need a replica set"
    if hello["maxWireVersion"] < _MONGODB_5_0:
        return "is too old: 5.0 is needed at least"
    return None


def _group_commit(settings: Settings) -> AbstractAsyncContextManager[None]:
    return group_commit.running(max_waiting=settings.store_max_waiting, max_group=settings.store_max_group)


def _hosts(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2]


def _first_line(error: Exception) -> str:
    return str(error).partition(", Topology Description")[0].partition("\n")[0][:200]
