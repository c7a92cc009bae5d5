"""What tells about the service itself."""

import httpx
import pytest
from fastapi import FastAPI
from pymongo.errors import ServerSelectionTimeoutError

from tests.contract.support import ON_SHARED_APP, TIME, assert_error
from tests.support.factories import API, create_charge, create_merchant

pytestmark = ON_SHARED_APP


async def test_the_root_names_the_service_and_links_to_docs_and_dashboard(client: httpx.AsyncClient) -> None:
    answer = await client.get("/")
    assert answer.status_code == 200
    assert set(answer.json()) >= {"name", "version", "docs", "dashboard"}
    assert answer.json()["name"] == "Mock Payment Gateway"
    docs = await client.get(answer.json()["docs"])
    assert docs.status_code == 200


async def test_health_is_ok_while_the_store_answers(client: httpx.AsyncClient) -> None:
    answer = await client.get("/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_health_is_a_503_when_the_store_does_not_answer(
    client: httpx.AsyncClient, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def gone() -> None:
        raise ServerSelectionTimeoutError("mongodb://user:password@host is gone")

    monkeypatch.setattr(app.state.store, "ping", gone)
    answer = await client.get("/health")
    assert_error(answer, 503, code="STORE_UNAVAILABLE")
    assert int(answer.headers["Retry-After"]) >= 1
    assert "password" not in answer.text


async def test_status_has_the_promised_members(client: httpx.AsyncClient) -> None:
    answer = await client.get(f"{API}/status")
    body = answer.json()
    assert answer.status_code == 200
    assert set(body) == {"status", "service", "version", "message", "metrics"}
    assert (body["status"], body["service"]) == ("ok", "Mock Payment Gateway")
    assert body["message"] == "All systems operational."
    assert set(body["metrics"]) == {"totalTransactions", "lastRestart"}
    assert TIME.fullmatch(body["metrics"]["lastRestart"])


async def test_status_counts_transactions(client: httpx.AsyncClient) -> None:
    merchant = await create_merchant(client)
    before = (await client.get(f"{API}/status")).json()["metrics"]
    for _ in range(3):
        await create_charge(client, merchant=merchant)
    after = (await client.get(f"{API}/status")).json()["metrics"]
    assert after["totalTransactions"] == before["totalTransactions"] + 3
    assert after["lastRestart"] == before["lastRestart"]


async def test_metrics_are_prometheus_text(client: httpx.AsyncClient) -> None:
    answer = await client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert "gateway_requests_total" in answer.text
