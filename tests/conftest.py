"""Fixtures: one real mongod for the whole run, a fresh database for each test."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from pymongo import AsyncMongoClient

from gateway.config import Settings
from gateway.main import create_app
from gateway.store.mongod import EmbeddedMongod
from tests.support.factories import make_settings
from tests.support.live import LiveGateway, wait_until_no_mongod
from tests.support.receiver import Receiver


@pytest.fixture(scope="session")
def mongod_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The connection string of an embedded mongod that lives as long as the run."""
    folder: Path = tmp_path_factory.mktemp("store")
    mongod = EmbeddedMongod(make_settings(gateway_data_dir=folder, mongodb_url=""))
    yield asyncio.run(mongod.start())
    mongod.release()


@pytest.fixture
async def settings(mongod_url: str) -> AsyncIterator[Settings]:
    """Settings for a fresh database, which is dropped afterwards."""
    made = make_settings(mongodb_url=mongod_url, mongodb_database=f"test_{uuid4().hex[:12]}")
    yield made
    async with AsyncMongoClient[dict[str, object]](mongod_url) as client:
        await client.drop_database(made.mongodb_database)


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[FastAPI]:
    """The running application: lifespan entered, workers at work."""
    made = create_app(settings)
    async with made.router.lifespan_context(made):
        yield made


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Calls the application in this process, through all of its middleware."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as made:
        yield made


@pytest.fixture
def live_gateway(tmp_path: Path) -> Iterator[Callable[..., LiveGateway]]:
    """Makes gateways in processes of their own, all on one data folder; ends what is left."""
    made: list[LiveGateway] = []

    def make(**values: str) -> LiveGateway:
        made.append(LiveGateway(tmp_path / "data", port=None, **values))
        return made[-1]

    yield make
    for gateway in made:
        gateway.end()
    wait_until_no_mongod(tmp_path / "data")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A real HTTP server on 127.0.0.1 that records what it is sent."""
    with Receiver() as made:
        yield made
