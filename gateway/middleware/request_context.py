"""Around every request: its id, the body limit, the log line, the metrics, the last resort."""

import re
import sys
import time
from functools import cache

import structlog
from prometheus_client import Counter, Histogram
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.errors import error_response
from gateway.kit import clock
from gateway.kit.cards import holds_card_number
from gateway.kit.ids import new_id
from gateway.metrics import LATENCY, REQUESTS

_USABLE_ID = re.compile(r"[\x21-\x7e]{1,128}")
_UNMATCHED = "(no route)"
_KNOWN_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"})


class RequestContext:
    """Pure ASGI, outermost, so that its id, log line and figures cover every answer."""

    def __init__(self, app: ASGIApp, *, max_body_bytes: int) -> None:
        self._app = app
        self._max_body_bytes = max_body_bytes
        # Assembled once rather than for every line.
        self._log = structlog.get_logger("gateway.access").bind()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._app(scope, receive, _with_plain_failure(send))
        else:
            await self._app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        given_id, length = _interesting_headers(scope)
        request_id = _request_id(given_id)
        scope["request_id"] = request_id
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            if length > self._max_body_bytes:
                await self._too_large(scope, receive, send_with_id)
            else:
                await self._app(scope, self._limited(receive), send_with_id)
        except Exception:
            self._log.exception("request_failed", request_id=request_id)
            if status:
                raise
            failure = error_response(request_id, 500, "INTERNAL_ERROR", "Internal Server Error")
            await failure(scope, receive, send_with_id)
        finally:
            self._report(scope, request_id, status, time.perf_counter() - started)

    async def _too_large(self, scope: Scope, receive: Receive, send: Send) -> None:
        detail = f"The body is larger than {self._max_body_bytes} bytes."
        refusal = error_response(
            scope["request_id"], 413, "BODY_TOO_LARGE", detail, headers={"Connection": "close"}
        )
        await refusal(scope, receive, send)

    def _limited(self, receive: Receive) -> Receive:
        left = self._max_body_bytes

        async def receive_within_limit() -> Message:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                detail = f"The body is larger than {self._max_body_bytes} bytes."
                raise HTTPException(413, detail, headers={"Connection": "close"})
            return message

        return receive_within_limit

    def _report(self, scope: Scope, request_id: str, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", _UNMATCHED)
        method = scope["method"] if scope["method"] in _KNOWN_METHODS else "OTHER"
        requests, latency = _figures(method, route, status)
        requests.inc()
        latency.observe(seconds)
        self._log.info(
            "request",
            request_id=request_id,
            caller=scope.get("caller"),
            method=method,
            route=route,
            status=status,
            milliseconds=round(seconds * 1000, 2),
        )


def _interesting_headers(scope: Scope) -> tuple[str, int]:
    """The caller's own request id and the announced length of the body."""
    given_id, length = "", 0
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            given_id = value.decode("latin-1")
        elif name == b"content-length" and value.isdigit():
            length = int(value)
    return given_id, length


def _request_id(given: str) -> str:
    if given and _USABLE_ID.fullmatch(given) and not holds_card_number(given):
        return given
    return new_id("req", clock.now())


@cache
def _figures(method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    return REQUESTS.labels(method, route, status), LATENCY.labels(method, route)


def _with_plain_failure(send: Send) -> Send:
    """A failed start is told in its exception's own line rather than as a traceback."""

    async def send_plainly(message: Message) -> None:
        if message["type"] == "lifespan.startup.failed":
            message = {**message, "message": str(sys.exc_info()[1])}
        await send(message)

    return send_plainly
