from datetime import datetime
from typing import ClassVar

from pymongo import ASCENDING, IndexModel

from gateway.store.document import StoredDocument


class IdempotencyRecord(StoredDocument):
    """The first answer to a key, written together with what that request changed.

    Its ``id`` is a hash of owner, endpoint and key, so the ``_id`` index is what allows one only.
    """

    owner_id: str
    endpoint: str
    fingerprint: str
    status_code: int
    body: bytes
    expires_at: datetime

    class Settings:
        name = "idempotency_records"
        indexes: ClassVar = [IndexModel([("expires_at", ASCENDING)], expireAfterSeconds=0)]
