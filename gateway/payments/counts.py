"""How many transactions an owner has, kept with each change rather than counted.

A charge is one document and touches no figure: until it is published it is counted, by the index
over the status.
"""

import random
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from cachetools import LRUCache

from gateway.kit import clock
from gateway.kit.ids import id_floor, millis
from gateway.payments.documents import Transaction, TransactionCount
from gateway.payments.states import ACCEPTED, TransactionStatus
from gateway.store import bulk
from gateway.store.bulk import Update
from gateway.store.unit_of_work import Session

Row = Mapping[str, Any]
Figures = Mapping[str, int]

DELETED = "deleted"
_SLOTS = 64
# Processes that draw the same slots stay right: their writes conflict and one is retried.
_SLOT = random.randrange(_SLOTS)

_SETTLING = timedelta(seconds=20)
"""Older than this no id can appear any more: a charge is given up long before, and clocks may differ."""

_published_until: LRUCache[str, str] = LRUCache(10_000)
"""For each owner an id below which everything is published, for good.

The index keeps those that have moved on for some minutes: below here it need not be walked again.
"""
_MOVED_EVERY = timedelta(seconds=5)


async def record_moves(
    rows: Iterable[Row], target: TransactionStatus | None, session: Session, *, lane: int = 0
) -> None:
    """Count rows as moved to ``target``, or as deleted, in the caller's unit of work.

    They come from the status they are in, or from nowhere while only accepted. Units that this
    process has under way at the same time do not conflict when each is in a ``lane`` of its own.
    """
    moves: dict[str, Counter[str]] = {}
    for row in rows:
        numbers = moves.setdefault(row["owner_id"], Counter())
        if row["status"] != ACCEPTED:
            numbers[row["status"]] -= 1
        numbers[target.value if target else DELETED] += 1
    slot = (_SLOT + lane) % _SLOTS
    updates = [
        Update({"_id": f"{owner_id}:{slot}"}, {"$inc": dict(numbers)}, upsert=True)
        for owner_id, numbers in moves.items()
    ]
    if updates:
        await bulk.write(TransactionCount, updates, session)


async def count_of(owner_id: str, status: TransactionStatus | None, session: Session) -> int:
    """The owner's transactions in a status, or all of them, at the session's moment."""
    figures = await figures_of(owner_id, session)
    return sum(figures[s.value] for s in TransactionStatus) if status is None else figures[status.value]


async def figures_of(owner_id: str, session: Session) -> Figures:
    """The number in each status, and under ``DELETED`` all ever deleted, at the session's moment."""
    # First, since its collection is there from the start: a read of one that is not fixes no moment.
    accepted = await _count_accepted(owner_id, session)
    # ';' follows ':' in ASCII: the range holds the parts of this owner and of nobody else.
    parts = TransactionCount.get_pymongo_collection().find(
        {"_id": {"$gt": f"{owner_id}:", "$lt": f"{owner_id};"}}, {"_id": 0}, session=session
    )
    figures = Counter({TransactionStatus.PENDING.value: accepted})
    for part in await parts.to_list():
        figures.update(part)
    return figures


def settled_until(now: datetime) -> str:
    """The id below which no transaction can appear after ``now``."""
    return id_floor("txn", millis(now - _SETTLING))


async def _count_accepted(owner_id: str, session: Session) -> int:
    now, since = clock.now(), _published_until.get(owner_id, "")
    until = settled_until(now)
    accepted = await _count_between(owner_id, {"$gte": since}, session)
    if not accepted or (
        since < settled_until(now - _MOVED_EVERY)
        and not await _count_between(owner_id, {"$gte": since, "$lt": until}, session)
    ):
        _published_until[owner_id] = until
    return accepted


async def _count_between(owner_id: str, ids: Mapping[str, str], session: Session) -> int:
    find = {"owner_id": owner_id, "status": ACCEPTED, "_id": ids}
    return int(await Transaction.get_pymongo_collection().count_documents(find, session=session))
