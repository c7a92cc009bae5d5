"""Password hashes: bcrypt over SHA-256, so that no byte of a long password is ignored."""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

from passlib.context import CryptContext

# bcrypt releases the interpreter lock; one core stays free for the event loop.
_pool = ThreadPoolExecutor(max_workers=max(1, (os.cpu_count() or 2) - 1), thread_name_prefix="bcrypt")


async def hash_password(password: str, rounds: int) -> str:
    """Hash off the event loop; ``rounds`` is bcrypt's cost, 12 takes about 230 ms."""
    return await asyncio.get_running_loop().run_in_executor(_pool, _hash, password, rounds)


async def verify_password(password: str, password_hash: str | None, rounds: int) -> bool:
    """Compare off the event loop; without a hash it takes as long and is false."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_pool, _verify, password, password_hash, rounds)


@cache
def _context(rounds: int) -> Any:
    return CryptContext(  # type: ignore[no-untyped-call] # libpass is typed in part
        schemes=["bcrypt_sha256"], bcrypt_sha256__rounds=rounds
    )


@cache
def _nobodys_hash(rounds: int) -> str:
    return _hash("nobody's password", rounds)


def _hash(password: str, rounds: int) -> str:
    return str(_context(rounds).hash(password))


def _verify(password: str, password_hash: str | None, rounds: int) -> bool:
    matches = _context(rounds).verify(password, password_hash or _nobodys_hash(rounds))
    return bool(matches) and password_hash is not None
