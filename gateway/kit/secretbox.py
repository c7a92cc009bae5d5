"""Secrets at rest: encryption for those that must be read again, keyed hashes for the others."""

import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES = 12


class SecretBox:
    """Seals and hashes with keys derived from one root key, a separate key for each use."""

    def __init__(self, root_key: str) -> None:
        self._aead = AESGCM(_derive(root_key, b"encryption at rest"))
        self._hash_key = _derive(root_key, b"lookup hash")

    def seal(self, secret: str) -> bytes:
        """AES-256-GCM: a random 96-bit nonce followed by ciphertext and tag."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, secret.encode(), None)

    def open(self, sealed: bytes) -> str:
        """What ``seal`` was given.

        Raises:
            ValueError: sealed under another root key, or tampered with.
        """
        try:
            plain = self._aead.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], None)
        except (InvalidTag, ValueError) as error:
            raise ValueError("sealed under another ENCRYPTION_KEY, or damaged") from error
        return plain.decode()

    def lookup_hash(self, secret: str) -> str:
        """HMAC-SHA256 in hex: finds a secret again without storing it."""
        return hmac.digest(self._hash_key, secret.encode(), "sha256").hex()


def _derive(root_key: str, purpose: bytes) -> bytes:
    return hmac.digest(root_key.encode(), purpose, "sha256")
