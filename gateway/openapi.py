"""What FastAPI's OpenAPI document leaves to be said."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

_DESCRIPTION = """\
A stateful mock payment service provider for tests. Register to get an API key and a webhook
secret, charge with `X-API-Key`, and receive signed webhooks. No real card is ever involved.

Use **Authorize** with a token from a login route (`bearer`), an API key (`apiKey`), or both.
"""

_SIGNATURE = {
    "type": "apiKey",
    "in": "header",
    "name": "X-Signature",
    "description": "HMAC-SHA256 with the webhook secret: hex over the body, or t=<unix>,v1=<hex>.",
}

_TOO_LARGE = {
    "description": "The body is larger than MAX_BODY_BYTES.",
    "content": {
        "application/json": {
            "schema": {"$ref": "#/components/schemas/ErrorBody"},
            "example": {
                "detail": "The body is larger than 262144 bytes.",
                "error_code": "BODY_TOO_LARGE",
                "request_id": "req_019e6b0c9a2f0000c2a90d5e4f11",
            },
        }
    },
}


def install_openapi(app: FastAPI) -> None:
    """Describe the API; a route's two header schemes are needed together, not one of them."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = get_openapi(
                title=app.title, version=app.version, description=_DESCRIPTION, routes=app.routes
            )
            schema["components"]["securitySchemes"]["signature"] = _SIGNATURE
            for path in schema["paths"].values():
                for operation in path.values():
                    _require_together(operation)
                    _limit_body(operation)
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign] # FastAPI's documented way


def _limit_body(operation: dict[str, Any]) -> None:
    """Every body may be too large, which the middleware finds out before any route."""
    if "requestBody" in operation:
        operation["responses"]["413"] = _TOO_LARGE


def _require_together(operation: dict[str, Any]) -> None:
    schemes = [name for entry in operation.get("security", []) for name in entry]
    if not schemes:
        return
    required = {name: [] for name in dict.fromkeys(schemes)}  # type: dict[str, list[str]]
    operation["security"] = [required]
    if "signature" in required and operation.get("operationId", "").startswith("charge"):
        unsigned = {name: [] for name in required if name != "signature"}  # type: dict[str, list[str]]
        operation["security"] = [unsigned, required]
