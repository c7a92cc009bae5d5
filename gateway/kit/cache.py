"""A small cache for what every request looks up, short enough for revocations to hold soon."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from cachetools import TTLCache

T = TypeVar("T")

CACHE_SECONDS = 4.0
"""Below the 5 s within which a revocation must hold in every process."""


class ShortCache(Generic[T]):
    """Remembers found values for ``CACHE_SECONDS``; what is not there is asked for each time.

    Those who ask for the same at the same moment share one look-up. ``clear`` holds at once,
    also for look-ups that are under way: those began before and may have read what is no longer
    true, so they are neither kept nor shared any further.
    """

    def __init__(self, *, size: int = 10_000) -> None:
        self._values: TTLCache[str, T] = TTLCache(size, CACHE_SECONDS)
        self._loading: dict[str, asyncio.Future[T | None]] = {}

    async def get(self, key: str, load: Callable[[], Awaitable[T | None]]) -> T | None:
        """The cached value, else what ``load`` finds."""
        cached = self._values.get(key)
        if cached is not None:
            return cached
        loading = self._loading.get(key)
        if loading is None:
            loading = self._loading[key] = asyncio.ensure_future(load())
            loading.add_done_callback(lambda done: self._loaded(key, done))
        return await asyncio.shield(loading)

    def clear(self) -> None:
        """Forget everything."""
        self._values.clear()
        self._loading.clear()

    def _loaded(self, key: str, done: asyncio.Future[T | None]) -> None:
        if self._loading.get(key) is not done:
            return
        del self._loading[key]
        if not done.cancelled() and done.exception() is None and (found := done.result()) is not None:
            self._values[key] = found
