"""Who is calling, as parameter types: a route without one of these is public."""

import time
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request, Security
from fastapi.openapi.models import APIKey, APIKeyIn, HTTPBearer
from fastapi.security.base import SecurityBase

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

SIGNED: dict[str, Any] = {"security": [{"signature": []}]}
"""The ``openapi_extra`` of a route that checks ``X-Signature``."""


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


def settings_of(request: Request) -> Settings:
    """The settings of the application that serves this request."""
    settings: Settings = request.app.state.settings
    return settings


async def _current_settings(request: Request) -> Settings:
    return settings_of(request)


CurrentSettings = Annotated[Settings, Depends(_current_settings)]


class Bearer(SecurityBase):
    """The person whose token the request carries, of one of ``roles`` where any are given.

    A security scheme and a look-up in one: every request runs it, and each further dependency
    costs as much as the look-up itself.
    """

    def __init__(self, *roles: Role) -> None:
        self.model = HTTPBearer(bearerFormat="JWT", description="From a login route.")
        self.scheme_name = "bearer"
        self._roles = roles

    async def __call__(self, request: Request) -> Person:
        header = request.headers.get("Authorization")
        if not header:
            raise NotAuthenticated
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise NotAuthenticated("Invalid authorization header format.")
        user_id = token_subject(settings_of(request), token.strip())
        person = await users.find_person(user_id) if user_id else None
        if person is None:
            raise NotAuthenticated("Invalid or expired token.")
        request.scope["caller"] = person.id
        if self._roles and person.role not in self._roles:
            raise AccessDenied.unless(*self._roles)
        return person


CurrentUser = Annotated[Person, Security(Bearer())]
AnyAdmin = Annotated[Person, Security(Bearer(Role.ADMIN, Role.SYSTEM_ADMIN))]
SystemAdmin = Annotated[Person, Security(Bearer(Role.SYSTEM_ADMIN))]


class ApiKeyHeader(SecurityBase):
    """The merchant's server whose ``X-API-Key`` the request carries."""

    error: type[InvalidApiKey] = InvalidApiKey

    def __init__(self) -> None:
        location = {"in": APIKeyIn.header}
        self.model = APIKey(**location, name="X-API-Key", description="PK_LIVE_…, from registration.")
        self.scheme_name = "apiKey"

    async def __call__(self, request: Request) -> ApiKeyOwner:
        return await self.owner(request)

    async def owner(self, request: Request) -> ApiKeyOwner:
        key = request.headers.get("X-API-Key")
        owner = await api_keys.find_owner(settings_of(request), key) if key else None
        if owner is None:
            raise self.error
        request.scope["caller"] = owner.id
        return owner


ApiKeyCaller = Annotated[ApiKeyOwner, Security(ApiKeyHeader())]


@dataclass(frozen=True, slots=True)
class SignedCaller:
    """A merchant's server whose signature, where it sent or owes one, is good.

    ``once`` is the signature that must not be seen a second time, for keys that require one.
    """

    owner: ApiKeyOwner
    once: TimestampedSignature | None


class SignedApiKeyHeader(ApiKeyHeader):
    """The same, with its ``X-Signature`` checked."""

    async def __call__(self, request: Request) -> SignedCaller:  # type: ignore[override] # a richer answer
        owner = await self.owner(request)
        header = request.headers.get("X-Signature")
        if header is None:
            if owner.require_signature:
                raise InvalidSignature("This API key requires X-Signature: t=<unix seconds>,v1=<hex>.")
            return SignedCaller(owner, None)
        if owner.require_signature and not signatures.is_timestamped(header):
            raise InvalidSignature("This API key accepts only the form t=<unix seconds>,v1=<hex>.")
        used = await check_signature(request, owner.id, header)
        return SignedCaller(owner, used if owner.require_signature else None)


SignedMerchant = Annotated[SignedCaller, Security(SignedApiKeyHeader())]


async def check_signature(request: Request, owner_id: str, header: str) -> TimestampedSignature | None:
    """Check either form of ``X-Signature`` over this request's body with the owner's secret.

    Raises:
        InvalidSignature: it does not fit.
    """
    settings = settings_of(request)
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
