"""What can go wrong in a request, and the only place where that becomes JSON."""

from collections.abc import Mapping
from typing import Any

import orjson
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from pymongo.errors import PyMongoError
from starlette.exceptions import HTTPException

from gateway.kit.cards import mask_card_numbers

log = structlog.get_logger(__name__)

# A URL may hold a password or a token.
_SECRET_NAMES = ("password", "secret", "token", "card", "apikey", "authorization", "cvc", "cvv", "url")
_MAX_ECHO = 200


class StartupError(Exception):
    """The gateway can't start; the message is the one line its operator sees."""


class GatewayError(Exception):
    """A refusal with a status, a code for programs and a sentence for people.

    Subclasses set the class attributes; an instance may give its own ``detail`` and add a
    ``hint``, which says how to get it right.
    """

    status_code: int = 500
    error_code: str = "INTERNAL_ERROR"
    detail: str = "Internal Server Error"

    def __init__(
        self,
        detail: str | None = None,
        *,
        hint: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.detail = detail or type(self).detail
        self.hint = hint
        self.headers = dict(headers or {})
        super().__init__(self.detail)


class StoreUnavailable(GatewayError):
    status_code = 503
    error_code = "STORE_UNAVAILABLE"
    detail = "The store does not answer. Try again."


class ErrorBody(BaseModel):
    """Every error's JSON; ``hint`` is there where the gateway knows what went wrong."""

    detail: str = Field(examples=["Not Found"])
    error_code: str = Field(examples=["NOT_FOUND"])
    request_id: str = Field(examples=["req_019e6b0c9a2f0000c2a90d5e4f11"])
    hint: str | None = None


class FieldProblem(BaseModel):
    """One refused field of a request, in FastAPI's form."""

    type: str
    loc: list[str | int]
    msg: str
    input: Any = None
    ctx: dict[str, Any] | None = None


class ValidationErrorBody(BaseModel):
    """The JSON of a 422: FastAPI's list, or one sentence where no field is to blame."""

    detail: list[FieldProblem] | str
    error_code: str = Field(examples=["VALIDATION_ERROR"])
    request_id: str
    hint: str | None = None


_REFUSED_FIELD = {
    "detail": [{"type": "missing", "loc": ["body", "email"], "msg": "Field required"}],
    "error_code": "VALIDATION_ERROR",
    "request_id": "req_019e6b0c9a2f0000c2a90d5e4f11",
}


def responses(*errors: type[GatewayError]) -> dict[int | str, dict[str, Any]]:
    """The ``responses=`` of a route that may answer with these errors, each with an example.

    422 and 503 may come from any route and are always there.
    """
    documented: dict[int | str, dict[str, Any]] = {
        422: {
            "model": ValidationErrorBody,
            "description": "The request is not valid.",
            "content": {"application/json": {"examples": {"VALIDATION_ERROR": {"value": _REFUSED_FIELD}}}},
        }
    }
    every: tuple[type[GatewayError], ...] = (*errors, StoreUnavailable)
    for error in every:
        entry = documented.setdefault(error.status_code, {"model": ErrorBody, "description": error.detail})
        content = entry.setdefault("content", {"application/json": {"examples": {}}})
        content["application/json"]["examples"][error.error_code] = {
            "value": {
                "detail": error.detail,
                "error_code": error.error_code,
                "request_id": "req_019e6b0c9a2f0000c2a90d5e4f11",
            }
        }
    return documented


def error_response(
    request_id: str,
    status_code: int,
    error_code: str,
    detail: object,
    *,
    hint: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The one shape of an error answer."""
    body = {"detail": detail, "error_code": error_code, "request_id": request_id}
    if hint is not None:
        body["hint"] = hint
    return Response(orjson.dumps(body), status_code, headers, "application/json")


def install_error_handlers(app: FastAPI) -> None:
    """Map every exception of a request to its answer."""
    app.add_exception_handler(GatewayError, _on_gateway_error)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(PyMongoError, _on_store_error)


def _request_id(request: Request) -> str:
    return str(request.scope.get("request_id", ""))


async def _on_gateway_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, GatewayError)
    return error_response(
        _request_id(request),
        error.status_code,
        error.error_code,
        error.detail,
        hint=error.hint,
        headers=error.headers,
    )


_HTTP_CODES = {400: "BAD_REQUEST", 404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED", 413: "BODY_TOO_LARGE"}


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = _HTTP_CODES.get(error.status_code, f"HTTP_{error.status_code}")
    return error_response(_request_id(request), error.status_code, code, error.detail, headers=error.headers)


async def _on_validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    problems = [_safe_problem(problem) for problem in error.errors()]
    return error_response(_request_id(request), 422, "VALIDATION_ERROR", problems)


async def _on_store_error(request: Request, error: Exception) -> Response:
    log.error("store_error", error=type(error).__name__, request_id=_request_id(request))
    return error_response(
        _request_id(request),
        StoreUnavailable.status_code,
        StoreUnavailable.error_code,
        StoreUnavailable.detail,
        headers={"Retry-After": "1"},
    )


def _safe_problem(problem: Mapping[str, Any]) -> dict[str, Any]:
    """FastAPI's item without anything secret: the echoed input stays only where it is harmless."""
    # Members of a map are named by the caller, too.
    loc = [_excerpt(part) if isinstance(part, str) else part for part in problem["loc"]]
    safe = {"type": problem["type"], "loc": loc, "msg": problem["msg"]}
    if context := {k: v for k, v in problem.get("ctx", {}).items() if isinstance(v, int | float | str)}:
        safe["ctx"] = context
    if _may_echo(problem):
        echoed = problem["input"]
        safe["input"] = _excerpt(echoed) if isinstance(echoed, str) else echoed
    return safe


def _excerpt(text: str) -> str:
    return mask_card_numbers(text)[:_MAX_ECHO]


def _may_echo(problem: Mapping[str, Any]) -> bool:
    value, loc = problem.get("input"), [str(part) for part in problem["loc"]]
    if value == "":
        return True
    names = [part.replace("_", "").replace("-", "").lower() for part in loc]
    if len(loc) < 2 or any(secret in name for name in names for secret in _SECRET_NAMES):
        return False
    is_number = isinstance(value, int | float) and abs(value) < 10**12
    return value is None or is_number or isinstance(value, str)
