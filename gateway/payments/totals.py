"""How many transactions match a filter, without counting the same ones again for every page."""

from dataclasses import dataclass
from typing import Any

import orjson
from cachetools import LRUCache

from gateway.kit import clock
from gateway.payments import counts
from gateway.payments.counts import Figures
from gateway.payments.documents import Transaction
from gateway.payments.states import TransactionStatus, with_status
from gateway.store.unit_of_work import Session

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
    figures: Figures


_settled: LRUCache[bytes, _Settled] = LRUCache(10_000)
_exact: LRUCache[bytes, _Exact] = LRUCache(10_000)


async def count_matching(
    owner_id: str, condition: dict[str, Any], status: TransactionStatus | None, session: Session
) -> int:
    """The exact number of an owner's transactions that match ``condition`` and are in ``status``.

    It is that of the session's moment, so this comes first in the session. Every creation, move
    and deletion, wherever it is made, changes the owner's figures in the same commit; while they
    stay the same, so does the number. After a change, what cannot change but by deletion (amount,
    currency, customer, time) is not counted again up to a moment before which no transaction can
    still be on its way: only what came later is.
    """
    key = orjson.dumps([condition, status], default=str)
    until = counts.settled_until(clock.now())  # asked before: what comes later is not in it
    figures = await counts.figures_of(owner_id, session)
    known = _exact.get(key)
    if known is None or known.figures != figures:
        known = _exact[key] = _Exact(await _count_at(figures, condition, status, until, session), figures)
    return known.count


async def _count_at(
    figures: Figures,
    condition: dict[str, Any],
    status: TransactionStatus | None,
    until: str,
    session: Session,
) -> int:
    """Of the transactions in ``status`` and the others, the fewer are counted."""
    if status is None:
        return await _count_any(figures, condition, until, session)
    others = [other for other in TransactionStatus if other is not status]
    if figures[status] <= sum(figures[other] for other in others):
        return await _count({**condition, **with_status(status)}, session)
    all_of_them = await _count_any(figures, condition, until, session)
    return all_of_them - await _count({**condition, **with_status(*others)}, session)


async def _count_any(figures: Figures, condition: dict[str, Any], until: str, session: Session) -> int:
    key = orjson.dumps(condition, default=str)
    settled = _settled.get(key)
    if settled is None or settled.deletions != figures[counts.DELETED]:
        count = await _count({"$and": [condition, {"_id": {"$lt": until}}]}, session)
        settled = _settled[key] = _Settled(count, until, figures[counts.DELETED])
    later = await _count({"$and": [condition, {"_id": {"$gte": settled.until}}]}, session, hint=_BY_ID)
    if later > _TAIL:
        await _settle(key, settled, condition, until, session)
    return settled.count + later


async def _settle(
    key: bytes, settled: _Settled, condition: dict[str, Any], until: str, session: Session
) -> None:
    """Move the horizon on, so that the next page has less to count."""
    between = {"$and": [condition, {"_id": {"$gte": settled.until, "$lt": until}}]}
    if until > settled.until:
        count = settled.count + await _count(between, session, hint=_BY_ID)
        _settled[key] = _Settled(count, until, settled.deletions)


async def _count(condition: dict[str, Any], session: Session, **options: Any) -> int:
    collection = Transaction.get_pymongo_collection()
    return int(await collection.count_documents(condition, session=session, **options))
