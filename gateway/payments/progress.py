"""What happens to a charge by itself: its creation is published, its payment completes."""

import asyncio
from collections.abc import Iterable
from datetime import datetime, timedelta

from beanie import Document

from gateway.config import Settings
from gateway.kit import clock
from gateway.metrics import CHARGES
from gateway.payments import counts
from gateway.payments.documents import Transaction
from gateway.payments.schemas import wire_transaction
from gateway.payments.states import ACCEPTED, TransactionStatus, sources_of, with_status
from gateway.store import bulk
from gateway.store.bulk import Row, Update, Write
from gateway.store.due import Claim, claim_due
from gateway.store.unit_of_work import Session, unit_of_work
from gateway.webhooks.service import Happening, event_rows

_TOGETHER = 100
"""How many transactions one unit of work advances."""
_LANES = 8
"""How many such units are under way at once: most of their time is waiting for the store."""
AT_ONCE = _TOGETHER * _LANES
_SLICE = 50
"""How many events are made before others have their turn on the event loop."""
_PUBLISHED_WITHIN = timedelta(seconds=5)


def schedule(settings: Settings, created_at: datetime) -> Row:
    """The members of a new transaction that make it progress."""
    completes_at = created_at + timedelta(seconds=settings.payment_delay_seconds)
    return {
        "completes_at": completes_at,
        "due_at": min(completes_at, created_at + _PUBLISHED_WITHIN),
        "claim": None,
    }


async def advance_due(settings: Settings) -> int:
    """Publish and complete up to ``AT_ONCE`` transactions whose time has come; return how many."""
    claim = await claim_due(Transaction, limit=AT_ONCE, lease_seconds=settings.worker_lease_seconds)
    parts = claim.parts(_TOGETHER)
    outcomes = await asyncio.gather(
        *(_advance_part(part, lane) for lane, part in enumerate(parts)), return_exceptions=True
    )
    for outcome in outcomes:
        if outcome is not None:
            raise outcome
    return len(claim.ids)


async def _advance_part(claim: Claim, lane: int) -> None:
    completed = await unit_of_work(lambda session: _advance(claim, lane, session))
    CHARGES.labels(TransactionStatus.COMPLETED.value).inc(completed)


async def _advance(claim: Claim, lane: int, session: Session) -> int:
    still_mine = {**claim.filter, **with_status(*sources_of(TransactionStatus.COMPLETED))}
    found = Transaction.get_pymongo_collection().find(still_mine, {"idempotency": 0}, session=session)
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
    await _complete(completing, completion, lane, session)
    await _publish(waiting, lane, session)
    return len(completing)


async def _complete(rows: list[Row], completion: Row, lane: int, session: Session) -> None:
    if not rows:
        return
    await Transaction.get_pymongo_collection().update_many(
        {"_id": {"$in": [row["_id"] for row in rows]}},
        {"$set": completion},
        session=session,
    )
    await counts.record_moves(rows, TransactionStatus.COMPLETED, session, lane=lane)


async def _publish(rows: list[Row], lane: int, session: Session) -> None:
    """What is not complete yet is due again when it will be."""
    if not rows:
        return
    updates = [
        Update(
            {"_id": row["_id"]},
            {
                "$set": {
                    "status": TransactionStatus.PENDING.value,
                    "due_at": row["completes_at"],
                    "claim": None,
                }
            },
        )
        for row in rows
    ]
    await bulk.write(Transaction, updates, session)
    await counts.record_moves(rows, TransactionStatus.PENDING, session, lane=lane)


async def publish_deleted(row: Row, session: Session) -> None:
    """Write the event of creation that a row still owes when it is deleted, in the caller's unit of work."""
    await _write_events(_creations([row]), session)


async def _write_events(happenings: Iterable[Happening], session: Session) -> None:
    told: dict[type[Document], list[Write]] = {}
    for number, happening in enumerate(happenings):
        if number % _SLICE == 0:
            await asyncio.sleep(0)
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
        if row["status"] == ACCEPTED
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
