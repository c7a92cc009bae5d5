"""Every route of the gateway: the table of contents."""

from fastapi import FastAPI

from gateway.admin.router import router as admin
from gateway.auth.router import router as auth
from gateway.payments.router import catch_all, router as payments
from gateway.status.router import root, router as status
from gateway.users.router import router as users
from gateway.webhooks.router import router as webhooks

ROUTERS = (
    payments,
    users,
    auth,
    webhooks,
    admin,
    status,
    root,
    catch_all,  # last, since it takes any path of two parts
)


def include_routers(app: FastAPI) -> None:
    """Add every room's routes.

    Their paths are whole, so they are added as they are: ``include_router`` would put a second
    matching of each request around them.
    """
    for router in ROUTERS:
        app.router.routes.extend(router.routes)
