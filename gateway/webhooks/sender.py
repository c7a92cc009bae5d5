"""One delivery attempt over HTTP."""

import asyncio
import time

import httpx

from gateway.kit import clock
from gateway.webhooks.documents import Attempt


def http_client(timeout_seconds: float, connections: int) -> httpx.AsyncClient:
    """A client that follows no redirect, uses no proxy and keeps no cookie of a receiver."""
    return httpx.AsyncClient(
        timeout=timeout_seconds,
        follow_redirects=False,
        trust_env=False,
        limits=httpx.Limits(max_connections=connections, max_keepalive_connections=0),
    )


async def attempt(
    client: httpx.AsyncClient, url: str, body: bytes, headers: dict[str, str], timeout_seconds: float
) -> Attempt:
    """Post the body once; the timeout, in seconds, bounds the whole exchange."""
    at, started = clock.now(), time.perf_counter()
    status_code, error = None, None
    try:
        async with asyncio.timeout(timeout_seconds):
            async with client.stream("POST", url, content=body, headers=headers) as response:
                status_code = response.status_code
    except TimeoutError:
        error = f"no answer within {timeout_seconds:g} s"
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, OSError) as failure:
        error = f"{type(failure).__name__}: {failure}"[:200]
    return Attempt(
        at=at,
        milliseconds=round((time.perf_counter() - started) * 1000),
        status_code=status_code,
        error=error,
    )


def succeeded(attempt: Attempt) -> bool:
    """Whether the receiver took it: any 2xx."""
    return attempt.status_code is not None and 200 <= attempt.status_code < 300
