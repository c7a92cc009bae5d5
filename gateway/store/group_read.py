"""Group read: look-ups by id that wait at the same moment share one query."""

import asyncio
from collections.abc import Sequence

from beanie import Document

from gateway.store.bulk import Row

_MAX_GROUP = 128


class GroupRead:
    """Finds documents of one kind by their ids.

    A look-up that comes alone is sent at once; those that come while it is under way are sent
    together next. None is answered from anything read before it was asked.
    """

    def __init__(self, kind: type[Document], *, without: Sequence[str] = ()) -> None:
        self._kind = kind
        self._fields = dict.fromkeys(without, 0) or None
        self._waiting: dict[str, asyncio.Future[Row | None]] = {}
        self._task: asyncio.Task[None] | None = None

    async def get(self, document_id: str) -> Row | None:
        """The document as it is stored, ``without`` what is not wanted, or ``None``; not to be changed.

        Raises:
            PyMongoError: the store does not answer.
        """
        future = self._waiting.get(document_id)
        if future is None:
            future = self._waiting[document_id] = asyncio.get_running_loop().create_future()
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        return await asyncio.shield(future)

    async def _run(self) -> None:
        try:
            while self._waiting:
                ids = list(self._waiting)[:_MAX_GROUP]
                await self._read({document_id: self._waiting.pop(document_id) for document_id in ids})
        finally:
            self._task = None

    async def _read(self, group: dict[str, asyncio.Future[Row | None]]) -> None:
        collection = self._kind.get_pymongo_collection()
        try:
            rows = await collection.find({"_id": {"$in": list(group)}}, self._fields).to_list()
        except Exception as error:
            for future in group.values():
                future.set_exception(error)
                future.exception()  # retrieved here too: nobody may be left to ask for it
            return
        found = {row["_id"]: row for row in rows}
        for document_id, future in group.items():
            future.set_result(found.get(document_id))
