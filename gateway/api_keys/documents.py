from datetime import datetime
from typing import ClassVar

from pydantic import Field
from pymongo import ASCENDING, IndexModel

from gateway.store.document import StoredDocument


class ApiKey(StoredDocument):
    """A merchant's key: found by its keyed hash, recognised by its visible ``prefix``."""

    owner_id: str
    key_hash: str = Field(repr=False)
    prefix: str
    require_signature: bool
    created_at: datetime
    revoked_at: datetime | None = None

    class Settings:
        name = "api_keys"
        indexes: ClassVar = [
            IndexModel([("key_hash", ASCENDING)], unique=True),
            IndexModel([("owner_id", ASCENDING)]),
        ]
