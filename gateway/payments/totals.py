"""How many transactions match a filter, without counting the same ones again for every page."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson
from cachetools import LRUCache

from gateway.kit import clock
from gateway.kit.ids import id_floor, millis
from gateway.payments import counts
from gateway.payments.documents import Transaction

_SETTLING = timedelta(seconds=20)
"""Older than this no id can appear any more: a charge is given up long before, and clocks may differ."""

_TAIL = 500
_BY_ID = [("owner_id", 1), ("_id", -1)]


@dataclass(frozen=True, slots=True)
class _Settled:
    """``count`` matching transactions have ids below ``until``, as of the owner's ``deletions``."""

    count: int
    until: str
    deletions: int


@dataclass(frozen=True, slots=True)
class _Exact:
    """``count`` matched while the owner's figures were these."""

    count: int
    figures: Mapping[str, int]


_settled: LRUCache[bytes, _Settled] = LRUCache(10_000)
_exact: LRUCache[bytes, _Exact] = LRUCache(10_000)


async def count_matching(owner_id: str, condition: dict[str, Any]) -> int:
    """The exact number of an owner's transactions that match ``condition``.

    Every creation, move and deletion, wherever it is made, changes the owner's figures in the
    same commit; while they stay the same, so does the number. After a change, what cannot
    change but by deletion (amount, currency, customer, time) is not counted again up to a moment
    before which no transaction can still be on its way: only what came later is.
    """
    key = orjson.dumps(condition, default=str)
    figures = await counts.figures_of(owner_id)
    known = _exact.get(key)
    if known is not None and known.figures == figures:
        return known.count
    if "status" in condition:
        count = await _count(condition)
    else:
        count = await _count_later_ones(key, condition, figures[counts.DELETED])
    if await counts.figures_of(owner_id) == figures:
        _exact[key] = _Exact(count, figures)
    return count


async def _count_later_ones(key: bytes, condition: dict[str, Any], deletions: int) -> int:
    settled = _settled.get(key)
    if settled is None or settled.deletions != deletions:
        until = _horizon()
        count = await _count({"$and": [condition, {"_id": {"$lt": until}}]})
        settled = _settled[key] = _Settled(count, until, deletions)
    later = await _count({"$and": [condition, {"_id": {"$gte": settled.until}}]}, hint=_BY_ID)
    if later > _TAIL:
        await _settle(key, settled, condition)
    return settled.count + later


async def _settle(key: bytes, settled: _Settled, condition: dict[str, Any]) -> None:
    """Move the horizon on, so that the next page has less to count."""
    until = _horizon()
    between = {"$and": [condition, {"_id": {"$gte": settled.until, "$lt": until}}]}
    if until > settled.until:
        count = settled.count + await _count(between, hint=_BY_ID)
        _settled[key] = _Settled(count, until, settled.deletions)


def _horizon() -> str:
    return id_floor("txn", millis(clock.now() - _SETTLING))


async def _count(condition: dict[str, Any], **options: Any) -> int:
    return int(await Transaction.get_pymongo_collection().count_documents(condition, **options))
