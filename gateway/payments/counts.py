"""How many transactions an owner has, kept with each change rather than counted.

A charge is one document and touches no figure: until it is published it is counted, by the index
over the status.
"""

import random
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from gateway.payments.documents import Transaction, TransactionCount
from gateway.payments.states import UNPUBLISHED, TransactionStatus
from gateway.store import bulk
from gateway.store.bulk import Update
from gateway.store.unit_of_work import Session, at_one_moment

Row = Mapping[str, Any]
Figures = Mapping[str, int]

DELETED = "deleted"
_SLOTS = 64
# Processes that draw the same slots stay right: their writes conflict and one is retried.
_SLOT = random.randrange(_SLOTS)


async def record_moves(
    rows: Iterable[Row], target: TransactionStatus | None, session: Session, *, lane: int = 0
) -> None:
    """Count rows as moved to ``target``, or as deleted, in the caller's unit of work.

    They come from the status they are in, or from nowhere while unpublished. Units that this
    process has under way at the same time do not conflict when each is in a ``lane`` of its own.
    """
    moves: dict[str, Counter[str]] = {}
    for row in rows:
        numbers = moves.setdefault(row["owner_id"], Counter())
        if row["status"] != UNPUBLISHED:
            numbers[row["status"]] -= 1
        numbers[target.value if target else DELETED] += 1
    slot = (_SLOT + lane) % _SLOTS
    updates = [
        Update({"_id": f"{owner_id}:{slot}"}, {"$inc": dict(numbers)}, upsert=True)
        for owner_id, numbers in moves.items()
    ]
    if updates:
        await bulk.write(TransactionCount, updates, session)


async def count_of(owner_id: str, status: TransactionStatus | None = None) -> int:
    """The owner's transactions in a status, or all of them."""
    figures = await figures_of(owner_id)
    return sum(figures[s.value] for s in TransactionStatus) if status is None else figures[status.value]


async def figures_of(owner_id: str) -> Figures:
    """The number in each status, and under ``DELETED`` how many were ever deleted, all at one moment."""
    return await at_one_moment(lambda session: figures_within(owner_id, session))


async def figures_within(owner_id: str, session: Session) -> Figures:
    """The same, as the caller's session sees it."""
    # First, since its collection is there from the start: a read of one that is not fixes no moment.
    unpublished = await Transaction.get_pymongo_collection().count_documents(
        {"owner_id": owner_id, "status": UNPUBLISHED}, session=session
    )
    # ';' follows ':' in ASCII: the range holds the parts of this owner and of nobody else.
    parts = TransactionCount.get_pymongo_collection().find(
        {"_id": {"$gt": f"{owner_id}:", "$lt": f"{owner_id};"}}, {"_id": 0}, session=session
    )
    figures = Counter({TransactionStatus.PENDING.value: unpublished})
    for part in await parts.to_list():
        figures.update(part)
    return figures
