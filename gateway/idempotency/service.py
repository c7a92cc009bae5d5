"""Idempotency keys (the IETF httpapi draft): a retried request gets its first answer again."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

import orjson
from beanie import Document
from fastapi import Header, Response
from pydantic import BaseModel
from pymongo import ASCENDING, IndexModel

from gateway.config import Settings
from gateway.errors import GatewayError
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


class BodyTooNested(GatewayError):
    status_code = 422
    error_code = "BODY_TOO_NESTED"
    detail = "The body is nested too deeply to be compared with that of a retry."


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A key within its scope: one owner, one endpoint; and what its request asked for."""

    owner_id: str
    endpoint: str
    key: str
    fingerprint: str

    @classmethod
    def of(cls, owner_id: str, endpoint: str, key: str, body: Any) -> "IdempotencyKey":
        """``body`` is the parsed JSON: white space and the order of members make no difference.

        Raises:
            BodyTooNested: of some 250 levels or more.
        """
        try:
            canonical = orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
        except orjson.JSONEncodeError as error:
            raise BodyTooNested from error
        return cls(owner_id, endpoint, key, hashlib.sha256(canonical).hexdigest())

    @property
    def hash(self) -> str:
        scope = f"{self.owner_id}\n{self.endpoint}\n{self.key}"
        return hashlib.sha256(scope.encode()).hexdigest()


class KeptAnswer(BaseModel):
    """The first answer to a key, kept in the document that its request made.

    ``key`` is a hash of owner, endpoint and key.
    """

    key: str
    fingerprint: str
    status_code: int
    body: bytes
    expires_at: datetime


ONE_PER_KEY = IndexModel(
    [("idempotency.key", ASCENDING)],
    unique=True,
    partialFilterExpression={"idempotency.key": {"$exists": True}},
)
"""The index of documents with an ``idempotency`` that lets one only be made with a key."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A JSON answer as its bytes, so that a replay is the same to the letter."""

    status_code: int
    body: bytes
    replayed: bool = False

    def to_response(self) -> Response:
        headers = {"Idempotent-Replayed": "true"} if self.replayed else None
        return Response(self.body, self.status_code, headers, "application/json")


def kept(settings: Settings, key: IdempotencyKey, answer: Answer) -> Row:
    """The ``KeptAnswer`` that binds the answer to the key, to be inserted within what the request makes.

    A duplicate key then means that there is an answer already; ask ``recall`` for it.
    """
    return {
        "key": key.hash,
        "fingerprint": key.fingerprint,
        "status_code": answer.status_code,
        "body": answer.body,
        "expires_at": clock.now() + timedelta(seconds=settings.idempotency_retention_seconds),
    }


async def recall(kind: type[Document], key: IdempotencyKey) -> Answer | None:
    """The first answer to this key, or ``None`` when it may be used: also again, once it has expired.

    Raises:
        IdempotencyKeyReused: it was used with another body.
    """
    collection = kind.get_pymongo_collection()
    row = await collection.find_one({"idempotency.key": key.hash}, {"idempotency": 1})
    if row is None:
        return None
    first = row["idempotency"]
    if first["expires_at"] <= clock.now():
        expired = {"idempotency.key": key.hash, "idempotency.expires_at": first["expires_at"]}
        await collection.update_one(expired, {"$unset": {"idempotency": ""}})
        return None
    if first["fingerprint"] != key.fingerprint:
        raise IdempotencyKeyReused
    return Answer(first["status_code"], first["body"], replayed=True)
