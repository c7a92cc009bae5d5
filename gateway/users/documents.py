from datetime import datetime
from typing import ClassVar

from pydantic import Field
from pymongo import ASCENDING, DESCENDING, IndexModel

from gateway.store.document import StoredDocument
from gateway.users.roles import Role


class User(StoredDocument):
    """A person. ``deleted_at`` hides it everywhere; its ``email`` is then free again."""

    name: str
    email: str
    password_hash: str = Field(repr=False)
    role: Role
    webhook_secret: bytes = Field(repr=False)
    """Sealed by the settings' secret box."""
    created_at: datetime
    deleted_at: datetime | None = None
    deleted_by: str | None = None
    deleted_email: str | None = None

    class Settings:
        name = "users"
        indexes: ClassVar = [
            IndexModel([("email", ASCENDING)], unique=True),
            IndexModel([("deleted_at", ASCENDING), ("_id", DESCENDING)]),
        ]
