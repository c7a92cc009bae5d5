"""Charges: made once, completed when due, deleted without being lost."""

from datetime import timedelta
from typing import Any

import orjson
from pymongo.errors import DuplicateKeyError, PyMongoError

from gateway.auth.callers import SignedCaller
from gateway.auth.replay import use_signature
from gateway.auth.signatures import SignatureAlreadyUsed
from gateway.config import Settings
from gateway.errors import GatewayError
from gateway.idempotency import service as idempotency
from gateway.idempotency.service import Answer, IdempotencyInProgress, IdempotencyKey
from gateway.kit import clock, money
from gateway.kit.ids import moment_of, new_id
from gateway.metrics import CHARGES
from gateway.payments.documents import DeletedTransaction, Transaction
from gateway.payments.schemas import ChargeRequest, wire_transaction
from gateway.payments.states import TransactionStatus, sources_of
from gateway.store.due import claim_due
from gateway.store.unit_of_work import Session, is_conflict, unit_of_work
from gateway.users.roles import Role
from gateway.users.service import Person
from gateway.webhooks.service import Happening, record_events

_COMPLETIONS_AT_ONCE = 200


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
    transaction = _new_transaction(settings, merchant, request)
    answer = Answer(201, orjson.dumps(_charge_view(transaction)))

    async def write(session: Session) -> None:
        if key is not None:
            await idempotency.remember(settings, key, answer, session)
        if merchant.once is not None:
            await use_signature(settings, merchant.owner.key_id, merchant.once, session)
        await transaction.insert(session=session)
        await record_events([_happening("payment.created", transaction)], session)

    try:
        await unit_of_work(write)
    except DuplicateKeyError as error:
        if key is not None and (first := await idempotency.recall(key)):
            return first
        raise SignatureAlreadyUsed from error
    except PyMongoError as error:
        if key is not None and is_conflict(error):
            raise IdempotencyInProgress from error
        raise
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
        "_id": {"$in": [transaction.id for transaction in claimed]},
        "claim": claimed[0].claim,
        "status": {"$in": sources_of(TransactionStatus.COMPLETED)},
    }
    now = clock.now()
    completion = {
        "status": TransactionStatus.COMPLETED,
        "completed_at": now,
        "due_at": None,
        "claim": None,
    }

    async def write(session: Session) -> int:
        transactions = await Transaction.find(still_mine, session=session).to_list()
        await Transaction.find(still_mine, session=session).update({"$set": completion}, session=session)
        completed = [transaction.model_copy(update=completion) for transaction in transactions]
        happenings = [_happening("payment.completed", t, url=t.webhook_url) for t in completed]
        await record_events(happenings, session)
        return len(completed)

    CHARGES.labels(TransactionStatus.COMPLETED.value).inc(await unit_of_work(write))
    return len(claimed)


async def find_transaction(owner_id: str, transaction_id: str) -> Transaction:
    """An owner's transaction.

    Raises:
        TransactionNotFound: unknown, deleted, or somebody else's.
    """
    found = await Transaction.find_one({"_id": transaction_id, "owner_id": owner_id})
    if found is None:
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
        await DeletedTransaction(
            id=row.pop("_id"),
            owner_id=row["owner_id"],
            deleted_at=clock.now(),
            deleted_by=by.id,
            transaction=row,
        ).insert(session=session)

    await unit_of_work(write)


async def count_transactions() -> int:
    """How many transactions the store holds, by its own estimate: exact but after a crash."""
    return int(await Transaction.get_pymongo_collection().estimated_document_count())


def _new_transaction(settings: Settings, merchant: SignedCaller, request: ChargeRequest) -> Transaction:
    transaction_id = new_id("txn", clock.now())
    created_at = moment_of(transaction_id)
    return Transaction(
        id=transaction_id,
        owner_id=merchant.owner.id,
        api_key_id=merchant.owner.key_id,
        customer_name=request.customer_name,
        amount=request.payment_amount,
        amount_key=money.sort_key(request.payment_amount, request.currency),
        currency=request.currency,
        details=request.details,
        metadata=request.metadata,
        status=TransactionStatus.PENDING,
        webhook_url=request.webhook_url,
        created_at=created_at,
        due_at=created_at + timedelta(seconds=settings.payment_delay_seconds),
    )


def _charge_view(transaction: Transaction) -> dict[str, Any]:
    view = wire_transaction(transaction)
    return {**view, "created": view["createdAt"]}


def _happening(kind: str, transaction: Transaction, *, url: str | None = None) -> Happening:
    return Happening(
        type=kind,
        owner_id=transaction.owner_id,
        subject_id=transaction.id,
        at=transaction.completed_at or transaction.created_at,
        data=wire_transaction(transaction),
        url=url,
    )
