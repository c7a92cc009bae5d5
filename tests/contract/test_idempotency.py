"""Idempotency keys on charges: one charge for each key, whatever the network does."""

import asyncio
import json
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from pymongo import AsyncMongoClient

from gateway.config import Settings
from gateway.idempotency.service import IdempotencyKey
from gateway.kit import clock
from gateway.payments.documents import Transaction
from tests.contract.support import (
    BAD_KEY,
    CHARGE,
    ON_SHARED_APP,
    assert_error,
    assert_refused_field,
    stored_for,
)
from tests.support.factories import API, Merchant, charge_body, create_merchant, log_in

pytestmark = ON_SHARED_APP

REUSED = "This Idempotency-Key was used with another request body."


async def charge_with_key(
    client: httpx.AsyncClient, merchant: Merchant, key: str | bytes, body: Any = None
) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body or charge_body()).encode()
    headers = {
        b"X-API-Key": merchant.api_key.encode(),
        b"Content-Type": b"application/json",
        b"Idempotency-Key": key if isinstance(key, bytes) else key.encode("latin-1"),
    }
    return await client.post(CHARGE, content=content, headers=headers)


async def test_a_retry_gets_the_first_answer_to_the_byte(client: httpx.AsyncClient) -> None:
    merchant = await create_merchant(client)
    body = charge_body(details="Zoë 🎁", metadata={"b": 1, "a": [None, 2][0]})
    first = await charge_with_key(client, merchant, "order-1", body)
    assert first.status_code == 201
    assert "Idempotent-Replayed" not in first.headers
    for _ in range(3):
        again = await charge_with_key(client, merchant, "order-1", body)
        assert (again.status_code, again.content) == (201, first.content)
        assert again.headers["Idempotent-Replayed"] == "true"
        assert again.headers["Content-Type"] == first.headers["Content-Type"]
        assert again.headers["X-Request-Id"] != first.headers["X-Request-Id"]
    assert await stored_for(merchant) == 1


async def test_a_body_too_nested_to_compare_is_refused_with_a_key_alone(client: httpx.AsyncClient) -> None:
    merchant = await create_merchant(client)
    body = json.dumps(charge_body()).removesuffix("}") + ', "ignored": ' + "[" * 300 + "]" * 300 + "}"
    refused = await charge_with_key(client, merchant, "order-1", body.encode())
    detail = "The body is nested too deeply to be compared with that of a retry."
    assert_error(refused, 422, detail, "BODY_TOO_NESTED")
    assert await stored_for(merchant) == 0
    without_key = {**merchant.headers, "Content-Type": "application/json"}
    assert (await client.post(CHARGE, content=body, headers=without_key)).status_code == 201


async def test_the_first_answer_stays_also_when_the_charge_was_deleted(client: httpx.AsyncClient) -> None:
    merchant = await create_merchant(client)
    first = await charge_with_key(client, merchant, "order-1")
    token = await log_in(client, email=merchant.email)
    deleted = await client.delete(f"{API}/transactions/{first.json()['id']}", headers=token)
    assert deleted.status_code == 200
    again = await charge_with_key(client, merchant, "order-1")
    assert (again.status_code, again.content) == (201, first.content)
    assert await stored_for(merchant) == 0


async def test_json_that_is_equal_is_the_same_body(client: httpx.AsyncClient) -> None:
    merchant = await create_merchant(client)
    body = charge_body(details="Zoë", metadata={"a": "1", "b": "2"})
    first = await charge_with_key(client, merchant, "order-1", json.dumps(body).encode())
    backwards = dict(reversed(body.items()))
    backwards["metadata"] = {"b": "2", "a": "1"}
    same = [
        json.dumps(body, indent=4).encode(),
        json.dumps(body, separators=(",", ":")).encode(),
        json.dumps(body, ensure_ascii=False).encode(),
        json.dumps(backwards).encode(),
        b"\n\t " + json.dumps(body).encode() + b"\r\n",
    ]
    for content in same:
        again = await charge_with_key(client, merchant, "order-1", content)
        assert (again.status_code, again.content) == (201, first.content), again.text
    assert await stored_for(merchant) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"paymentAmount": 1000.01},
        {"currency": "EUR"},
        {"customerName": "Grace hopper"},
        {"details": "more"},
        {"metadata": {"a": "1"}},
        {"webhookUrl": "http://127.0.0.1:9/"},
        {"unknownMember": 1},
    ],
)
async def test_another_body_under_the_same_key_is_a_422(
    client: httpx.AsyncClient, change: dict[str, Any]
) -> None:
    merchant = await create_merchant(client)
    first = await charge_with_key(client, merchant, "order-1")
    other = await charge_with_key(client, merchant, "order-1", charge_body(**change))
    assert_error(other, 422, REUSED, "IDEMPOTENCY_KEY_REUSED")
    again = await charge_with_key(client, merchant, "order-1")
    assert again.content == first.content
    assert await stored_for(merchant) == 1


async def test_an_invalid_body_under_a_used_key_is_told_what_is_wrong(client: httpx.AsyncClient) -> None:
    merchant = await create_merchant(client)
    await charge_with_key(client, merchant, "order-1")
    answer = await charge_with_key(client, merchant, "order-1", charge_body(paymentAmount=-1))
    assert answer.status_code == 422
    assert await stored_for(merchant) == 1


async def test_owners_do_not_share_keys(client: httpx.AsyncClient) -> None:
    merchants = [await create_merchant(client) for _ in range(3)]
    answers = [
        await charge_with_key(client, merchant, "order-1", charge_body(paymentAmount=number + 1))
        for number, merchant in enumerate(merchants)
    ]
    assert [answer.status_code for answer in answers] == [201, 201, 201]
    assert [answer.json()["ownerId"] for answer in answers] == [merchant.id for merchant in merchants]
    assert all("Idempotent-Replayed" not in answer.headers for answer in answers)


async def test_different_keys_and_no_key_charge_anew(client: httpx.AsyncClient) -> None:
    merchant = await create_merchant(client)
    answers = [await charge_with_key(client, merchant, key) for key in ("a", "A", "b", "a b")]
    answers += [await client.post(CHARGE, json=charge_body(), headers=merchant.headers) for _ in range(2)]
    assert len({answer.json()["id"] for answer in answers}) == 6
    assert await stored_for(merchant) == 6


async def test_a_refused_request_uses_no_key(client: httpx.AsyncClient) -> None:
    merchant = await create_merchant(client)
    for content in (b"{", b"[]", b"", json.dumps(charge_body(currency="XXL")).encode()):
        assert_error(await charge_with_key(client, merchant, "order-1", content), 422)
    stranger = Merchant("", "", "PK_LIVE_unknown", "")
    assert_error(await charge_with_key(client, stranger, "order-1"), 401, BAD_KEY)
    assert await stored_for(merchant) == 0
    answer = await charge_with_key(client, merchant, "order-1")
    assert answer.status_code == 201
    assert "Idempotent-Replayed" not in answer.headers


async def test_a_wrong_signature_uses_no_key(client: httpx.AsyncClient) -> None:
    merchant = await create_merchant(client)
    headers = {**merchant.headers, "Idempotency-Key": "order-1", "X-Signature": "0" * 64}
    assert_error(await client.post(CHARGE, json=charge_body(), headers=headers), 401)
    answer = await charge_with_key(client, merchant, "order-1")
    assert answer.status_code == 201
    assert "Idempotent-Replayed" not in answer.headers


@pytest.mark.parametrize(
    "key", ["", "x" * 256, "x" * 5000, "tab\there", "bell\x07", "del\x7f", "é", "\xff", "ключ".encode()]
)
async def test_unusable_keys_are_refused(client: httpx.AsyncClient, key: str | bytes) -> None:
    merchant = await create_merchant(client)
    answer = await charge_with_key(client, merchant, key)
    assert_refused_field(answer, "header", "Idempotency-Key")
    assert await stored_for(merchant) == 0


@pytest.mark.parametrize("key", ["x", "x" * 255, "~!@#$%^&*()_+{}|:<>?`-=[];',./", '{"$gt":""}', "a b c"])
async def test_any_1_to_255_printable_characters_are_a_key(client: httpx.AsyncClient, key: str) -> None:
    merchant = await create_merchant(client)
    first = await charge_with_key(client, merchant, key)
    again = await charge_with_key(client, merchant, key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert again.headers["Idempotent-Replayed"] == "true"


async def test_a_storm_of_the_same_request_charges_once(client: httpx.AsyncClient) -> None:
    merchant = await create_merchant(client)
    answers = await asyncio.gather(*(charge_with_key(client, merchant, "storm") for _ in range(20)))
    statuses = {answer.status_code for answer in answers}
    assert 201 in statuses
    assert statuses <= {201, 409}
    for answer in answers:
        if answer.status_code == 409:
            assert_error(answer, 409, code="IDEMPOTENCY_IN_PROGRESS")
            assert int(answer.headers["Retry-After"]) >= 1
    bodies = {answer.content for answer in answers if answer.status_code == 201}
    firsts = [a for a in answers if a.status_code == 201 and "Idempotent-Replayed" not in a.headers]
    assert (len(bodies), len(firsts)) == (1, 1)
    assert await stored_for(merchant) == 1


async def test_a_storm_of_different_bodies_under_one_key_charges_once(client: httpx.AsyncClient) -> None:
    merchant = await create_merchant(client)
    answers = await asyncio.gather(
        *(charge_with_key(client, merchant, "storm", charge_body(paymentAmount=n + 1)) for n in range(12))
    )
    assert [answer.status_code for answer in answers].count(201) == 1
    for answer in answers:
        if answer.status_code == 422:
            assert_error(answer, 422, REUSED, "IDEMPOTENCY_KEY_REUSED")
        elif answer.status_code == 409:
            assert_error(answer, 409, code="IDEMPOTENCY_IN_PROGRESS")
    assert await stored_for(merchant) == 1


async def test_answers_are_kept_for_24_hours_at_least(client: httpx.AsyncClient) -> None:
    merchant = await create_merchant(client)
    first = await charge_with_key(client, merchant, "order-1")
    stored = await Transaction.get(first.json()["id"])
    assert stored is not None
    assert stored.idempotency is not None
    created = datetime.fromisoformat(first.json()["created"])
    assert stored.idempotency.expires_at - created >= timedelta(hours=23, minutes=59, seconds=59)


@pytest.mark.parametrize("deleted", [False, True], ids=["kept", "deleted meanwhile"])
async def test_a_key_may_be_used_again_when_its_answer_has_expired(
    client: httpx.AsyncClient, deleted: bool
) -> None:
    merchant = await create_merchant(client)
    first = await charge_with_key(client, merchant, "order-1")
    token = await log_in(client, email=merchant.email)
    if deleted:
        await client.delete(f"{API}/transactions/{first.json()['id']}", headers=token)
    await Transaction.get_pymongo_collection().update_one(
        {"_id": first.json()["id"]}, {"$set": {"idempotency.expires_at": clock.now() - timedelta(seconds=1)}}
    )
    body = charge_body(paymentAmount=7)
    answers = await asyncio.gather(*(charge_with_key(client, merchant, "order-1", body) for _ in range(8)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
    assert answers[0].json()["id"] != first.json()["id"]
    assert await stored_for(merchant) == (1 if deleted else 2)


async def test_a_key_that_is_being_charged_elsewhere_is_a_409(
    client: httpx.AsyncClient, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.store.bulk.TIMEOUT_SECONDS", 0.3)
    merchant = await create_merchant(client)
    body = charge_body()
    key = IdempotencyKey.of(merchant.id, "/payments/charge", "order-1", body)
    async with AsyncMongoClient[dict[str, Any]](settings.mongodb_url) as elsewhere:
        transactions = elsewhere[settings.mongodb_database]["transactions"]
        async with elsewhere.start_session() as session, await session.start_transaction():
            await transactions.insert_one({"idempotency": {"key": key.hash}}, session=session)
            busy = await charge_with_key(client, merchant, "order-1", body)
            other = await charge_with_key(client, merchant, "order-2", body)
            await session.abort_transaction()
    assert_error(busy, 409, code="IDEMPOTENCY_IN_PROGRESS")
    assert int(busy.headers["Retry-After"]) >= 1
    assert other.status_code == 201
    retried = await charge_with_key(client, merchant, "order-1", body)
    assert retried.status_code == 201
    assert "Idempotent-Replayed" not in retried.headers
    assert await stored_for(merchant) == 2
