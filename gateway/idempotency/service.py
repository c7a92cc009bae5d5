"""Idempotency keys (the IETF httpapi draft): a retried request gets its first answer again."""

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

import orjson
from fastapi import Header, Response

from gateway.config import Settings
from gateway.errors import GatewayError
from gateway.idempotency.documents import IdempotencyRecord
from gateway.kit import clock
from gateway.store.bulk import Row

IdempotencyHeader = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=r"^[\x20-\x7e]+$",
        description="Makes a retry safe: the same key and body give the first answer again.",
        examples=["order-1001"],
    ),
]


class IdempotencyKeyReused(GatewayError):
    status_code = 422
    error_code = "IDEMPOTENCY_KEY_REUSED"
    detail = "This Idempotency-Key was used with another request body."


class IdempotencyInProgress(GatewayError):
    status_code = 409
    error_code = "IDEMPOTENCY_IN_PROGRESS"
    detail = "A request with this Idempotency-Key is still running."

    def __init__(self) -> None:
        super().__init__(headers={"Retry-After": "1"})


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A key within its scope: one owner, one endpoint; and what its request asked for."""

    owner_id: str
    endpoint: str
    key: str
    fingerprint: str

    @classmethod
    def of(cls, owner_id: str, endpoint: str, key: str, body: Any) -> "IdempotencyKey":
        """``body`` is the parsed JSON: white space and the order of members make no difference."""
        canonical = orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
        return cls(owner_id, endpoint, key, hashlib.sha256(canonical).hexdigest())

    @property
    def record_id(self) -> str:
        scope = f"{self.owner_id}\n{self.endpoint}\n{self.key}"
        return hashlib.sha256(scope.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Answer:
    """A JSON answer as its bytes, so that a replay is the same to the letter."""

    status_code: int
    body: bytes
    replayed: bool = False

    def to_response(self) -> Response:
        headers = {"Idempotent-Replayed": "true"} if self.replayed else None
        return Response(self.body, self.status_code, headers, "application/json")


def record(settings: Settings, key: IdempotencyKey, answer: Answer) -> tuple[type[IdempotencyRecord], Row]:
    """What binds the answer to the key, to be inserted together with what the request changes.

    A duplicate key then means that there is an answer already; ask ``recall`` for it.
    """
    return IdempotencyRecord, {
        "_id": key.record_id,
        "owner_id": key.owner_id,
        "endpoint": key.endpoint,
        "fingerprint": key.fingerprint,
        "status_code": answer.status_code,
        "body": answer.body,
        "expires_at": clock.now() + timedelta(seconds=settings.idempotency_retention_seconds),
    }


async def recall(key: IdempotencyKey) -> Answer | None:
    """The first answer to this key, or ``None`` when it was never used.

    Raises:
        IdempotencyKeyReused: it was used with another body.
    """
    record = await IdempotencyRecord.get(key.record_id)
    if record is None:
        return None
    if record.fingerprint != key.fingerprint:
        raise IdempotencyKeyReused
    return Answer(record.status_code, record.body, replayed=True)
