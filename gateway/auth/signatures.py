"""Checks HMAC-SHA256 request signatures, and says what is wrong with one that does not fit."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from dataclasses import dataclass

from gateway.errors import GatewayError

_CHALLENGE = {"WWW-Authenticate": 'Signature headers="X-API-Key X-Signature"'}


class InvalidSignature(GatewayError):
    status_code = 401
    error_code = "INVALID_SIGNATURE"
    detail = "Invalid request signature."

    def __init__(self, hint: str) -> None:
        super().__init__(hint=hint, headers=_CHALLENGE)


class SignatureAlreadyUsed(GatewayError):
    status_code = 409
    error_code = "SIGNATURE_ALREADY_USED"
    detail = "Request signature already used."


@dataclass(frozen=True, slots=True)
class TimestampedSignature:
    """A signature that was found good: its Unix time in seconds and its hex digest."""

    timestamp: int
    digest: str


_BASE64 = (base64.b64encode, base64.urlsafe_b64encode)


def sign(secret: str, message: bytes) -> str:
    """HMAC-SHA256 in hex; the key is the secret's UTF-8 bytes as issued."""
    return hmac.digest(secret.encode(), message, "sha256").hex()


def check_plain(header: str, body: bytes, secret: str, *, api_key: str) -> None:
    """Accept the digest of the body as sent, or of the same JSON written compactly.

    Raises:
        InvalidSignature: with a hint where the mistake can be recognised.
    """
    given = header.strip().lower()
    if _fits(given, secret, [body]) or _fits(given, secret, _compact_forms(body)):
        return
    raise InvalidSignature(_explain(header.strip(), body, secret, api_key))


def check_timestamped(
    header: str, body: bytes, secret: str, *, api_key: str, now: float, tolerance: int
) -> TimestampedSignature:
    """Accept ``t=<unix seconds>,v1=<hex>`` over ``<t>.<body>``, any of several ``v1``.

    Raises:
        InvalidSignature: malformed, too old, from the future, or over something else.
    """
    timestamp, digests = _parse(header)
    age = now - int(timestamp)
    if abs(age) > tolerance:
        side = f"{age:.0f} s old" if age > 0 else f"{-age:.0f} s in the future"
        raise InvalidSignature(
            f"The timestamp {timestamp} is {side}; {tolerance} s are tolerated. Unix seconds are expected."
        )
    message = timestamp.encode() + b"." + body
    expected = sign(secret, message)
    if not any(hmac.compare_digest(digest.encode(), expected.encode()) for digest in digests):
        raise InvalidSignature(_explain(digests[0], message, secret, api_key, unstamped=body))
    return TimestampedSignature(int(timestamp), expected)


def is_timestamped(header: str) -> bool:
    """Whether the header is of the form ``t=…,v1=…`` rather than a plain digest."""
    return any(part.strip().startswith("t=") for part in header.split(","))


def _parse(header: str) -> tuple[str, list[str]]:
    pairs = [part.strip().partition("=") for part in header.split(",")]
    times = [value for name, _, value in pairs if name == "t"]
    digests = [value.strip().lower() for name, _, value in pairs if name == "v1"]
    if len(times) != 1 or not (times[0].isascii() and times[0].isdigit() and len(times[0]) <= 12):
        raise InvalidSignature("Expected exactly one t=<unix seconds> in t=<unix seconds>,v1=<hex>.")
    if not digests:
        raise InvalidSignature("Expected at least one v1=<hex> in t=<unix seconds>,v1=<hex>.")
    return times[0], digests


def _fits(given: str, secret: str, messages: "list[bytes] | Iterator[bytes]") -> bool:
    return any(hmac.compare_digest(given.encode(), sign(secret, message).encode()) for message in messages)


def _compact_forms(body: bytes) -> Iterator[bytes]:
    try:
        parsed = json.loads(body)
        for ensure_ascii in (True, False):
            yield json.dumps(parsed, separators=(",", ":"), ensure_ascii=ensure_ascii).encode()
    except (ValueError, RecursionError):
        return


def _explain(given: str, message: bytes, secret: str, api_key: str, *, unstamped: bytes | None = None) -> str:
    """Recognise the usual mistakes; never gives away the right signature."""
    if given.lower().startswith("sha256="):
        return "Send the hex digest alone, without 'sha256=' before it."
    raw = hmac.digest(secret.encode(), message, "sha256")
    if any(hmac.compare_digest(given.encode(), encode(raw)) for encode in _BASE64):
        return "The digest is right but in base64; send it in hex."
    given = given.lower()
    if len(given) != 64 or not set(given) <= set("0123456789abcdef"):
        return "Expected 64 hex digits: HMAC-SHA256 of the body's bytes."
    if unstamped is not None and _fits(given, secret, [unstamped]):
        return "v1 was made over the body alone; sign '<t>.<body>'."
    if _fits(given, api_key, [message]):
        return "It was made with the API key (PK_…); sign with the webhook secret (SK_…)."
    if _fits(given, secret.removeprefix("SK_"), [message]):
        return "The secret was used without its 'SK_'; use it whole, as issued."
    if _fits(given, secret, [message + b"\n", message.removesuffix(b"\n")]):
        return "It was made over the body with another line end; sign the exact bytes that are sent."
    if _fits(given, secret, [b""]):
        return "It was made over an empty body; sign the exact bytes that are sent."
    if hmac.compare_digest(given, hashlib.sha256(message).hexdigest()):
        return "It is a plain SHA-256; use HMAC-SHA256 with the webhook secret."
    return (
        "Either the secret is not this API key's webhook secret, or other bytes were signed than sent. "
        "Sign the exact body bytes after serialising once."
    )
