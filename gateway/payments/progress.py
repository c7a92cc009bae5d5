"""What happens to a charge by itself: its creation is published, its payment completes."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from beanie import Document

from gateway.config import Settings
from gateway.kit import clock
from gateway.metrics import CHARGES
from gateway.payments import counts
from gateway.payments.documents import Transaction
from gateway.payments.schemas import wire_transaction
from gateway.payments.states import TransactionStatus, sources_of
from gateway.store import bulk
from gateway.store.bulk import Row, Update, Write
from gateway.store.due import claim_due
from gateway.store.unit_of_work import Session, unit_of_work
from gateway.webhooks.service import Happening, event_rows

AT_ONCE = 200
_PUBLISHED_WITHIN = timedelta(seconds=5)


def schedule(settings: Settings, created_at: datetime) -> Row:
    """The members of a new transaction that make it progress."""
    completes_at = created_at + timedelta(seconds=settings.payment_delay_seconds)
    return {
        "completes_at": completes_at,
        "due_at": min(completes_at, created_at + _PUBLISHED_WITHIN),
        "claim": None,
        "unpublished": True,
    }


async def advance_due(settings: Settings) -> int:
    """Publish and complete up to ``AT_ONCE`` transactions whose time has come; return how many."""
    claimed = await claim_due(
        Transaction, limit=AT_ONCE, lease_seconds=settings.worker_lease_seconds, fields=("claim",)
    )
    if not claimed:
        return 0
    still_mine = {
        "_id": {"$in": [row["_id"] for row in claimed]},
        "claim": claimed[0]["claim"],
        "status": {"$in": sources_of(TransactionStatus.COMPLETED)},
    }
    completed = await unit_of_work(lambda session: _advance(still_mine, session))
    CHARGES.labels(TransactionStatus.COMPLETED.value).inc(completed)
    return len(claimed)


async def _advance(condition: Row, session: Session) -> int:
    found = Transaction.get_pymongo_collection().find(condition, {"idempotency": 0}, session=session)
    rows = await found.to_list()
    now = clock.now()
    completing = [row for row in rows if row["completes_at"] <= now]
    waiting = [row for row in rows if row["completes_at"] > now]
    completion = {
        "status": TransactionStatus.COMPLETED.value,
        "completed_at": now,
        "due_at": None,
        "claim": None,
    }
    completions = [_completed({**row, **completion}) for row in completing]
    await _write_events([*_creations(rows), *completions], session)
    await _complete(completing, completion, session)
    await _publish(waiting, session)
    return len(completing)


async def _complete(rows: list[Row], completion: Row, session: Session) -> None:
    if not rows:
        return
    await Transaction.get_pymongo_collection().update_many(
        {"_id": {"$in": [row["_id"] for row in rows]}},
        {"$set": completion, "$unset": {"unpublished": ""}},
        session=session,
    )
    await counts.record_moves(rows, TransactionStatus.COMPLETED, session)


async def _publish(rows: list[Row], session: Session) -> None:
    """What is not complete yet is due again when it will be."""
    if not rows:
        return
    updates = [
        Update(
            {"_id": row["_id"]},
            {"$set": {"due_at": row["completes_at"], "claim": None}, "$unset": {"unpublished": ""}},
        )
        for row in rows
    ]
    await bulk.write(Transaction, updates, session)
    await counts.record_moves(
        [row for row in rows if "unpublished" in row], TransactionStatus.PENDING, session
    )


async def publish_deleted(row: Row, session: Session) -> None:
    """Write the event of creation that a row still owes when it is deleted, in the caller's unit of work."""
    await _write_events(_creations([row]), session)


async def _write_events(happenings: Iterable[Happening], session: Session) -> None:
    told: dict[type[Document], list[Write]] = {}
    for happening in happenings:
        for kind, row in event_rows(happening):
            told.setdefault(kind, []).append(row)
    for kind, rows in told.items():
        await bulk.write(kind, rows, session)


def _creations(rows: Iterable[Row]) -> list[Happening]:
    """The events that are still owed; until they are published, rows are as they were created."""
    return [
        Happening(
            type="payment.created",
            owner_id=row["owner_id"],
            subject_id=row["_id"],
            at=row["created_at"],
            data=wire_transaction(row),
        )
        for row in rows
        if "unpublished" in row
    ]


def _completed(row: Row) -> Happening:
    return Happening(
        type="payment.completed",
        owner_id=row["owner_id"],
        subject_id=row["_id"],
        at=row["completed_at"],
        data=wire_transaction(row),
        url=row["webhook_url"],
    )
