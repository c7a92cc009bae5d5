"""Webhooks as a receiver sees them, over real HTTP."""

import asyncio
import base64
import json
import time
from collections.abc import Awaitable, Callable

import httpx
from standardwebhooks import Webhook

from gateway.config import Settings
from gateway.webhooks.documents import Delivery, DeliveryStatus
from tests.support.factories import create_charge, create_merchant, sign
from tests.support.receiver import Receiver, hang


async def _until(condition: Callable[[], Awaitable[bool]], *, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)


async def _delivery_of(receiver: Receiver) -> Delivery:
    event_id = receiver.received[0].headers["webhook-id"]
    delivery = await Delivery.find_one({"event_id": event_id})
    assert delivery is not None
    return delivery


async def _ended(receiver: Receiver, status: DeliveryStatus) -> Delivery:
    async def has_status() -> bool:
        return (await _delivery_of(receiver)).status is status

    await _until(has_status)
    return await _delivery_of(receiver)


async def test_the_completed_payment_is_told_with_every_signature(
    client: httpx.AsyncClient, receiver: Receiver
) -> None:
    merchant = await create_merchant(client)
    charged = await create_charge(
        client, merchant=merchant, customerName="Žofie 東", webhookUrl=receiver.url, metadata={"n": 1}
    )
    hook = (await asyncio.to_thread(receiver.wait_for, 1))[0]
    told = json.loads(hook.body)

    assert hook.headers["x-signature"] == sign(merchant.secret, hook.body)
    Webhook("whsec_" + base64.b64encode(merchant.secret.encode()).decode()).verify(hook.body, hook.headers)
    assert hook.headers["content-type"] == "application/json"
    assert told["event"] == told["type"] == "payment.completed"
    assert told["id"] == charged["id"]
    assert told["eventId"] == hook.headers["webhook-id"]
    assert told["data"]["customerName"] == "Žofie 東"
    assert told["data"]["amount"] == 1000
    assert told["data"]["currency"] == "USD"
    assert told["data"]["status"] == "completed"
    assert json.dumps(told, separators=(",", ":")).encode() == hook.body


async def test_500_twice_then_200_is_three_attempts_with_one_id(
    client: httpx.AsyncClient, receiver: Receiver
) -> None:
    receiver.answer = lambda _: 200 if len(receiver.received) >= 3 else 500
    await create_charge(client, merchant=await create_merchant(client), webhookUrl=receiver.url)
    hooks = await asyncio.to_thread(receiver.wait_for, 3)
    delivery = await _ended(receiver, DeliveryStatus.SUCCEEDED)

    assert len({hook.headers["webhook-id"] for hook in hooks}) == 1
    assert len({hook.body for hook in hooks}) == 1
    assert [attempt.status_code for attempt in delivery.attempts] == [500, 500, 200]
    assert delivery.due_at is None
    assert len(receiver.received) == 3


async def test_each_attempt_is_signed_anew(
    client: httpx.AsyncClient, receiver: Receiver, settings: Settings
) -> None:
    settings.webhook_retry_seconds = (1.1,)
    receiver.answer = lambda _: 200 if len(receiver.received) >= 2 else 500
    merchant = await create_merchant(client)
    await create_charge(client, merchant=merchant, webhookUrl=receiver.url)
    first, second = await asyncio.to_thread(receiver.wait_for, 2)
    library = Webhook("whsec_" + base64.b64encode(merchant.secret.encode()).decode())
    library.verify(second.body, second.headers)
    assert int(second.headers["webhook-timestamp"]) > int(first.headers["webhook-timestamp"])
    assert second.headers["webhook-signature"] != first.headers["webhook-signature"]
    assert second.headers["x-signature"] == first.headers["x-signature"]


async def test_a_delivery_is_given_up_when_the_schedule_is_used_up(
    client: httpx.AsyncClient, receiver: Receiver, settings: Settings
) -> None:
    receiver.answer = lambda _: 503
    await create_charge(client, merchant=await create_merchant(client), webhookUrl=receiver.url)
    attempts = 1 + len(settings.webhook_retry_seconds)
    await asyncio.to_thread(receiver.wait_for, attempts)
    delivery = await _ended(receiver, DeliveryStatus.FAILED)
    assert [attempt.status_code for attempt in delivery.attempts] == [503] * attempts


async def test_a_redirect_is_a_failure_and_is_not_followed(
    client: httpx.AsyncClient, receiver: Receiver
) -> None:
    receiver.answer = lambda _: 302 if len(receiver.received) == 1 else 200
    await create_charge(client, merchant=await create_merchant(client), webhookUrl=receiver.url)
    hooks = await asyncio.to_thread(receiver.wait_for, 2)
    delivery = await _ended(receiver, DeliveryStatus.SUCCEEDED)
    assert {hook.path for hook in hooks} == {"/hook"}
    assert [attempt.status_code for attempt in delivery.attempts] == [302, 200]


async def test_a_receiver_that_is_not_there_is_recorded_as_an_error(client: httpx.AsyncClient) -> None:
    merchant = await create_merchant(client)
    await create_charge(client, merchant=merchant, webhookUrl="http://127.0.0.1:9/")

    async def failed() -> bool:
        return await Delivery.find_one({"owner_id": merchant.id, "status": "failed"}) is not None

    await _until(failed)
    delivery = await Delivery.find_one({"owner_id": merchant.id})
    assert delivery is not None
    assert all(attempt.status_code is None and attempt.error for attempt in delivery.attempts)


async def test_a_hanging_receiver_holds_up_nobody_else(client: httpx.AsyncClient, receiver: Receiver) -> None:
    with Receiver() as hanging:
        hanging.answer = hang
        stuck = await create_merchant(client)
        for _ in range(20):
            await create_charge(client, merchant=stuck, webhookUrl=hanging.url)
        await asyncio.to_thread(hanging.wait_for, 8)
        await create_charge(client, merchant=await create_merchant(client), webhookUrl=receiver.url)
        await asyncio.to_thread(receiver.wait_for, 1, seconds=5)
        assert len(hanging.received) == 8


async def test_a_charge_without_a_url_makes_no_delivery(client: httpx.AsyncClient) -> None:
    merchant = await create_merchant(client)
    await create_charge(client, merchant=merchant)
    await asyncio.sleep(0.3)
    assert await Delivery.find({"owner_id": merchant.id}).count() == 0
