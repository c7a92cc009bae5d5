from datetime import datetime
from typing import Any, ClassVar, Literal

from pymongo import ASCENDING, DESCENDING, IndexModel

from gateway.idempotency.service import ONE_PER_KEY, KeptAnswer
from gateway.payments.states import TransactionStatus
from gateway.store.document import StoredDocument
from gateway.store.due import HAS_DUE_TIME, DueDocument

NOT_SHOWN = ("api_key_id", "completes_at", "due_at", "claim", "idempotency")
"""What no answer holds, and look-ups for one need not fetch."""


class Transaction(DueDocument):
    """A charge. ``amount`` is in minor units, ``amount_key`` the same on a scale that all currencies share.

    Ids sort by creation, so ``_id`` also orders by time. ``due_at`` is when something is next to be
    done, while pending: to complete it, or, where that is far off, to publish its creation. Until
    then its status is ``ACCEPTED``: the event of its creation is still to be written, and it is in
    no figure.

    Of a deleted transaction only the id stays here, and the ``idempotency`` that a retry asks for.
    """

    owner_id: str
    api_key_id: str
    customer_name: str
    amount: int
    amount_key: int
    currency: str
    details: str | None
    metadata: dict[str, Any]
    status: TransactionStatus | Literal["accepted"]
    webhook_url: str | None
    created_at: datetime
    completes_at: datetime
    completed_at: datetime | None = None
    idempotency: KeptAnswer | None = None

    class Settings:
        name = "transactions"
        indexes: ClassVar = [
            IndexModel([("owner_id", ASCENDING), ("_id", DESCENDING)]),
            IndexModel([("owner_id", ASCENDING), ("amount_key", ASCENDING), ("_id", ASCENDING)]),
            IndexModel([("owner_id", ASCENDING), ("status", ASCENDING), ("_id", ASCENDING)]),
            IndexModel([("owner_id", ASCENDING), ("currency", ASCENDING), ("_id", DESCENDING)]),
            IndexModel([("owner_id", ASCENDING), ("customer_name", ASCENDING), ("_id", DESCENDING)]),
            IndexModel([("due_at", ASCENDING)], partialFilterExpression=HAS_DUE_TIME),
            ONE_PER_KEY,
        ]


class DeletedTransaction(StoredDocument):
    """A transaction that was deleted: out of every list, kept for the audit trail."""

    owner_id: str
    deleted_at: datetime
    deleted_by: str
    transaction: dict[str, Any]

    class Settings:
        name = "deleted_transactions"
        indexes: ClassVar = [IndexModel([("owner_id", ASCENDING), ("_id", DESCENDING)])]


class TransactionCount(StoredDocument):
    """How many published transactions an owner has in each status, in parts that add up.

    Each writer has a part of its own, so that two never conflict over one; a part alone may be
    negative, their sum is exact. ``deleted`` only grows. The ``id`` is the owner's, a colon and the writer's.
    """

    pending: int = 0
    completed: int = 0
    deleted: int = 0

    class Settings:
        name = "transaction_counts"
