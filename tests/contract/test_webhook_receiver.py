"""The endpoint on which a merchant tries its own signing."""

import json
import time
from typing import Any

import httpx
import pytest

from tests.contract.support import ON_SHARED_APP, assert_error
from tests.support.factories import API, Merchant, compact, create_merchant, sign, timestamped_signature

pytestmark = ON_SHARED_APP

RECEIVER = f"{API}/webhook-receive"
UNKNOWN_KEY = "Invalid X-API-Key"
BAD_WEBHOOK = "Invalid webhook signature"
EVENT = {"event": "payment.completed", "id": "txn_1", "data": {"amount": 10.5, "name": "Zoë"}}


async def receive(
    client: httpx.AsyncClient, merchant: Merchant, signature: str, body: bytes
) -> httpx.Response:
    headers = {**merchant.headers, "X-Signature": signature, "Content-Type": "application/json"}
    return await client.post(RECEIVER, content=body, headers=headers)


@pytest.mark.parametrize("event", [EVENT, {}, {"$gt": ""}, {"a.b": {"$ne": [1, None, True]}}, {"": "\x00"}])
async def test_any_signed_object_is_verified(client: httpx.AsyncClient, event: dict[str, Any]) -> None:
    merchant = await create_merchant(client)
    spaced = json.dumps(event, indent=2).encode()
    for signature in (
        sign(merchant.secret, spaced),
        sign(merchant.secret, compact(event)),
        timestamped_signature(merchant.secret, spaced),
    ):
        answer = await receive(client, merchant, signature, spaced)
        assert (answer.status_code, answer.json()) == (200, {"status": "verified"})


async def test_an_unknown_key_is_a_401(client: httpx.AsyncClient) -> None:
    merchant = await create_merchant(client)
    body = compact(EVENT)
    signature = sign(merchant.secret, body)
    for key in (None, "", "PK_LIVE_x", '{"$gt":""}'):
        headers = {"X-Signature": signature, "Content-Type": "application/json"}
        if key is not None:
            headers["X-API-Key"] = key
        answer = await client.post(RECEIVER, content=body, headers=headers)
        assert_error(answer, 401, UNKNOWN_KEY, "INVALID_API_KEY")


async def test_a_wrong_or_missing_signature_is_a_401_with_a_hint(client: httpx.AsyncClient) -> None:
    merchant, other = await create_merchant(client), await create_merchant(client)
    body = compact(EVENT)
    wrong = [
        "",
        "0" * 64,
        sign(other.secret, body),
        sign(merchant.secret, body + b" "),
        timestamped_signature(merchant.secret, body, at=time.time() - 310),
        timestamped_signature(merchant.secret, body, at=time.time() + 310),
    ]
    for signature in wrong:
        answer = await receive(client, merchant, signature, body)
        refusal = assert_error(answer, 401, BAD_WEBHOOK, "INVALID_WEBHOOK_SIGNATURE")
        assert refusal["hint"]
        assert merchant.secret not in answer.text
    missing = await client.post(RECEIVER, json=EVENT, headers=merchant.headers)
    assert assert_error(missing, 401, BAD_WEBHOOK)["hint"] == "X-Signature is missing."


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"1", b'"text"', b"null", b"\xff", b"[" * 100_000])
async def test_what_is_no_object_is_a_422_once_it_is_signed(
    client: httpx.AsyncClient, content: bytes
) -> None:
    merchant = await create_merchant(client)
    assert_error(await receive(client, merchant, "0" * 64, content), 401, BAD_WEBHOOK)
    signed = await receive(client, merchant, sign(merchant.secret, content), content)
    assert_error(signed, 422, code="VALIDATION_ERROR")


async def test_a_key_that_requires_signatures_may_try_either_form(client: httpx.AsyncClient) -> None:
    merchant = await create_merchant(client, require_signature=True)
    body = compact(EVENT)
    for signature in (sign(merchant.secret, body), timestamped_signature(merchant.secret, body)):
        for _ in range(2):
            assert (await receive(client, merchant, signature, body)).status_code == 200
