"""The event loop is kept free: what takes long is done elsewhere."""

import asyncio
import statistics
import time

import httpx
from fastapi import FastAPI

from gateway.config import Settings
from tests.support.factories import API, PASSWORD, create_charge, create_merchant

_SLOW_ROUNDS = 12


async def _lags(stop: asyncio.Event) -> list[float]:
    """How late the loop comes back from a sleep, in seconds, over and over."""
    lags = []
    while not stop.is_set():
        asked = time.perf_counter()
        await asyncio.sleep(0.002)
        lags.append(time.perf_counter() - asked - 0.002)
    return lags


async def test_logins_leave_the_loop_to_charges(
    app: FastAPI, client: httpx.AsyncClient, settings: Settings
) -> None:
    merchant = await create_merchant(client)
    settings.password_hash_rounds = _SLOW_ROUNDS
    slow = await create_merchant(client)
    stop = asyncio.Event()
    watched = asyncio.create_task(_lags(stop))

    async def log_in() -> float:
        started = time.perf_counter()
        body = {"email": slow.email, "password": PASSWORD}
        assert (await client.post(f"{API}/users/login", json=body)).status_code == 200
        return time.perf_counter() - started

    async def charge() -> None:
        while not stop.is_set():
            await create_charge(client, merchant=merchant)
            await asyncio.sleep(0.005)

    charging = asyncio.create_task(charge())
    hashing = min([await log_in() for _ in range(6)])
    stop.set()
    lags = await watched
    await charging
    # Relative to the work itself, so that a slow machine changes nothing: were a password hashed
    # on the loop, the longest lag would be a whole login.
    assert max(lags) < hashing / 2
    assert statistics.median(lags) < hashing / 50
