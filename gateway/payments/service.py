"""Charges: made once, found by their owner, deleted without being lost."""

import asyncio

import orjson
from beanie import Document
from pymongo.errors import DuplicateKeyError, PyMongoError

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
from gateway.payments import counts, progress
from gateway.payments.documents import NOT_SHOWN, DeletedTransaction, Transaction
from gateway.payments.schemas import ChargeRequest, wire_transaction
from gateway.payments.states import ACCEPTED, TransactionStatus, shown_as
from gateway.store import group_commit
from gateway.store.bulk import Row, Write
from gateway.store.group_commit import Conflict, StoreBusy, Unit
from gateway.store.group_read import GroupRead
from gateway.store.unit_of_work import Session, unit_of_work
from gateway.users.roles import Role
from gateway.users.service import Person

_by_id = GroupRead(Transaction, without=NOT_SHOWN)


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
    """Create a pending transaction, which owes its event; the 201 answer after the durable commit.

    With ``key``, a request that was made before gets its first answer again.

    Raises:
        IdempotencyKeyReused: same key, another body.
        IdempotencyInProgress: the same key is being charged elsewhere right now.
        SignatureAlreadyUsed: a one-time signature, and no retry of the request it came with.
    """
    row = _new_row(settings, merchant, request)
    answer = Answer(201, orjson.dumps(_charge_view(row)))
    unit: list[tuple[type[Document], Write]] = [(Transaction, row)]
    if key is not None:
        row["idempotency"] = idempotency.kept(settings, key, answer)
    if merchant.once is not None:
        unit.append(used_signature(settings, merchant.owner.key_id, merchant.once))
    try:
        if first := await _commit(Unit(unit), key):
            return first
    except Conflict as error:
        raise IdempotencyInProgress if key is not None else StoreBusy from error
    except PyMongoError as error:
        raise IdempotencyInProgress if key is not None and error.timeout else error from error
    CHARGES.labels(TransactionStatus.PENDING.value).inc()
    return answer


async def _commit(unit: Unit, key: IdempotencyKey | None) -> Answer | None:
    """Commit a charge, or return the first answer to its ``key``."""
    try:
        await group_commit.commit(unit)
    except DuplicateKeyError:
        if key is not None and (first := await idempotency.recall(Transaction, key)):
            return first
    else:
        return None
    # Its answer had expired and left the key free; if not, it was the signature.
    try:
        await group_commit.commit(unit)
    except DuplicateKeyError as error:
        if key is not None and (first := await idempotency.recall(Transaction, key)):
            return first
        raise SignatureAlreadyUsed from error
    return None


async def find_transaction(owner_id: str, transaction_id: str) -> Row:
    """An owner's transaction as it is stored.

    Raises:
        TransactionNotFound: unknown, deleted, or somebody else's.
    """
    found = await _by_id.get(transaction_id)
    if found is None or found.get("owner_id") != owner_id:
        raise TransactionNotFound(f"Transaction '{transaction_id}' not found for this user.")
    return found


async def delete_transaction(transaction_id: str, *, by: Person) -> None:
    """Move a transaction out of every list into the audit trail; a pending one never completes.

    Raises:
        TransactionNotFound, TransactionDeletionDenied: ``by`` is neither its owner nor an admin.
    """
    collection = Transaction.get_pymongo_collection()
    not_deleted = {"_id": transaction_id, "owner_id": {"$exists": True}}
    transaction = await collection.find_one(not_deleted, {"owner_id": 1})
    if transaction is None:
        raise TransactionNotFound(f"Transaction '{transaction_id}' not found.")
    if transaction["owner_id"] != by.id and by.role not in (Role.ADMIN, Role.SYSTEM_ADMIN):
        raise TransactionDeletionDenied

    async def write(session: Session) -> None:
        row = await collection.find_one(not_deleted, session=session)
        if row is None:
            raise TransactionNotFound(f"Transaction '{transaction_id}' not found.")
        kept = {"idempotency": row.pop("idempotency")} if "idempotency" in row else {}
        await collection.replace_one({"_id": transaction_id}, kept, session=session)
        await progress.publish_deleted(row, session)
        await counts.record_moves([row], None, session)
        await DeletedTransaction(
            id=transaction_id,
            owner_id=row["owner_id"],
            deleted_at=clock.now(),
            deleted_by=by.id,
            transaction={**row, "status": shown_as(row["status"])},
        ).insert(session=session)

    await unit_of_work(write)


async def count_transactions() -> int:
    """How many transactions the store holds, by its own estimate: exact but after a crash."""
    ever, deleted = await asyncio.gather(
        Transaction.get_pymongo_collection().estimated_document_count(),
        DeletedTransaction.get_pymongo_collection().estimated_document_count(),
    )
    return int(ever - deleted)


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
        "status": ACCEPTED,
        "webhook_url": request.webhook_url,
        "created_at": created_at,
        "completed_at": None,
        **progress.schedule(settings, created_at),
    }


def _charge_view(row: Row) -> Row:
    view = wire_transaction(row)
    return {**view, "created": view["createdAt"]}
