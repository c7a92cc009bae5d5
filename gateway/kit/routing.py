"""Route classes: JSON bodies judged after authentication, and routes that claim only their method."""

from collections.abc import Callable, Coroutine
from json import JSONDecodeError
from typing import Any

import orjson
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import Scope

API = "/api/v1"
"""What every path but the service's own begins with."""


class _Unparsable:
    """Stands for a body that is no JSON until the dependencies, authentication first, have run."""

    def __init__(self, error: JSONDecodeError) -> None:
        self.problem = {
            "type": "json_invalid",
            "loc": ("body", error.pos),
            "msg": "JSON decode error",
            "input": None,
            "ctx": {"error": error.msg},
        }


class _Request(Request):
    async def json(self) -> Any:
        if not hasattr(self, "_json"):
            try:
                self._json = orjson.loads(await self.body())
            except orjson.JSONDecodeError as error:
                self._json = _Unparsable(error)
        return self._json


class GatewayRoute(APIRoute):
    """A route whose answer to a bad body never precedes its answer to a missing token."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_lazily(request: Request) -> Response:
            try:
                return await handle(_Request(request.scope, request.receive))
            except RequestValidationError as error:
                for problem in error.errors():
                    if isinstance(problem.get("input"), _Unparsable):
                        raise RequestValidationError([problem["input"].problem]) from error
                raise

        return handle_lazily


class ExactMethodRoute(GatewayRoute):
    """A catch-all that does not turn other methods' unknown paths into a 405."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, child_scope = super().matches(scope)
        return (match, child_scope) if match is Match.FULL else (Match.NONE, {})
