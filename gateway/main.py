"""The application: its lifespan, its middleware, its routes."""

import asyncio
import gc
import multiprocessing
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from beanie import Document
from fastapi import FastAPI

from gateway import SERVICE_NAME, VERSION
from gateway.api import include_routers
from gateway.api_keys.documents import ApiKey
from gateway.auth.documents import UsedSignature
from gateway.config import Settings
from gateway.errors import StartupError, install_error_handlers
from gateway.kit import clock
from gateway.logs import configure_logs
from gateway.middleware.request_context import RequestContext
from gateway.openapi import install_openapi
from gateway.payments import progress
from gateway.payments.documents import DeletedTransaction, Transaction, TransactionCount
from gateway.store.connection import open_store
from gateway.store.due import Worker
from gateway.users import service as users
from gateway.users.documents import User
from gateway.webhooks.documents import Delivery, Event
from gateway.webhooks.worker import DeliveryWorker

DOCUMENTS: tuple[type[Document], ...] = (
    User,
    ApiKey,
    UsedSignature,
    Transaction,
    DeletedTransaction,
    TransactionCount,
    Event,
    Delivery,
)


def create_app(settings: Settings | None = None) -> FastAPI:
    """The gateway as an ASGI application; without ``settings`` those of the environment.

    Raises:
        StartupError: settings that can't be used.
    """
    settings = settings or Settings.load()
    configure_logs(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        _end_with_parent()
        async with open_store(settings, DOCUMENTS) as store:
            app.state.store = store
            app.state.started_at = clock.now()
            if password := await users.ensure_system_admin(settings):
                print(
                    f"  admin     {settings.admin_email}, password {password} (shown this once)", flush=True
                )
            async with _workers(settings):
                # What a start has made lives until the end: the collector need not look at it again.
                gc.collect()
                gc.freeze()
                yield

    app = FastAPI(title=SERVICE_NAME, version=VERSION, lifespan=lifespan)
    app.state.settings = settings
    install_error_handlers(app)
    install_openapi(app)
    include_routers(app)
    app.add_middleware(RequestContext, max_body_bytes=settings.max_body_bytes)
    return app


@asynccontextmanager
async def _workers(settings: Settings) -> AsyncIterator[None]:
    """Complete payments and deliver webhooks while the application runs."""
    deliveries = DeliveryWorker(settings)

    async def complete() -> bool:
        count = await progress.advance_due(settings)
        if count:
            deliveries.wake()
        return count == progress.AT_ONCE

    completions = Worker("completions", complete, settings.worker_poll_seconds)
    completions.start()
    deliveries.start()
    try:
        yield
    finally:
        await asyncio.gather(completions.stop(), deliveries.stop())


def _end_with_parent() -> None:
    """A worker process whose supervisor was killed ends at once, rather than serve on unseen.

    At once, since it holds the port that a new start needs, and a crash loses nothing anyway.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        asyncio.get_running_loop().add_reader(parent.sentinel, os._exit, 1)


def __getattr__(name: str) -> FastAPI:
    """``gateway.main:app`` for servers that want an instance; importing alone reads no settings."""
    if name != "app":
        raise AttributeError(name)
    try:
        return create_app()
    except StartupError as error:
        sys.exit(f"error: {error}")
