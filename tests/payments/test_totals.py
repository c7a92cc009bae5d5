"""Totals: always what a count of the documents would say, whatever happened in between."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from gateway.config import Settings
from gateway.kit import clock, ids
from gateway.main import create_app
from gateway.payments import counts, progress, totals
from gateway.payments.documents import Transaction
from gateway.store.unit_of_work import Session
from tests.support.factories import API, Merchant, create_charge, create_merchant, log_in

_FILTERS: list[dict[str, Any]] = [
    {},
    {"minAmount": "20"},
    {"minAmount": "20", "maxAmount": "60", "sortBy": "amount"},
    {"currency": "EUR"},
    {"status": "completed"},
    {"status": "pending", "currency": "USD"},
    {"customerName": "Customer 1"},
]


@pytest.fixture(params=["settling at once", "settling as shipped"])
def settling(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "settling at once":
        monkeypatch.setattr(counts, "_SETTLING", timedelta(0))
        monkeypatch.setattr(counts, "_MOVED_EVERY", timedelta(0))
        monkeypatch.setattr(totals, "_TAIL", 2)


@pytest.fixture
async def second_client(app: FastAPI, settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """Another application on the same database."""
    other = create_app(settings)
    async with other.router.lifespan_context(other):
        transport = httpx.ASGITransport(other)
        async with httpx.AsyncClient(transport=transport, base_url="http://other") as made:
            yield made


async def _charge_some(client: httpx.AsyncClient, merchant: Merchant, count: int) -> list[str]:
    made = await asyncio.gather(
        *(
            create_charge(
                client,
                merchant=merchant,
                paymentAmount=10 + number * 7 % 90,
                currency="EUR" if number % 3 else "USD",
                customerName=f"Customer {number % 4}",
            )
            for number in range(count)
        )
    )
    return [charged["id"] for charged in made]


async def _check(client: httpx.AsyncClient, headers: dict[str, str], merchant: Merchant) -> None:
    stored = [row async for row in Transaction.get_pymongo_collection().find({"owner_id": merchant.id})]
    for given in _FILTERS:
        answer = await client.get(f"{API}/payments/query", params=given, headers=headers)
        expected = sum(_matches(row, given) for row in stored)
        assert answer.status_code in (200, 404), answer.text
        total = answer.json()["totalTransactions"] if answer.status_code == 200 else 0
        if "status" not in given:  # completions go on meanwhile
            assert total == expected, given
    listed = await client.get(f"{API}/payments/all", headers=headers)
    assert listed.json()["totalTransactions"] == len(stored)


async def _until_all_completed(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    for _ in range(200):
        answer = await client.get(f"{API}/payments/query?status=pending", headers=headers)
        if answer.status_code == 404:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("a payment did not complete within 10 s")


def _matches(row: dict[str, Any], given: dict[str, Any]) -> bool:
    return bool(
        row["amount"] >= 100 * int(given.get("minAmount", 0))
        and row["amount"] <= 100 * int(given.get("maxAmount", 10**9))
        and row["currency"] == given.get("currency", row["currency"])
        and row["status"] == given.get("status", row["status"])
        and row["customer_name"] == given.get("customerName", row["customer_name"])
    )


@pytest.mark.usefixtures("settling")
async def test_totals_follow_charges_and_deletions(client: httpx.AsyncClient) -> None:
    merchant = await create_merchant(client)
    headers = {**merchant.headers, **await log_in(client, email=merchant.email)}
    for _ in range(3):
        ids = await _charge_some(client, merchant, 12)
        await _check(client, headers, merchant)
        await client.delete(f"{API}/transactions/{ids[3]}", headers=headers)
        await _check(client, headers, merchant)


@pytest.mark.usefixtures("settling")
async def test_totals_hold_across_applications(
    client: httpx.AsyncClient, second_client: httpx.AsyncClient
) -> None:
    merchant = await create_merchant(client)
    headers = {**merchant.headers, **await log_in(client, email=merchant.email)}
    for first, second in ((client, second_client), (second_client, client)):
        ids = await _charge_some(first, merchant, 8)
        await _check(second, headers, merchant)
        await second.delete(f"{API}/transactions/{ids[0]}", headers=headers)
        await _check(first, headers, merchant)


async def test_an_unchanged_store_is_not_counted_again(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    merchant = await create_merchant(client)
    headers = {**merchant.headers, **await log_in(client, email=merchant.email)}
    await _charge_some(client, merchant, 5)
    await _until_all_completed(client, headers)
    first = await client.get(f"{API}/payments/query?minAmount=1", headers=headers)

    async def refuse(*_: object, **__: object) -> int:
        raise AssertionError("counted again")

    monkeypatch.setattr(totals, "_count", refuse)
    again = await client.get(f"{API}/payments/query?minAmount=1", headers=headers)
    assert again.json()["totalTransactions"] == first.json()["totalTransactions"] == 5


async def test_totals_are_right_while_payments_are_made_and_complete(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "_TOGETHER", 2)
    merchant = await create_merchant(client)
    headers = {**merchant.headers, **await log_in(client, email=merchant.email)}
    begun = answered = 0

    async def charge_some() -> None:
        nonlocal begun, answered
        for _ in range(40):
            begun += 1
            await create_charge(client, merchant=merchant)
            answered += 1

    charging = [asyncio.create_task(charge_some()) for _ in range(4)]
    while not all(task.done() for task in charging):
        for path in ("all?limit=1000", "query?minAmount=1&limit=1000", "query?status=pending&limit=1000"):
            least = 0 if "status" in path else answered
            answer = await client.get(f"{API}/payments/{path}", headers=headers)
            found = answer.json() if answer.status_code == 200 else {}
            total = found.get("totalTransactions", 0)
            assert least <= total <= begun, path
            assert total == len(found.get("transactions", [])), path
    await asyncio.gather(*charging)
    assert answered == 160


async def test_a_slow_count_leaves_out_nothing_that_comes_meanwhile(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    merchant = await create_merchant(client)
    headers = {**merchant.headers, **await log_in(client, email=merchant.email)}
    await _charge_some(client, merchant, 2)
    figures_of, now = counts.figures_of, clock.now
    with monkeypatch.context() as patched:
        patched.setattr(ids, "_last_millis", ids._last_millis)  # ids never go back: they are to, here

        async def slowly(owner_id: str, session: Session) -> counts.Figures:
            figures = await figures_of(owner_id, session)
            patched.setattr(clock, "now", lambda: now() + timedelta(minutes=1))
            return figures

        patched.setattr(counts, "figures_of", slowly)
        await client.get(f"{API}/payments/query?minAmount=1", headers=headers)
    await _charge_some(client, merchant, 3)
    answer = await client.get(f"{API}/payments/query?minAmount=1", headers=headers)
    assert answer.json()["totalTransactions"] == 5


async def test_totals_of_a_status_hold_whichever_side_is_counted(
    client: httpx.AsyncClient, settings: Settings
) -> None:
    merchant = await create_merchant(client)
    headers = {**merchant.headers, **await log_in(client, email=merchant.email)}

    async def totals_of(status: str) -> list[int]:
        answers = [
            await client.get(f"{API}/payments/query?status={status}&{rest}", headers=headers)
            for rest in ("minAmount=10", "minAmount=50", "currency=EUR", "minAmount=50&currency=EUR")
        ]
        return [answer.json().get("totalTransactions", 0) for answer in answers]

    await _charge_some(client, merchant, 12)  # of 10, 17, 24 … 87 in major units, every third in USD
    await _until_all_completed(client, headers)
    assert (await totals_of("completed"), await totals_of("pending")) == ([12, 6, 8, 4], [0, 0, 0, 0])
    settings.payment_delay_seconds = 100
    await _charge_some(client, merchant, 6)
    assert (await totals_of("completed"), await totals_of("pending")) == ([12, 6, 8, 4], [6, 0, 4, 0])
    await _charge_some(client, merchant, 12)
    assert (await totals_of("completed"), await totals_of("pending")) == ([12, 6, 8, 4], [18, 6, 12, 4])
