"""API keys: shown once, stored as a keyed hash."""

import secrets
from dataclasses import dataclass

from gateway.api_keys.documents import ApiKey
from gateway.config import Settings
from gateway.kit import clock
from gateway.kit.cache import ShortCache
from gateway.kit.ids import new_id
from gateway.store.unit_of_work import Session

_PREFIX = "PK_LIVE_"
_VISIBLE_CHARACTERS = len(_PREFIX) + 4


@dataclass(frozen=True, slots=True)
class ApiKeyOwner:
    """Whose key it is (``id``), and what the key asks of its requests."""

    id: str
    key_id: str
    require_signature: bool


_owners: ShortCache[ApiKeyOwner] = ShortCache()


async def create_key(settings: Settings, owner_id: str, *, require_signature: bool, session: Session) -> str:
    """Store a new key in the caller's unit of work and return its text, for this once."""
    text = _PREFIX + secrets.token_hex(24)
    created_at = clock.now()
    await ApiKey(
        id=new_id("key", created_at),
        owner_id=owner_id,
        key_hash=settings.secret_box.lookup_hash(text),
        prefix=text[:_VISIBLE_CHARACTERS],
        require_signature=require_signature,
        created_at=created_at,
    ).insert(session=session)
    return text


async def find_owner(settings: Settings, text: str) -> ApiKeyOwner | None:
    """The owner of a key that is not revoked, else ``None``.

    A revocation holds from the next call on in this process, and within ``CACHE_SECONDS`` in others.
    """
    key_hash = settings.secret_box.lookup_hash(text)
    return await _owners.get(key_hash, lambda: _load_owner(key_hash))


async def _load_owner(key_hash: str) -> ApiKeyOwner | None:
    key = await ApiKey.find_one({"key_hash": key_hash, "revoked_at": None})
    return ApiKeyOwner(key.owner_id, key.id, key.require_signature) if key else None


async def revoke_all(owner_id: str, session: Session) -> None:
    """Revoke every key of an owner in the caller's unit of work; then call ``forget_cached``."""
    await ApiKey.find({"owner_id": owner_id, "revoked_at": None}, session=session).update(
        {"$set": {"revoked_at": clock.now()}}, session=session
    )


def forget_cached() -> None:
    """Look every key up anew: to be called once a revocation is committed."""
    _owners.clear()
