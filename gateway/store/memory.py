"""``memory://``: mongomock in the process, with what Beanie 2 asks of a client beyond Motor's API.

For unit tests and where no mongod can run. No transactions, and nothing lasts.
"""

from typing import Any

import mongomock.collection
from mongomock.collection import BulkOperationBuilder
from mongomock_motor import AsyncMongoMockClient


class _BulkOperations(BulkOperationBuilder):
    """Takes the newer driver's ``sort``, which nobody here sets."""

    def add_update(self, *args: Any, sort: None = None, **kwargs: Any) -> None:
        super().add_update(*args, **kwargs)  # type: ignore[no-untyped-call] # mongomock is untyped


setattr(mongomock.collection, "BulkOperationBuilder", _BulkOperations)  # noqa: B010 # mypy forbids the plain form


def memory_database(name: str) -> Any:
    """A fresh, empty database with the asynchronous interface of PyMongo's."""
    client: Any = AsyncMongoMockClient(tz_aware=True)
    client.append_metadata = lambda *_: None
    database = client[name]
    list_names = database.list_collection_names

    async def list_collection_names(**_: object) -> list[str]:
        return list(await list_names())

    database.list_collection_names = list_collection_names
    return database
