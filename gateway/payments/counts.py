"""How many transactions an owner has, kept with each change rather than counted."""

import random
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from gateway.payments.documents import TransactionCount
from gateway.payments.states import TransactionStatus
from gateway.store import bulk
from gateway.store.bulk import Update
from gateway.store.unit_of_work import Session

Row = Mapping[str, Any]

# Processes that draw the same slot stay right: their writes conflict and one is retried.
DELETED = "deleted"
_SLOT = random.randrange(64)


def created(owner_id: str) -> tuple[type[TransactionCount], str, dict[str, int]]:
    """The increment that goes with a new transaction into its unit."""
    return TransactionCount, f"{owner_id}:{_SLOT}g", {TransactionStatus.PENDING.value: 1}


async def record_moves(rows: Iterable[Row], target: TransactionStatus | None, session: Session) -> None:
    """Count rows as moved from their status to ``target``, or as gone, in the caller's unit of work."""
    moves: dict[str, Counter[str]] = {}
    for row in rows:
        numbers = moves.setdefault(row["owner_id"], Counter())
        numbers[row["status"]] -= 1
        numbers[target.value if target else DELETED] += 1
    updates = [
        Update({"_id": f"{owner_id}:{_SLOT}m"}, {"$inc": dict(numbers)}, upsert=True)
        for owner_id, numbers in moves.items()
    ]
    if updates:
        await bulk.update(TransactionCount, updates, session)


async def count_of(owner_id: str, status: TransactionStatus | None = None) -> int:
    """The owner's transactions in a status, or all of them."""
    figures = await figures_of(owner_id)
    return sum(figures[s.value] for s in TransactionStatus) if status is None else figures[status.value]


async def figures_of(owner_id: str) -> Mapping[str, int]:
    """The number in each status, and under ``DELETED`` how many were ever deleted."""
    # ';' follows ':' in ASCII: the range holds the parts of this owner and of nobody else.
    parts = TransactionCount.get_pymongo_collection().find(
        {"_id": {"$gt": f"{owner_id}:", "$lt": f"{owner_id};"}}, {"_id": 0}
    )
    figures = Counter[str]()
    for part in await parts.to_list():
        figures.update(part)
    return figures
