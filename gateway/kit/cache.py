"""A small cache for what every request looks up, short enough for revocations to hold soon."""

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from cachetools import TTLCache

T = TypeVar("T")

CACHE_SECONDS = 4.0
"""Below the 5 s within which a revocation must hold in every process."""


class ShortCache(Generic[T]):
    """Remembers found values for ``CACHE_SECONDS``; what is not there is asked for each time.

    ``clear`` holds at once, also for look-ups that are under way: those began before and may
    have read what is no longer true, so their result is given but not kept.
    """

    def __init__(self, *, size: int = 10_000) -> None:
        self._values: TTLCache[str, T] = TTLCache(size, CACHE_SECONDS)
        self._generation = 0

    async def get(self, key: str, load: Callable[[], Awaitable[T | None]]) -> T | None:
        """The cached value, else what ``load`` finds."""
        cached = self._values.get(key)
        if cached is not None:
            return cached
        generation = self._generation
        found = await load()
        if found is not None and generation == self._generation:
            self._values[key] = found
        return found

    def clear(self) -> None:
        """Forget everything."""
        self._generation += 1
        self._values.clear()
