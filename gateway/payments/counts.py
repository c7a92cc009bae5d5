"""How many transactions an owner has, kept with each change rather than counted.

A charge is one document and touches no figure: until it is published it is counted, from an index
that holds such charges only.
"""

import random
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from gateway.payments.documents import UNPUBLISHED, Transaction, TransactionCount
from gateway.payments.states import TransactionStatus
from gateway.store import bulk
from gateway.store.bulk import Update
from gateway.store.unit_of_work import Session

Row = Mapping[str, Any]

DELETED = "deleted"
# Processes that draw the same slot stay right: their writes conflict and one is retried.
_SLOT = random.randrange(64)


async def record_moves(rows: Iterable[Row], target: TransactionStatus | None, session: Session) -> None:
    """Count rows as moved to ``target``, or as deleted, in the caller's unit of work.

    They come from the status they are in, or from nowhere while unpublished.
    """
    moves: dict[str, Counter[str]] = {}
    for row in rows:
        numbers = moves.setdefault(row["owner_id"], Counter())
        if "unpublished" not in row:
            numbers[row["status"]] -= 1
        numbers[target.value if target else DELETED] += 1
    updates = [
        Update({"_id": f"{owner_id}:{_SLOT}"}, {"$inc": dict(numbers)}, upsert=True)
        for owner_id, numbers in moves.items()
    ]
    if updates:
        await bulk.write(TransactionCount, updates, session)


async def count_of(owner_id: str, status: TransactionStatus | None = None) -> int:
    """The owner's transactions in a status, or all of them."""
    figures = await figures_of(owner_id)
    return sum(figures[s.value] for s in TransactionStatus) if status is None else figures[status.value]


async def figures_of(owner_id: str) -> Mapping[str, int]:
    """The number in each status, and under ``DELETED`` how many were ever deleted, all at one moment."""
    published = await _published(owner_id)
    while True:
        unpublished = await Transaction.get_pymongo_collection().count_documents(
            {"owner_id": owner_id, **UNPUBLISHED}
        )
        # Whatever is published meanwhile changes the figures, which never come back to what they were.
        before, published = published, await _published(owner_id)
        if published == before:
            return published + Counter({TransactionStatus.PENDING.value: unpublished})


async def _published(owner_id: str) -> Counter[str]:
    # ';' follows ':' in ASCII: the range holds the parts of this owner and of nobody else.
    parts = TransactionCount.get_pymongo_collection().find(
        {"_id": {"$gt": f"{owner_id}:", "$lt": f"{owner_id};"}}, {"_id": 0}
    )
    figures = Counter[str]()
    for part in await parts.to_list():
        figures.update(part)
    return figures
