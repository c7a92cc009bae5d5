"""One-time signatures: a signed request that was recorded on the way can't be sent again."""

from datetime import timedelta

from gateway.auth.documents import UsedSignature
from gateway.auth.signatures import TimestampedSignature
from gateway.config import Settings
from gateway.kit import clock
from gateway.store.unit_of_work import Session


async def use_signature(
    settings: Settings, key_id: str, signature: TimestampedSignature, session: Session
) -> None:
    """Mark a signature as used in the caller's unit of work.

    Raises:
        DuplicateKeyError: it was used before.
    """
    tolerance = timedelta(seconds=settings.signature_tolerance_seconds)
    await UsedSignature(
        id=f"{key_id}:{signature.timestamp}:{signature.digest}",
        # Kept well past the moment at which the timestamp itself becomes too old.
        expires_at=clock.now() + 3 * tolerance,
    ).insert(session=session)
