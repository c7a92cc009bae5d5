"""Several gateways on one MongoDB: the work is shared, nothing is doubled, nothing is lost."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from uuid import uuid4

import httpx

from tests.support.factories import API, charge_body, create_merchant
from tests.support.live import LiveGateway
from tests.support.receiver import Receiver

_CHARGES = 300


async def test_gateways_on_one_mongodb_share_the_work(
    live_gateway: Callable[..., LiveGateway], mongod_url: str, receiver: Receiver
) -> None:
    secrets = {"JWT_SECRET": "j" * 8 + uuid4().hex, "ENCRYPTION_KEY": "e" * 8 + uuid4().hex}
    shared = {"MONGODB_URL": mongod_url, "MONGODB_DATABASE": f"test_{uuid4().hex[:12]}", **secrets}
    gateways = [live_gateway(**shared) for _ in range(2)]
    with gateways[0], gateways[1]:
        clients = [httpx.AsyncClient(base_url=g.url, timeout=30, trust_env=False) for g in gateways]
        merchant = await create_merchant(clients[0])
        body = charge_body(webhookUrl=receiver.url)
        answers = await asyncio.gather(
            *(
                clients[number % 2].post(f"{API}/payments/charge", json=body, headers=merchant.headers)
                for number in range(_CHARGES)
            )
        )
        assert {answer.status_code for answer in answers} == {201}
        hooks = await asyncio.to_thread(receiver.wait_for, _CHARGES, seconds=30)
        for client in clients:
            page = await client.get(f"{API}/payments/all?limit=1000", headers=merchant.headers)
            assert page.json()["totalTransactions"] == _CHARGES
            assert {row["status"] for row in page.json()["transactions"]} == {"completed"}
            await client.aclose()
        delivered = [await _deliveries_counted(gateway) for gateway in gateways]
    told = Counter(json.loads(hook.body)["id"] for hook in hooks)
    assert told == Counter({answer.json()["id"]: 1 for answer in answers})
    assert len(receiver.received) == _CHARGES
    assert sum(delivered) == _CHARGES


async def _deliveries_counted(gateway: LiveGateway) -> int:
    async with httpx.AsyncClient(base_url=gateway.url, trust_env=False) as client:
        figures = (await client.get("/metrics")).text
    prefix = 'gateway_deliveries_total{result="succeeded"} '
    lines = [line for line in figures.splitlines() if line.startswith(prefix)]
    return int(float(lines[0].removeprefix(prefix))) if lines else 0
