"""Lists of transactions: filters, order and pages, each served by an index."""

import math
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from beanie import SortDirection

from gateway.errors import GatewayError
from gateway.kit import money
from gateway.kit.ids import id_floor, millis
from gateway.kit.pagination import InvalidCursor, Position, decode_cursor, encode_cursor
from gateway.payments import counts, totals
from gateway.payments.documents import NOT_SHOWN, Transaction
from gateway.payments.schemas import SortBy, SortOrder, wire_transaction
from gateway.payments.states import TransactionStatus, with_status
from gateway.store.unit_of_work import Session, at_one_moment

_INT64_MAX = 2**63 - 1
_SHOWN = dict.fromkeys(NOT_SHOWN, 0)


class NoTransactions(GatewayError):
    status_code = 404
    error_code = "NO_TRANSACTIONS"
    detail = "No transactions found for this user."


class NoMatchingTransactions(GatewayError):
    status_code = 404
    error_code = "NO_TRANSACTIONS"
    detail = "No transactions found matching the query for this user."


class CursorRefused(GatewayError):
    status_code = 422
    error_code = "INVALID_CURSOR"
    detail = "The cursor is not one that this list handed out."


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What to list of an owner's transactions; bounds are inclusive, amounts in major units."""

    owner_id: str
    min_amount: Decimal | None = None
    max_amount: Decimal | None = None
    status: TransactionStatus | None = None
    currency: str | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None
    customer_name: str | None = None
    sort_by: SortBy = SortBy.CREATED_AT
    sort_order: SortOrder = SortOrder.DESC
    limit: int = 100
    cursor: str | None = None


async def list_transactions(query: Query) -> dict[str, Any] | None:
    """The JSON members of a ``TransactionPage``, or ``None`` where nothing matches.

    Raises:
        CursorRefused: the cursor is of another order, or no cursor.
    """
    condition, order = page_command(query, query.cursor)

    async def read(session: Session) -> tuple[int, list[dict[str, Any]]]:
        total = await _total(query, session)
        if not total:
            return 0, []
        found = Transaction.get_pymongo_collection().find(condition, _SHOWN, session=session)
        return total, await found.sort(order).limit(query.limit + 1).to_list()

    total, rows = await at_one_moment(read)
    if not total:
        return None
    more = len(rows) > query.limit
    rows = rows[: query.limit]
    return {
        "userId": query.owner_id,
        "totalTransactions": total,
        "transactions": [wire_transaction(row) for row in rows],
        "nextCursor": encode_cursor(_order_name(query), _position(query, rows[-1])) if more else None,
    }


async def _total(query: Query, session: Session) -> int:
    condition = _whatever_status(query)
    if condition.keys() == {"owner_id"}:
        return await counts.count_of(query.owner_id, query.status, session)
    return await totals.count_matching(query.owner_id, condition, query.status, session)


def mongo_filter(query: Query) -> dict[str, Any]:
    """All that the query matches, whatever the page."""
    matching = _whatever_status(query)
    return matching if query.status is None else {**matching, **with_status(query.status)}


def _whatever_status(query: Query) -> dict[str, Any]:
    equal = {"currency": query.currency, "customer_name": query.customer_name}
    matching: dict[str, Any] = {"owner_id": query.owner_id}
    matching |= {name: value for name, value in equal.items() if value is not None}
    if amounts := _amount_bounds(query):
        matching["amount_key"] = amounts
    if times := _id_bounds(query):
        matching["_id"] = times
    return matching


def _amount_bounds(query: Query) -> dict[str, int]:
    bounds = {}
    if query.min_amount is not None:
        bounds["$gte"] = _clamp(math.ceil(money.sort_key_of_major(query.min_amount)))
    if query.max_amount is not None:
        bounds["$lte"] = _clamp(math.floor(money.sort_key_of_major(query.max_amount)))
    return bounds


def _clamp(value: int) -> int:
    return max(-_INT64_MAX, min(value, _INT64_MAX))


def _id_bounds(query: Query) -> dict[str, str]:
    """An id begins with its creation time, so a range of times is a range of ids."""
    bounds = {}
    if query.created_from is not None:
        bounds["$gte"] = id_floor("txn", millis(query.created_from))
    if query.created_to is not None:
        bounds["$lt"] = id_floor("txn", millis(query.created_to) + 1)
    return bounds


def page_command(query: Query, cursor: str | None) -> tuple[dict[str, Any], list[tuple[str, SortDirection]]]:
    """The filter and the order that find the page after ``cursor``.

    Raises:
        CursorRefused: the cursor is of another order, or no cursor.
    """
    matching = mongo_filter(query)
    ascending = query.sort_order is SortOrder.ASC
    direction = SortDirection.ASCENDING if ascending else SortDirection.DESCENDING
    keys = [("_id", direction)]
    if query.sort_by is SortBy.AMOUNT:
        keys.insert(0, ("amount_key", direction))
    if cursor is None:
        return matching, keys
    # One branch for each run of equal sort values: every branch is an exact index range.
    return _any_of([{"$and": [matching, branch]} for branch in _after(query, cursor, ascending)]), keys


def _any_of(conditions: list[dict[str, Any]]) -> dict[str, Any]:
    return conditions[0] if len(conditions) == 1 else {"$or": conditions}


def _after(query: Query, cursor: str, ascending: bool) -> list[dict[str, Any]]:
    try:
        last = decode_cursor(_order_name(query), cursor)
    except InvalidCursor as error:
        raise CursorRefused from error
    beyond = "$gt" if ascending else "$lt"
    if query.sort_by is SortBy.CREATED_AT:
        return [{"_id": {beyond: last.id}}]
    return [
        {"amount_key": last.value, "_id": {beyond: last.id}},
        {"amount_key": {beyond: last.value}},
    ]


def _position(query: Query, row: dict[str, Any]) -> Position:
    return Position(row["amount_key"] if query.sort_by is SortBy.AMOUNT else 0, row["_id"])


def _order_name(query: Query) -> str:
    return f"{query.sort_by}-{query.sort_order}"
