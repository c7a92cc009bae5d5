"""Every route of the gateway: the table of contents."""

from fastapi import FastAPI

from gateway.admin.router import router as admin
from gateway.auth.router import router as auth
from gateway.payments.router import catch_all, router as payments
from gateway.status.router import root, router as status
from gateway.users.router import router as users
from gateway.webhooks.router import router as webhooks


def include_routers(app: FastAPI) -> None:
    """Add every room's routes; ``catch_all`` last, since it takes any path of two parts."""
    app.include_router(payments)
    app.include_router(users)
    app.include_router(auth)
    app.include_router(webhooks)
    app.include_router(admin)
    app.include_router(status)
    app.include_router(root)
    app.include_router(catch_all)
