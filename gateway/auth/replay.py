"""One-time signatures: a signed request that was recorded on the way can't be sent again."""

from datetime import timedelta

from gateway.auth.documents import UsedSignature
from gateway.auth.signatures import TimestampedSignature
from gateway.config import Settings
from gateway.kit import clock
from gateway.store.bulk import Row


def used_signature(
    settings: Settings, key_id: str, signature: TimestampedSignature
) -> tuple[type[UsedSignature], Row]:
    """What marks a signature as used, to be inserted together with what its request changes.

    A duplicate key then means that it was used before.
    """
    tolerance = timedelta(seconds=settings.signature_tolerance_seconds)
    return UsedSignature, {
        "_id": f"{key_id}:{signature.timestamp}:{signature.digest}",
        # Kept well past the moment at which the timestamp itself becomes too old.
        "expires_at": clock.now() + 3 * tolerance,
    }
