"""What the contract says of every answer, as assertions."""

import re
from typing import Any

import httpx
import pytest

from gateway.payments.documents import Transaction
from tests.support.factories import API, Merchant, create_merchant, log_in

ON_SHARED_APP = pytest.mark.asyncio(loop_scope="package")
"""Runs a test on the event loop of the package's application."""

TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z")
CHARGE = f"{API}/payments/charge"

NO_TOKEN = "Authorization header missing."
BAD_SCHEME = "Invalid authorization header format."
BAD_TOKEN = "Invalid or expired token."
BAD_KEY = "Invalid or missing X-API-Key. Access denied."
BAD_SIGNATURE = "Invalid request signature."

REAL_CARDS = ("4532015112830366", "4532 0151 1283 0366", "5425-2334-3010-9903", "341111111111111")
"""Numbers that pass every check of a real card's and are none of the published test numbers."""


def assert_error(
    answer: httpx.Response, status_code: int, detail: str | None = None, code: str | None = None
) -> dict[str, Any]:
    """The one shape of an error; a 422 without ``detail`` must carry FastAPI's list."""
    assert answer.status_code == status_code, answer.text
    assert answer.headers["Content-Type"] == "application/json"
    body: dict[str, Any] = answer.json()
    assert set(body) - {"hint"} == {"detail", "error_code", "request_id"}
    assert body["request_id"] == answer.headers["X-Request-Id"]
    assert re.fullmatch(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*", body["error_code"])
    if detail is not None:
        assert body["detail"] == detail
    elif status_code == 422:
        assert isinstance(body["detail"], list)
        assert body["detail"]
    if code is not None:
        assert body["error_code"] == code
    if status_code == 401:
        assert answer.headers["WWW-Authenticate"]
    return body


def assert_refused_field(answer: httpx.Response, *loc: str | int, kind: str | None = None) -> dict[str, Any]:
    """A 422 with an item for the field at ``loc``; returns that item."""
    body = assert_error(answer, 422, code="VALIDATION_ERROR")
    items: list[dict[str, Any]] = body["detail"]
    fitting = [item for item in items if item["loc"][: len(loc)] == list(loc)]
    assert fitting, items
    assert all({"type", "loc", "msg"} <= set(item) for item in items)
    if kind is not None:
        assert kind in {item["type"] for item in fitting}
    return fitting[0]


async def stored_for(merchant: Merchant) -> int:
    return await Transaction.find({"owner_id": merchant.id}).count()


async def create_admin(client: httpx.AsyncClient, *, by: dict[str, str]) -> tuple[Merchant, dict[str, str]]:
    """A person whom the system_admin ``by`` made an admin, and its ``Authorization`` header."""
    person = await create_merchant(client)
    answer = await client.patch(f"{API}/users/{person.id}/role", json={"new_role": "admin"}, headers=by)
    assert answer.status_code == 200, answer.text
    return person, await log_in(client, email=person.email)


async def both_headers(client: httpx.AsyncClient, merchant: Merchant) -> dict[str, str]:
    """The API key and the token of the same merchant."""
    return {**merchant.headers, **await log_in(client, email=merchant.email)}
