"""Work with a due time: claimed with a lease, so that any number of processes may do it.

A due document carries ``due_at`` while something is still to be done with it. Claiming moves
``due_at`` to the end of the lease, so that a killed worker's work comes up again by itself.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from secrets import token_hex
from typing import Any

import structlog
from pymongo.errors import PyMongoError

from gateway.kit import clock
from gateway.store.document import StoredDocument

log = structlog.get_logger(__name__)

_AFTER_ERROR_SECONDS = 1.0
_STOP_SECONDS = 5.0


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
HAS_DUE_TIME = {"due_at": {"$gt": _EPOCH}}
"""The filter of a partial index over what is still to be done; ``due_before`` falls within it."""


def due_before(moment: datetime) -> dict[str, Any]:
    """The filter that finds what is due at ``moment``."""
    return {"due_at": {"$gt": _EPOCH, "$lte": moment}}


class DueDocument(StoredDocument):
    """A document that may have something to be done at ``due_at``; ``claim`` is whose turn it is."""

    due_at: datetime | None = None
    claim: str | None = None


Candidate = Mapping[str, Any]
"""A due document's ``_id`` and ``owner_id``."""

_CANDIDATES_FACTOR = 4


def _all(candidates: list[Candidate]) -> list[str]:
    return [candidate["_id"] for candidate in candidates]


@dataclass(frozen=True, slots=True)
class Claim:
    """Whose turn it is with some documents: of those with ``ids``, all that still carry ``token``."""

    token: str
    ids: Sequence[str]

    @property
    def filter(self) -> dict[str, Any]:
        """Finds what is held by this claim."""
        return {"_id": {"$in": list(self.ids)}, "claim": self.token}

    def parts(self, size: int) -> list["Claim"]:
        """The same in parts of up to ``size`` documents."""
        return [Claim(self.token, self.ids[at : at + size]) for at in range(0, len(self.ids), size)]


async def claim_due(
    kind: type[DueDocument],
    *,
    limit: int,
    lease_seconds: float,
    where: Mapping[str, Any] | None = None,
    choose: Callable[[list[Candidate]], list[str]] = _all,
) -> Claim:
    """Take up to ``limit`` due documents, the longest due first, for ``lease_seconds``.

    No two callers get the same document before its lease has run out; one that another caller was
    faster to take is not found by the claim's filter. ``where`` narrows the search; ``choose`` picks
    from the candidates, of which it is shown more than ``limit``.
    """
    now = clock.now()
    due = due_before(now)
    collection = kind.get_pymongo_collection()
    shown = limit if choose is _all else limit * _CANDIDATES_FACTOR
    found = collection.find({**due, **(where or {})}, {"_id": 1, "owner_id": 1})
    claim = Claim(token_hex(12), choose(await found.sort("due_at", 1).limit(shown).to_list()))
    if claim.ids:
        await collection.update_many(
            {"_id": {"$in": claim.ids}, **due},
            {"$set": {"due_at": now + timedelta(seconds=lease_seconds), "claim": claim.token}},
        )
    return claim


class Worker:
    """Calls ``step`` over and over: at once while there is more to do, else every ``poll_seconds``.

    ``step`` returns whether it left something. What comes meanwhile waits for the next poll, so
    that it is done together and not one by one. An unreachable store is waited for; any other exception is
    logged and the loop goes on, since the work's lease brings it back.
    """

    def __init__(self, name: str, step: Callable[[], Awaitable[bool]], poll_seconds: float) -> None:
        self._name = name
        self._step = step
        self._poll_seconds = poll_seconds
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._stopping = False

    def start(self) -> None:
        """Begin, in a task of its own."""
        self._task = asyncio.create_task(self._run(), name=self._name)

    async def stop(self) -> None:
        """End after the step that is under way; one that takes too long is cut off."""
        self._stopping = True
        self.wake()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=_STOP_SECONDS)
            self._task.cancel()

    def wake(self) -> None:
        """Look for work now rather than at the next poll."""
        self._wake.set()

    async def _run(self) -> None:
        while not self._stopping:
            self._wake.clear()
            if not await self._guarded_step() and not self._stopping:
                await self._pause(self._poll_seconds)

    async def _guarded_step(self) -> bool:
        try:
            return await self._step()
        except PyMongoError as error:
            log.warning("worker_store_error", worker=self._name, error=type(error).__name__)
        except Exception:
            log.exception("worker_failed", worker=self._name)
        await self._pause(_AFTER_ERROR_SECONDS)
        return True

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            pass
