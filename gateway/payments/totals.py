"""How many transactions match a filter, without counting the same ones again for every page."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson
from cachetools import LRUCache

from gateway.kit import clock
from gateway.kit.ids import id_floor, millis
from gateway.payments import counts
from gateway.payments.documents import Transaction

_SETTLING = timedelta(seconds=40)
"""Older than this no id can appear any more: a charge is given up long before, and clocks may differ."""

_TAIL = 500
_BY_ID = [("owner_id", 1), ("_id", -1)]


@dataclass(slots=True)
class _Settled:
    """``count`` matching transactions have ids below ``until``, as of the owner's ``deletions``."""

    count: int
    until: str
    deletions: int


_settled: LRUCache[bytes, _Settled] = LRUCache(10_000)


async def count_matching(owner_id: str, condition: dict[str, Any]) -> int:
    """The exact number of an owner's transactions that match ``condition``.

    What never changes but by deletion (amount, currency, customer, time) is counted once up to
    a moment at which no older transaction can still be on its way; from then on only what came
    later is counted. A deletion, wherever it happens, shows in the owner's counts and makes it
    start anew. A filter by status is counted each time, since a status does change.
    """
    if "status" in condition:
        return await _count(condition)
    deletions = await counts.deletions_of(owner_id)
    key = orjson.dumps(condition, default=str)
    settled = _settled.get(key)
    if settled is None or settled.deletions != deletions:
        until = _horizon()
        settled = _Settled(await _count({"$and": [condition, {"_id": {"$lt": until}}]}), until, deletions)
        _settled[key] = settled
    count = settled.count
    later = await _count({"$and": [condition, {"_id": {"$gte": settled.until}}]}, hint=_BY_ID)
    if later > _TAIL:
        await _settle(key, settled, condition)
    return count + later


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
