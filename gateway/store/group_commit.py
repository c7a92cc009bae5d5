"""Group commit: units of work that wait at the same moment share one commit.

A commit costs its round trips and one journal flush whatever it holds, so under load sharing it is
what makes each unit cheap; a unit that comes alone is committed at once. A unit that writes one
document is whole by nature: it needs no transaction, and a group of them is one command.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from beanie import Document
from pymongo.errors import ConnectionFailure, DuplicateKeyError

from gateway.errors import GatewayError
from gateway.store import bulk
from gateway.store.bulk import Write
from gateway.store.unit_of_work import Session, unit_of_work

_CONFLICT_PAUSE = 0.05
MAX_WAIT_SECONDS = 5.0
"""A unit that has waited longer is refused rather than committed when nobody expects it any more."""


class StoreBusy(GatewayError):
    status_code = 503
    error_code = "STORE_BUSY"
    detail = "The store does not keep up with the requests. Try again."

    def __init__(self) -> None:
        super().__init__(headers={"Retry-After": "1"})


class Conflict(Exception):
    """Another writer has held one of the unit's keys for ``MAX_WAIT_SECONDS``."""


@dataclass(frozen=True, slots=True)
class Unit:
    """What one request writes: all of it is committed, or none, and nothing once it is late."""

    writes: Sequence[tuple[type[Document], Write]]
    made: float = field(default_factory=time.time)
    """Unix seconds, by the clock that ids are made by: it goes on while a laptop sleeps."""

    @property
    def ids(self) -> set[str]:
        """The ids that it inserts."""
        return {write["_id"] for _, write in self.writes if isinstance(write, dict)}


@dataclass(slots=True, eq=False)
class _Waiting:
    unit: Unit
    done: asyncio.Future[None]
    conflicted: bool = False

    def is_late(self) -> bool:
        return time.time() - self.unit.made > MAX_WAIT_SECONDS


class GroupCommit:
    """Commits units in the order they come, as many at once as are waiting.

    ``commit`` returns after the durable commit of its own unit. A duplicate key, or any other
    refusal by the store, fails the unit that caused it and no other.
    """

    def __init__(self, *, max_waiting: int, max_group: int) -> None:
        self._max_waiting = max_waiting
        self._max_group = max_group
        self._queue: deque[_Waiting] = deque()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._stopping = False

    def start(self) -> None:
        """Begin to commit, in a task of its own."""
        self._task = asyncio.create_task(self._run(), name="group commit")

    async def stop(self) -> None:
        """Commit what is waiting, take nothing more, and end."""
        self._stopping = True
        self._wake.set()
        if self._task is not None:
            await self._task

    async def commit(self, unit: Unit) -> None:
        """Wait for the unit's durable commit; a caller that is cancelled meanwhile disturbs nobody.

        Raises:
            DuplicateKeyError: a row's ``_id``, or another unique key, is taken.
            Conflict: a key of the unit is being written elsewhere, and has been for too long.
            StoreBusy: ``max_waiting`` units wait already, this one waited too long, or the gateway
            is stopping.
            PyMongoError: the store does not answer; whether it was committed is then unknown.
        """
        if self._stopping or len(self._queue) >= self._max_waiting:
            raise StoreBusy
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append(_Waiting(unit, done))
        self._wake.set()
        await done

    async def _run(self) -> None:
        while self._queue or not self._stopping:
            if not self._queue:
                self._wake.clear()
                await self._wake.wait()
            elif group := self._next_group():
                await self._commit_group(group)

    def _next_group(self) -> list[_Waiting]:
        """The longest waiting ones; of two with the same ``_id`` the second waits for the outcome."""
        group: list[_Waiting] = []
        postponed: list[_Waiting] = []
        taken: set[str] = set()
        while self._queue and len(group) < self._max_group:
            waiting = self._queue.popleft()
            ids = waiting.unit.ids
            if taken.isdisjoint(ids):
                taken |= ids
                group.append(waiting)
            else:
                postponed.append(waiting)
        self._queue.extendleft(reversed(postponed))
        return group

    async def _commit_group(self, group: list[_Waiting]) -> None:
        late = [waiting for waiting in group if waiting.is_late() and not waiting.conflicted]
        _settle(late, StoreBusy())
        alone: dict[type[Document], list[_Waiting]] = {}
        together = []
        for waiting in group:
            if waiting in late:
                continue
            if len(waiting.unit.writes) == 1:
                alone.setdefault(waiting.unit.writes[0][0], []).append(waiting)
            else:
                together.append(waiting)
        for kind, waitings in alone.items():
            await _commit_each(kind, waitings)
        if together:
            await self._commit_together(together)

    async def _commit_together(self, group: list[_Waiting]) -> None:
        """Commit the group, or what of it can be; halve it where the guilty one is not known."""
        try:
            while group:
                try:
                    await _commit([waiting.unit for waiting in group])
                except DuplicateKeyError as error:
                    group = await self._fail_duplicates(group, error)
                else:
                    return _settle(group, None)
        except ConnectionFailure as error:
            _settle(group, error)
        except Exception as error:
            if len(group) > 1:
                middle = len(group) // 2
                await self._commit_together(group[:middle])
                await self._commit_together(group[middle:])
            elif isinstance(error, Conflict) and not group[0].is_late():
                group[0].conflicted = True
                asyncio.get_running_loop().call_later(_CONFLICT_PAUSE, self._try_again, group[0])
            else:
                _settle(group, error)

    def _try_again(self, waiting: _Waiting) -> None:
        if self._task is None or self._task.done():
            _settle([waiting], StoreBusy())
        else:
            self._queue.append(waiting)
            self._wake.set()

    async def _fail_duplicates(self, group: list[_Waiting], error: DuplicateKeyError) -> list[_Waiting]:
        """Fail the units whose ids are taken and return the others."""
        if len(group) == 1:
            _settle(group, error)
            return []
        taken = await _taken_ids(waiting.unit for waiting in group)
        guilty = [waiting for waiting in group if not taken.isdisjoint(waiting.unit.ids)]
        if not guilty:
            raise error
        _settle(guilty, error)
        return [waiting for waiting in group if waiting not in guilty]


_current: GroupCommit | None = None


@asynccontextmanager
async def running(*, max_waiting: int, max_group: int) -> AsyncIterator[None]:
    """Let ``commit`` work; on leaving, what is waiting is committed first."""
    global _current
    previous, _current = _current, GroupCommit(max_waiting=max_waiting, max_group=max_group)
    _current.start()
    try:
        yield
    finally:
        await _current.stop()
        _current = previous


async def commit(unit: Unit) -> None:
    """``GroupCommit.commit`` of the open store."""
    assert _current is not None, "the store is not open"
    await _current.commit(unit)


def _settle(group: Iterable[_Waiting], error: Exception | None) -> None:
    for waiting in group:
        if waiting.done.done():
            continue
        if error is None:
            waiting.done.set_result(None)
        else:
            waiting.done.set_exception(error)


async def _commit_each(kind: type[Document], group: Sequence[_Waiting]) -> None:
    try:
        refused = await bulk.write_each(kind, [waiting.unit.writes[0][1] for waiting in group])
    except Exception as error:
        _settle(group, error)
        return
    for index, waiting in enumerate(group):
        _settle([waiting], refused.get(index))


async def _commit(units: Iterable[Unit]) -> None:
    writes: dict[type[Document], list[Write]] = {}
    for unit in units:
        for kind, each in unit.writes:
            writes.setdefault(kind, []).append(each)
    tried = False

    async def write(session: Session) -> None:
        nonlocal tried
        if tried:  # the transaction met another writer: do not hold up the others for it
            raise Conflict
        tried = True
        for kind, kind_writes in writes.items():
            await bulk.write(kind, kind_writes, session)

    await unit_of_work(write)


async def _taken_ids(units: Iterable[Unit]) -> set[str]:
    ids: dict[type[Document], list[str]] = {}
    for unit in units:
        for kind, each in unit.writes:
            if isinstance(each, dict):
                ids.setdefault(kind, []).append(each["_id"])
    taken: set[str] = set()
    for kind, kind_ids in ids.items():
        found = kind.get_pymongo_collection().find({"_id": {"$in": kind_ids}}, {"_id": 1})
        taken |= {row["_id"] for row in await found.to_list()}
    return taken
