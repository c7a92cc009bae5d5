"""Every route of the gateway: the table of contents."""

from fastapi import FastAPI

from gateway.admin.router import router as admin
from gateway.auth.router import router as auth
from gateway.payments.router import catch_all, router as payments
from gateway.status.router import root, router as status
from gateway.users.router import router as users
from gateway.webhooks.router import router as webhooks

API = "/api/v1"


def include_routers(app: FastAPI) -> None:
    """Add every room's routes; ``catch_all`` last, since it takes any path of two parts."""
    app.include_router(payments, prefix=API)
    app.include_router(users, prefix=API)
    app.include_router(auth, prefix=API)
    app.include_router(webhooks, prefix=API)
    app.include_router(admin, prefix=API)
    app.include_router(status, prefix=API)
    app.include_router(root)
    app.include_router(catch_all, prefix=API)
