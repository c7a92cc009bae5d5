"""Who is calling, as parameter types: a route without one of these is public."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader, HTTPBearer

from gateway.api_keys import service as api_keys
from gateway.api_keys.service import ApiKeyOwner
from gateway.auth import signatures
from gateway.auth.signatures import InvalidSignature, TimestampedSignature
from gateway.auth.tokens import token_subject
from gateway.config import Settings
from gateway.errors import GatewayError
from gateway.users import service as users
from gateway.users.roles import Role
from gateway.users.service import Person

_bearer = HTTPBearer(
    auto_error=False, scheme_name="bearer", bearerFormat="JWT", description="From a login route."
)
api_key_header = APIKeyHeader(
    name="X-API-Key", auto_error=False, scheme_name="apiKey", description="PK_LIVE_…, from registration."
)


class _SignatureHeader(APIKeyHeader):
    """Unlike its base it passes an empty header on: that is a wrong signature, not a missing one."""

    def check_api_key(self, api_key: str | None) -> str | None:
        return api_key


signature_header = _SignatureHeader(
    name="X-Signature",
    auto_error=False,
    scheme_name="signature",
    description="HMAC-SHA256 with the webhook secret: hex over the body, or t=<unix>,v1=<hex> over t.body.",
)


class NotAuthenticated(GatewayError):
    status_code = 401
    error_code = "NOT_AUTHENTICATED"
    detail = "Authorization header missing."

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail, headers={"WWW-Authenticate": "Bearer"})


class InvalidApiKey(GatewayError):
    status_code = 401
    error_code = "INVALID_API_KEY"
    detail = "Invalid or missing X-API-Key. Access denied."

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail, headers={"WWW-Authenticate": 'ApiKey header="X-API-Key"'})


class AccessDenied(GatewayError):
    status_code = 403
    error_code = "ACCESS_DENIED"
    detail = "Access denied. Allowed roles: ('admin', 'system_admin')"

    @classmethod
    def unless(cls, *roles: Role) -> "AccessDenied":
        """The refusal that names the roles that would have been let in."""
        return cls(f"Access denied. Allowed roles: {tuple(role.value for role in roles)}")


async def settings_of(request: Request) -> Settings:
    """The settings of the application that serves this request."""
    settings: Settings = request.app.state.settings
    return settings


CurrentSettings = Annotated[Settings, Depends(settings_of)]


async def _current_user(
    request: Request, settings: CurrentSettings, _: Annotated[object, Security(_bearer)]
) -> Person:
    header = request.headers.get("Authorization")
    if not header:
        raise NotAuthenticated
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise NotAuthenticated("Invalid authorization header format.")
    user_id = token_subject(settings, token.strip())
    person = await users.find_person(user_id) if user_id else None
    if person is None:
        raise NotAuthenticated("Invalid or expired token.")
    request.scope["caller"] = person.id
    return person


CurrentUser = Annotated[Person, Depends(_current_user)]


def _role(*roles: Role) -> Callable[[Person], Awaitable[Person]]:
    async def check(caller: CurrentUser) -> Person:
        if caller.role not in roles:
            raise AccessDenied.unless(*roles)
        return caller

    return check


AnyAdmin = Annotated[Person, Depends(_role(Role.ADMIN, Role.SYSTEM_ADMIN))]
SystemAdmin = Annotated[Person, Depends(_role(Role.SYSTEM_ADMIN))]


async def _api_key_caller(
    request: Request, settings: CurrentSettings, key: Annotated[str | None, Security(api_key_header)]
) -> ApiKeyOwner:
    owner = await api_keys.find_owner(settings, key) if key else None
    if owner is None:
        raise InvalidApiKey
    request.scope["caller"] = owner.id
    return owner


ApiKeyCaller = Annotated[ApiKeyOwner, Depends(_api_key_caller)]


@dataclass(frozen=True, slots=True)
class SignedCaller:
    """A merchant's server whose signature, where it sent or owes one, is good.

    ``once`` is the signature that must not be seen a second time, for keys that require one.
    """

    owner: ApiKeyOwner
    once: TimestampedSignature | None


async def _signed_caller(
    request: Request,
    settings: CurrentSettings,
    owner: ApiKeyCaller,
    header: Annotated[str | None, Security(signature_header)],
) -> SignedCaller:
    if header is None:
        if owner.require_signature:
            raise InvalidSignature("This API key requires X-Signature: t=<unix seconds>,v1=<hex>.")
        return SignedCaller(owner, None)
    if owner.require_signature and not signatures.is_timestamped(header):
        raise InvalidSignature("This API key accepts only the form t=<unix seconds>,v1=<hex>.")
    used = await check_signature(request, settings, owner.id, header)
    return SignedCaller(owner, used if owner.require_signature else None)


SignedMerchant = Annotated[SignedCaller, Depends(_signed_caller)]


async def check_signature(
    request: Request, settings: Settings, owner_id: str, header: str
) -> TimestampedSignature | None:
    """Check either form of ``X-Signature`` over this request's body with the owner's secret.

    Raises:
        InvalidSignature: it does not fit.
    """
    body = await request.body()
    secret = await users.webhook_secret(settings, owner_id)
    api_key = request.headers["X-API-Key"]
    if not signatures.is_timestamped(header):
        signatures.check_plain(header, body, secret, api_key=api_key)
        return None
    return signatures.check_timestamped(
        header,
        body,
        secret,
        api_key=api_key,
        now=time.time(),
        tolerance=settings.signature_tolerance_seconds,
    )
