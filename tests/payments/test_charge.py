"""Charging: the answer, the events that tell of it, its completion."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Any

import httpx
import pytest

from gateway.config import Settings
from gateway.main import create_app
from gateway.payments import progress
from gateway.payments.documents import Transaction
from gateway.webhooks.documents import Event
from tests.support.factories import (
    API,
    charge_body,
    create_charge,
    create_merchant,
    log_in,
)


async def test_a_charge_is_answered_as_pending(client: httpx.AsyncClient) -> None:
    merchant = await create_merchant(client)
    answer = await client.post(
        f"{API}/payments/charge",
        json=charge_body(paymentAmount="10.50", metadata={"orderId": "1001", "n": 3}),
        headers=merchant.headers,
    )
    charged = answer.json()
    assert answer.status_code == 201
    assert charged["id"].startswith("txn_")
    assert charged["ownerId"] == merchant.id
    assert charged["amount"] == 10.5
    assert charged["status"] == "pending"
    assert charged["details"] == "No details provided"
    assert charged["metadata"] == {"orderId": "1001", "n": 3}
    assert charged["created"] == charged["createdAt"]
    stored = await Transaction.get(charged["id"])
    assert stored is not None
    assert (stored.amount, stored.currency) == (1050, "USD")


async def _events_of(charged: dict[str, Any]) -> list[Event]:
    return await Event.find({"subject_id": charged["id"]}).sort("_id").to_list()


async def _until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(10):
        while True:
            if await condition():
                return
            await asyncio.sleep(0.02)


async def test_a_charge_is_told_of_twice(client: httpx.AsyncClient) -> None:
    merchant = await create_merchant(client)
    charged = await create_charge(client, merchant=merchant)

    async def completed() -> bool:
        return len(await _events_of(charged)) == 2

    await _until(completed)
    created, completion = [json.loads(event.body) for event in await _events_of(charged)]
    now = (await client.get(f"{API}/payments/{charged['id']}", headers=merchant.headers)).json()
    assert (created["type"], created["timestamp"]) == ("payment.created", charged["created"])
    assert {**created["data"], "created": charged["created"]} == charged
    assert (completion["type"], completion["timestamp"]) == ("payment.completed", now["completedAt"])
    assert completion["data"] == now


async def test_what_is_due_at_once_is_advanced_once_in_several_units(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "_TOGETHER", 3)
    merchant = await create_merchant(client)
    made = await asyncio.gather(*(create_charge(client, merchant=merchant) for _ in range(40)))

    async def all_told() -> bool:
        return await Event.find({"owner_id": merchant.id}).count() >= 80

    await _until(all_told)
    for charged in made:
        types = [event.type for event in await _events_of(charged)]
        assert types == ["payment.created", "payment.completed"]
    listed = await client.get(f"{API}/payments/all", headers=merchant.headers)
    assert listed.json()["totalTransactions"] == 40


async def test_a_charge_that_takes_long_is_told_of_before(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "_PUBLISHED_WITHIN", timedelta(seconds=0.1))
    app = create_app(settings.model_copy(update={"payment_delay_seconds": 1.5}))
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://gateway") as client,
    ):
        merchant = await create_merchant(client)
        charged = await create_charge(client, merchant=merchant)

        async def told_times(times: int) -> bool:
            return len(await _events_of(charged)) == times

        for times, status in ((1, "pending"), (2, "completed")):
            await _until(partial(told_times, times))
            page = (await client.get(f"{API}/payments/all", headers=merchant.headers)).json()
            assert page["totalTransactions"] == 1
            assert page["transactions"][0]["status"] == status


async def test_a_charge_that_is_deleted_at_once_is_still_told_of(client: httpx.AsyncClient) -> None:
    merchant = await create_merchant(client)
    charged = await create_charge(client, merchant=merchant)
    token = await log_in(client, email=merchant.email)
    await client.delete(f"{API}/transactions/{charged['id']}", headers=token)
    assert "payment.created" in [event.type for event in await _events_of(charged)]


async def test_a_charge_completes_without_a_webhook(client: httpx.AsyncClient) -> None:
    merchant = await create_merchant(client)
    charged = await create_charge(client, merchant=merchant)
    async with asyncio.timeout(10):
        while True:
            answer = await client.get(f"{API}/payments/{charged['id']}", headers=merchant.headers)
            if answer.json()["status"] == "completed":
                break
            await asyncio.sleep(0.02)
    assert answer.json()["completedAt"] >= charged["createdAt"]
