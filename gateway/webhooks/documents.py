from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from pydantic import BaseModel, Field
from pymongo import ASCENDING, IndexModel

from gateway.store.document import StoredDocument
from gateway.store.due import HAS_DUE_TIME, DueDocument


class Event(StoredDocument):
    """Something that happened, as the very bytes that every delivery of it sends."""

    type: str
    owner_id: str
    subject_id: str
    created_at: datetime
    body: bytes

    class Settings:
        name = "events"


class DeliveryStatus(StrEnum):
    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class Attempt(BaseModel):
    """One try: ``status_code`` when the receiver answered, else ``error``."""

    at: datetime
    milliseconds: int
    status_code: int | None
    error: str | None


class Delivery(DueDocument):
    """An event on its way to one receiver; ``due_at`` is when the next attempt may be made."""

    event_id: str
    owner_id: str
    url: str
    status: DeliveryStatus
    created_at: datetime
    attempts: list[Attempt] = Field(default_factory=list)

    class Settings:
        name = "deliveries"
        indexes: ClassVar = [
            IndexModel(
                [("due_at", ASCENDING), ("owner_id", ASCENDING)],
                partialFilterExpression=HAS_DUE_TIME,
            ),
        ]
