"""The short cache: shared look-ups, and a clear that holds at once."""

import asyncio

import pytest

from gateway.kit import cache
from gateway.kit.cache import ShortCache


class Source:
    """Counts how often it is asked; answers when it is let."""

    def __init__(self, value: str | None = "value") -> None:
        self.value = value
        self.asked = 0
        self.let = asyncio.Event()
        self.let.set()

    async def load(self) -> str | None:
        self.asked += 1
        value = self.value
        await self.let.wait()
        return value


async def test_a_found_value_is_asked_for_once() -> None:
    cached, source = ShortCache[str](), Source()
    assert [await cached.get("key", source.load) for _ in range(3)] == ["value"] * 3
    assert source.asked == 1


async def test_what_is_not_there_is_asked_for_each_time() -> None:
    cached, source = ShortCache[str](), Source(None)
    assert await cached.get("key", source.load) is None
    source.value = "now there"
    assert await cached.get("key", source.load) == "now there"


async def test_those_who_ask_at_once_share_a_look_up() -> None:
    cached, source = ShortCache[str](), Source()
    assert await asyncio.gather(*(cached.get("key", source.load) for _ in range(50))) == ["value"] * 50
    assert source.asked == 1


async def test_a_clear_holds_for_look_ups_that_are_under_way() -> None:
    cached, source = ShortCache[str](), Source("old")
    source.let.clear()
    early = asyncio.create_task(cached.get("key", source.load))
    await asyncio.sleep(0.01)
    cached.clear()
    source.value = "new"
    late = asyncio.create_task(cached.get("key", source.load))
    await asyncio.sleep(0.01)
    source.let.set()
    assert (await early, await late) == ("old", "new")
    assert await cached.get("key", source.load) == "new"


async def test_a_failure_reaches_the_callers_and_is_not_kept() -> None:
    cached = ShortCache[str]()

    async def fail() -> str:
        raise ConnectionError

    results = await asyncio.gather(*(cached.get("key", fail) for _ in range(3)), return_exceptions=True)
    assert all(isinstance(result, ConnectionError) for result in results)
    assert await cached.get("key", Source().load) == "value"


async def test_one_that_goes_away_disturbs_nobody() -> None:
    cached, source = ShortCache[str](), Source()
    source.let.clear()
    tasks = [asyncio.create_task(cached.get("key", source.load)) for _ in range(3)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    source.let.set()
    assert await asyncio.gather(*tasks[1:]) == ["value"] * 2


async def test_a_value_is_forgotten_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "CACHE_SECONDS", 0.05)
    cached, source = ShortCache[str](), Source()
    await cached.get("key", source.load)
    await asyncio.sleep(0.1)
    await cached.get("key", source.load)
    assert source.asked == 2


def test_it_is_shorter_than_revocations_may_take() -> None:
    assert cache.CACHE_SECONDS < 5
