"""Charging: the answer, what it stores, its completion and webhook."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from gateway.kit import clock
from gateway.payments.documents import Transaction
from tests.contract.support import CHARGE, ON_SHARED_APP, TIME
from tests.support.factories import API, charge_body, create_charge, create_merchant
from tests.support.receiver import Receiver

pytestmark = ON_SHARED_APP


async def test_the_answer_to_a_charge(client: httpx.AsyncClient) -> None:
    merchant = await create_merchant(client)
    answer = await client.post(CHARGE, json=charge_body(), headers=merchant.headers)
    charged = answer.json()
    assert answer.status_code == 201
    assert set(charged) >= {"id", "customerName", "amount", "currency", "status", "created"}
    assert charged["id"].startswith("txn_")
    assert charged["customerName"] == "Grace Hopper"
    assert (charged["amount"], charged["currency"]) == (1000, "USD")
    assert charged["status"] == "pending"
    assert TIME.fullmatch(charged["created"])


async def test_a_charge_with_everything_and_members_that_are_unknown(client: httpx.AsyncClient) -> None:
    merchant = await create_merchant(client)
    given = {
        "details": "Order 1001",
        "webhookUrl": "http://127.0.0.1:9/hook?order=1001",
        "metadata": {"orderId": "1001", "count": 3, "ratio": 0.5, "gift": True, "none": None},
    }
    charged = await create_charge(client, merchant=merchant, **given, future="member")
    assert {name: charged[name] for name in given} == given
    listed = await client.get(f"{API}/payments/{charged['id']}", headers=merchant.headers)
    assert {name: listed.json()[name] for name in given} == given


@pytest.mark.parametrize(
    "absent", [{"details": None, "webhookUrl": None}, {"details": ""}, {"metadata": {}}, {}]
)
async def test_optional_members_may_be_null_or_missing(
    client: httpx.AsyncClient, absent: dict[str, Any]
) -> None:
    merchant = await create_merchant(client)
    charged = await create_charge(client, merchant=merchant, **absent)
    assert charged["details"] == "No details provided"
    assert charged["webhookUrl"] is None
    assert charged["metadata"] == {}


@pytest.mark.parametrize("role", ["customer", "merchant"])
async def test_every_registered_person_has_a_key_that_charges(client: httpx.AsyncClient, role: str) -> None:
    person = await create_merchant(client, role=role)
    charged = await create_charge(client, merchant=person)
    assert charged["ownerId"] == person.id


async def test_a_due_payment_completes_and_its_webhook_tells_so(
    client: httpx.AsyncClient, receiver: Receiver
) -> None:
    merchant = await create_merchant(client)
    charged = await create_charge(client, merchant=merchant, paymentAmount=10.5, webhookUrl=receiver.url)
    path = f"{API}/payments/{charged['id']}"
    assert (await client.get(path, headers=merchant.headers)).json()["status"] == "pending"
    now = clock.now()
    await Transaction.find({"_id": charged["id"]}).update({"$set": {"due_at": now, "completes_at": now}})
    [webhook] = await asyncio.to_thread(receiver.wait_for, 1)
    told = json.loads(webhook.body)
    assert (told["event"], told["type"]) == ("payment.completed", "payment.completed")
    assert told["id"] == charged["id"]
    assert told["eventId"].startswith("evt_")
    assert TIME.fullmatch(told["timestamp"])
    assert told["data"]["customerName"] == "Grace Hopper"
    assert (told["data"]["amount"], told["data"]["currency"]) == (10.5, "USD")
    assert told["data"]["status"] == "completed"
    stored = (await client.get(path, headers=merchant.headers)).json()
    assert stored["status"] == "completed"
    assert TIME.fullmatch(stored["completedAt"])
