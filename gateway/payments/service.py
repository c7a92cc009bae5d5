"""Charges: made once, completed when due, deleted without being lost."""

from datetime import timedelta

import orjson
from beanie import Document
from pymongo.errors import DuplicateKeyError

from gateway.auth.callers import SignedCaller
from gateway.auth.replay import used_signature
from gateway.auth.signatures import SignatureAlreadyUsed
from gateway.config import Settings
from gateway.errors import GatewayError
from gateway.idempotency import service as idempotency
from gateway.idempotency.service import Answer, IdempotencyInProgress, IdempotencyKey
from gateway.kit import clock, money
from gateway.kit.ids import moment_of, new_id
from gateway.metrics import CHARGES
from gateway.payments import counts
from gateway.payments.documents import DeletedTransaction, Transaction
from gateway.payments.schemas import ChargeRequest, wire_transaction
from gateway.payments.states import TransactionStatus, sources_of
from gateway.store import bulk, group_commit
from gateway.store.bulk import Row
from gateway.store.due import claim_due
from gateway.store.group_commit import Conflict, StoreBusy, Unit
from gateway.store.group_read import GroupRead
from gateway.store.unit_of_work import Session, unit_of_work
from gateway.users.roles import Role
from gateway.users.service import Person
from gateway.webhooks.service import Happening, event_rows

_COMPLETIONS_AT_ONCE = 200
_by_id = GroupRead(Transaction)


class TransactionNotFound(GatewayError):
    status_code = 404
    error_code = "TRANSACTION_NOT_FOUND"
    detail = "Transaction not found for this user."


class TransactionDeletionDenied(GatewayError):
    status_code = 403
    error_code = "ACCESS_DENIED"
    detail = "Access denied. Only transaction owner or admin/system_admin can delete."


async def charge(
    settings: Settings, merchant: SignedCaller, request: ChargeRequest, key: IdempotencyKey | None
) -> Answer:
    """Create a pending transaction with its event; the 201 answer after the durable commit.

    With ``key``, a request that was made before gets its first answer again.

    Raises:
        IdempotencyKeyReused: same key, another body.
        IdempotencyInProgress: the same key is being charged elsewhere right now.
        SignatureAlreadyUsed: a one-time signature, and no retry of the request it came with.
    """
    row = _new_row(settings, merchant, request)
    answer = Answer(201, orjson.dumps(_charge_view(row)))
    unit = Unit(increments=[counts.created(merchant.owner.id)])
    if key is not None:
        unit.inserts.append(idempotency.record(settings, key, answer))
    if merchant.once is not None:
        unit.inserts.append(used_signature(settings, merchant.owner.key_id, merchant.once))
    unit.inserts += [(Transaction, row), *event_rows(_happening("payment.created", row))]
    try:
        await group_commit.commit(unit)
    except DuplicateKeyError as error:
        if key is not None and (first := await idempotency.recall(key)):
            return first
        raise SignatureAlreadyUsed from error
    except Conflict as error:
        raise IdempotencyInProgress if key is not None else StoreBusy from error
    CHARGES.labels(TransactionStatus.PENDING.value).inc()
    return answer


async def complete_due(settings: Settings) -> int:
    """Complete transactions whose time has come; return how many were claimed."""
    claimed = await claim_due(
        Transaction, limit=_COMPLETIONS_AT_ONCE, lease_seconds=settings.worker_lease_seconds
    )
    if not claimed:
        return 0
    still_mine = {
        "_id": {"$in": [row["_id"] for row in claimed]},
        "claim": claimed[0]["claim"],
        "status": {"$in": sources_of(TransactionStatus.COMPLETED)},
    }
    completed = await unit_of_work(lambda session: _complete(still_mine, session))
    CHARGES.labels(TransactionStatus.COMPLETED.value).inc(completed)
    return len(claimed)


async def _complete(condition: Row, session: Session) -> int:
    collection = Transaction.get_pymongo_collection()
    rows = await collection.find(condition, session=session).to_list()
    if not rows:
        return 0
    completion = {
        "status": TransactionStatus.COMPLETED.value,
        "completed_at": clock.now(),
        "due_at": None,
        "claim": None,
    }
    await collection.update_many(condition, {"$set": completion}, session=session)
    await counts.record_moves(rows, TransactionStatus.COMPLETED, session)
    told: dict[type[Document], list[Row]] = {}
    for row in rows:
        happening = _happening("payment.completed", {**row, **completion}, url=row["webhook_url"])
        for kind, inserted in event_rows(happening):
            told.setdefault(kind, []).append(inserted)
    for kind, inserted_rows in told.items():
        await bulk.insert(kind, inserted_rows, session)
    return len(rows)


async def find_transaction(owner_id: str, transaction_id: str) -> Row:
    """An owner's transaction as it is stored.

    Raises:
        TransactionNotFound: unknown, deleted, or somebody else's.
    """
    found = await _by_id.get(transaction_id)
    if found is None or found["owner_id"] != owner_id:
        raise TransactionNotFound(f"Transaction '{transaction_id}' not found for this user.")
    return found


async def delete_transaction(transaction_id: str, *, by: Person) -> None:
    """Move a transaction out of every list into the audit trail; a pending one never completes.

    Raises:
        TransactionNotFound, TransactionDeletionDenied: ``by`` is neither its owner nor an admin.
    """
    transaction = await Transaction.get(transaction_id)
    if transaction is None:
        raise TransactionNotFound(f"Transaction '{transaction_id}' not found.")
    if transaction.owner_id != by.id and by.role not in (Role.ADMIN, Role.SYSTEM_ADMIN):
        raise TransactionDeletionDenied

    async def write(session: Session) -> None:
        row = await Transaction.get_pymongo_collection().find_one_and_delete(
            {"_id": transaction_id}, session=session
        )
        if row is None:
            raise TransactionNotFound(f"Transaction '{transaction_id}' not found.")
        await counts.record_moves([row], None, session)
        await DeletedTransaction(
            id=transaction_id,
            owner_id=row["owner_id"],
            deleted_at=clock.now(),
            deleted_by=by.id,
            transaction=row,
        ).insert(session=session)

    await unit_of_work(write)


async def count_transactions() -> int:
    """How many transactions the store holds, by its own estimate: exact but after a crash."""
    return int(await Transaction.get_pymongo_collection().estimated_document_count())


def _new_row(settings: Settings, merchant: SignedCaller, request: ChargeRequest) -> Row:
    transaction_id = new_id("txn", clock.now())
    created_at = moment_of(transaction_id)
    return {
        "_id": transaction_id,
        "owner_id": merchant.owner.id,
        "api_key_id": merchant.owner.key_id,
        "customer_name": request.customer_name,
        "amount": request.payment_amount,
        "amount_key": money.sort_key(request.payment_amount, request.currency),
        "currency": request.currency,
        "details": request.details,
        "metadata": request.metadata,
        "status": TransactionStatus.PENDING.value,
        "webhook_url": request.webhook_url,
        "created_at": created_at,
        "completed_at": None,
        "due_at": created_at + timedelta(seconds=settings.payment_delay_seconds),
        "claim": None,
    }


def _charge_view(row: Row) -> Row:
    view = wire_transaction(row)
    return {**view, "created": view["createdAt"]}


def _happening(kind: str, row: Row, *, url: str | None = None) -> Happening:
    return Happening(
        type=kind,
        owner_id=row["owner_id"],
        subject_id=row["_id"],
        at=row["completed_at"] or row["created_at"],
        data=wire_transaction(row),
        url=url,
    )
