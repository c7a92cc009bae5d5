"""``memory://``: the whole application without a mongod."""

import asyncio
import time
from collections.abc import AsyncIterator

import httpx
import pytest

from gateway.main import create_app
from tests.support.factories import API, create_charge, create_merchant, make_settings


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(make_settings(payment_delay_seconds=0.05))
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as made:
            yield made


async def test_charges_are_made_listed_and_completed(client: httpx.AsyncClient) -> None:
    merchant = await create_merchant(client)
    headers = {**merchant.headers, "Idempotency-Key": "once"}
    body = {"customerName": "Ada", "paymentAmount": 10, "currency": "USD"}
    first = await client.post(f"{API}/payments/charge", json=body, headers=headers)
    again = await client.post(f"{API}/payments/charge", json=body, headers=headers)
    await create_charge(client, merchant=merchant)
    assert first.content == again.content
    assert again.headers["idempotent-replayed"] == "true"

    deadline = time.monotonic() + 5
    while True:
        page = (await client.get(f"{API}/payments/all", headers=merchant.headers)).json()
        if all(row["status"] == "completed" for row in page["transactions"]):
            break
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
    assert page["totalTransactions"] == len(page["transactions"]) == 2
