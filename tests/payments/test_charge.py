"""Charging: the answer, the event that is committed with it, its completion."""

import asyncio

import httpx

from gateway.payments.documents import Transaction
from gateway.webhooks.documents import Event
from tests.support.factories import API, charge_body, create_charge, create_merchant


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


async def test_the_created_event_is_stored_with_the_charge(client: httpx.AsyncClient) -> None:
    charged = await create_charge(client, merchant=await create_merchant(client))
    events = await Event.find({"subject_id": charged["id"], "type": "payment.created"}).to_list()
    assert len(events) == 1


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
