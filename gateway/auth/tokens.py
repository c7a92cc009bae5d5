"""JSON Web Tokens of people: HS256, and nothing else is accepted."""

from datetime import timedelta
from uuid import uuid4

from jose import JWTError, jwt

from gateway.config import Settings
from gateway.kit import clock
from gateway.users.service import Person

_ALGORITHM = "HS256"


def issue_token(settings: Settings, person: Person) -> str:
    """A token with ``sub``, ``role``, ``email``, ``jti``, ``iat`` and ``exp``."""
    issued = clock.now()
    claims = {
        "sub": person.id,
        "role": person.role.value,
        "email": person.email,
        "jti": uuid4().hex,
        "iat": issued,
        "exp": issued + timedelta(seconds=settings.jwt_lifetime_seconds),
    }
    return str(jwt.encode(claims, settings.jwt_secret.get_secret_value(), _ALGORITHM))


def token_subject(settings: Settings, token: str) -> str | None:
    """The user id of a genuine, unexpired token, else ``None``."""
    try:
        claims = jwt.decode(
            token,
            settings.jwt_secret.get_secret_value(),
            algorithms=[_ALGORITHM],
            options={"require_exp": True, "require_sub": True, "require_iat": True},
        )
    except (JWTError, RecursionError):  # the latter: JSON nested too deeply to be read
        return None
    return str(claims["sub"])
