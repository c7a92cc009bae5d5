"""How outgoing webhooks are signed: our plain form, and the Standard Webhooks headers."""

import base64
import hmac


def webhook_headers(secret: str, event_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The headers of one attempt; ``timestamp`` is the attempt's Unix time in seconds.

    ``X-Signature`` is the hex HMAC-SHA256 of the body. The ``webhook-*`` headers follow the
    Standard Webhooks specification, whose libraries take ``whsec_`` + base64 of the secret.
    """
    signed = f"{event_id}.{timestamp}.".encode() + body
    return {
        "Content-Type": "application/json",
        "User-Agent": "Mock-Payment-Gateway",
        "X-Signature": _digest(secret, body).hex(),
        "webhook-id": event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": "v1," + base64.b64encode(_digest(secret, signed)).decode(),
    }


def _digest(secret: str, message: bytes) -> bytes:
    return hmac.digest(secret.encode(), message, "sha256")
