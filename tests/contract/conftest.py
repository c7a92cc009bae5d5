"""One running gateway for all contract tests: each test brings its own merchants instead."""

from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI
from pymongo import AsyncMongoClient

from gateway.config import Settings
from gateway.main import create_app
from tests.support.factories import make_settings


@pytest.fixture(scope="package")
def settings(mongod_url: str) -> Settings:
    """Payments stay pending, unless a test makes one due."""
    return make_settings(
        mongodb_url=mongod_url,
        mongodb_database=f"test_{uuid4().hex[:12]}",
        payment_delay_seconds=3600.0,
    )


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def app(settings: Settings) -> AsyncIterator[FastAPI]:
    """The running application, shared by the package."""
    made = create_app(settings)
    async with made.router.lifespan_context(made):
        yield made
    async with AsyncMongoClient[dict[str, object]](settings.mongodb_url) as client:
        await client.drop_database(settings.mongodb_database)


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Calls the application in this process, through all of its middleware."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as made:
        yield made
