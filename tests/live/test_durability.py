"""What is promised across crashes, restarts and processes, seen over real HTTP."""

import asyncio
import base64
import json
import random
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from standardwebhooks import Webhook

from tests.support.factories import API, Merchant, charge_body, create_merchant
from tests.support.live import LiveGateway, wait_until_no_mongod
from tests.support.receiver import Receiver

_CLIENTS = 12
_KILLS = 5


@dataclass
class Ledger:
    """What clients were told: the id that each idempotency key was acknowledged with."""

    acknowledged: dict[str, str] = field(default_factory=dict)
    started: list[str] = field(default_factory=list)
    contradictions: list[str] = field(default_factory=list)

    def acknowledge(self, key: str, charge_id: str) -> None:
        if self.acknowledged.setdefault(key, charge_id) != charge_id:
            self.contradictions.append(key)


async def _charge_until_stopped(
    gateway: LiveGateway, merchant: Merchant, ledger: Ledger, stop: asyncio.Event, webhook_url: str
) -> None:
    """A client as it should be: each charge has a key and is retried until it is answered."""
    async with httpx.AsyncClient(base_url=gateway.url, timeout=10, trust_env=False) as client:
        while not stop.is_set():
            key = uuid4().hex
            ledger.started.append(key)
            await _charge_once(client, merchant, ledger, key, webhook_url)
            if random.random() < 0.2:
                await _charge_once(client, merchant, ledger, key, webhook_url)


async def _charge_once(
    client: httpx.AsyncClient, merchant: Merchant, ledger: Ledger, key: str, webhook_url: str
) -> None:
    body = charge_body(customerName=f"Customer {key}", webhookUrl=webhook_url)
    while True:
        try:
            answer = await client.post(
                f"{API}/payments/charge", json=body, headers={**merchant.headers, "Idempotency-Key": key}
            )
        except httpx.TransportError:
            await asyncio.sleep(0.05)
            continue
        if answer.status_code == 201:
            ledger.acknowledge(key, answer.json()["id"])
            return
        assert answer.status_code in (409, 503), answer.text
        await asyncio.sleep(0.05)


async def _every_transaction(client: httpx.AsyncClient, merchant: Merchant) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    cursor = None
    while True:
        params = {"limit": "1000"} | ({"cursor": cursor} if cursor else {})
        answer = await client.get(f"{API}/payments/all", params=params, headers=merchant.headers)
        page = answer.json()
        rows += page["transactions"]
        cursor = page["nextCursor"]
        if cursor is None:
            assert page["totalTransactions"] == len(rows)
            return rows


async def _all_completed(client: httpx.AsyncClient, merchant: Merchant) -> list[dict[str, Any]]:
    async with asyncio.timeout(40):
        while True:
            rows = await _every_transaction(client, merchant)
            if all(row["status"] == "completed" for row in rows):
                return rows
            await asyncio.sleep(0.2)


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_kill_9_under_load_loses_and_doubles_nothing(
    live_gateway: Callable[..., LiveGateway], receiver: Receiver, workers: str
) -> None:
    gateway = live_gateway(WORKERS=workers)
    ledger, stop = Ledger(), asyncio.Event()
    await asyncio.to_thread(gateway.start)
    async with httpx.AsyncClient(base_url=gateway.url, trust_env=False) as client:
        merchant = await create_merchant(client)
    clients = [
        asyncio.create_task(_charge_until_stopped(gateway, merchant, ledger, stop, receiver.url))
        for _ in range(_CLIENTS)
    ]
    for _ in range(_KILLS):
        await asyncio.sleep(0.5 + random.random() / 2)
        await asyncio.to_thread(gateway.kill)
        await asyncio.to_thread(gateway.start)
    await asyncio.sleep(0.5)
    stop.set()
    await asyncio.gather(*clients)

    async with httpx.AsyncClient(base_url=gateway.url, timeout=30, trust_env=False) as client:
        rows = await _all_completed(client, merchant)
    by_name = Counter(row["customerName"] for row in rows)
    assert ledger.contradictions == []
    assert len(ledger.acknowledged) > _CLIENTS * _KILLS
    assert set(ledger.acknowledged.values()) == {row["id"] for row in rows}
    assert by_name == Counter(f"Customer {key}" for key in ledger.started)

    await asyncio.to_thread(_wait_for_each, receiver, {row["id"] for row in rows})
    _check_webhooks(receiver, merchant)


def _wait_for_each(receiver: Receiver, ids: set[str]) -> None:
    """Wait until every payment's webhook has come at least once."""
    done = threading.Event()
    for _ in range(300):
        if ids <= {json.loads(hook.body)["id"] for hook in list(receiver.received)}:
            return
        done.wait(0.1)
    missing = ids - {json.loads(hook.body)["id"] for hook in receiver.received}
    raise AssertionError(f"{len(missing)} of {len(ids)} webhooks never came")


def _check_webhooks(receiver: Receiver, merchant: Merchant) -> None:
    """Each passes the Standard Webhooks library's check; repeats have the same id and bytes."""
    library = Webhook("whsec_" + base64.b64encode(merchant.secret.encode()).decode())
    bodies: dict[str, bytes] = {}
    for hook in receiver.received:
        library.verify(hook.body, hook.headers)
        assert bodies.setdefault(hook.headers["webhook-id"], hook.body) == hook.body
    payments = Counter(json.loads(body)["id"] for body in bodies.values())
    assert set(payments.values()) == {1}


async def test_two_processes_and_one_key_make_one_charge(
    live_gateway: Callable[..., LiveGateway],
) -> None:
    first, second = live_gateway(), live_gateway()
    with first, second:
        async with (
            httpx.AsyncClient(base_url=first.url, timeout=20, trust_env=False) as one,
            httpx.AsyncClient(base_url=second.url, timeout=20, trust_env=False) as two,
        ):
            merchant = await create_merchant(one)
            for _ in range(200):
                await _race(one, two, merchant)
            rows = await _every_transaction(one, merchant)
    assert len(rows) == 200


async def _race(one: httpx.AsyncClient, two: httpx.AsyncClient, merchant: Merchant) -> None:
    headers = {**merchant.headers, "Idempotency-Key": uuid4().hex}
    answers = await asyncio.gather(
        *(client.post(f"{API}/payments/charge", json=charge_body(), headers=headers) for client in (one, two))
    )
    made = [a for a in answers if a.status_code == 201 and "idempotent-replayed" not in a.headers]
    assert len(made) == 1, [(answer.status_code, answer.headers, answer.text) for answer in answers]
    other = next(answer for answer in answers if answer is not made[0])
    if other.status_code == 201:
        assert other.headers["idempotent-replayed"] == "true"
        assert other.content == made[0].content
    else:
        assert (other.status_code, other.json()["error_code"]) == (409, "IDEMPOTENCY_IN_PROGRESS")
        assert "retry-after" in other.headers


async def test_a_payment_completes_although_the_gateway_was_down_when_it_was_due(
    live_gateway: Callable[..., LiveGateway], tmp_path: Path, receiver: Receiver
) -> None:
    gateway = live_gateway(PAYMENT_DELAY_SECONDS="1")
    await asyncio.to_thread(gateway.start)
    async with httpx.AsyncClient(base_url=gateway.url, trust_env=False) as client:
        merchant = await create_merchant(client)
        body = charge_body(webhookUrl=receiver.url)
        answer = await client.post(f"{API}/payments/charge", json=body, headers=merchant.headers)
    await asyncio.to_thread(gateway.kill)
    await asyncio.to_thread(wait_until_no_mongod, tmp_path / "data")
    assert receiver.received == []
    with gateway:
        hook = (await asyncio.to_thread(receiver.wait_for, 1))[0]
    assert json.loads(hook.body)["id"] == answer.json()["id"]
