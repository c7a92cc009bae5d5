"""Every query that matters is served by an index: nothing is scanned, nothing sorted in memory."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from gateway.config import Settings
from gateway.kit.pagination import Position, encode_cursor
from gateway.main import DOCUMENTS
from gateway.payments import queries
from gateway.payments.queries import Query
from gateway.payments.schemas import SortBy, SortOrder
from gateway.payments.states import TransactionStatus
from gateway.store.connection import Store, open_store
from gateway.store.due import due_before

_ROWS = 600


def _row(number: int) -> dict[str, Any]:
    return {
        "_id": f"txn_{number:012x}0000aaaaaaaaaaaa",
        "owner_id": f"user_{number % 3}",
        "amount": 1000,
        "amount_key": 100_000 * (number % 50),
        "currency": "USD" if number % 2 else "EUR",
        "customer_name": f"Customer {number % 40}",
        "status": "completed" if number % 5 else "pending",
        "created_at": datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=number),
        "due_at": None if number % 5 else datetime(2026, 1, 1, tzinfo=UTC),
    }


@pytest.fixture
async def store(settings: Settings) -> AsyncIterator[Store]:
    async with open_store(settings, DOCUMENTS) as made:
        await made.database["transactions"].insert_many([_row(number) for number in range(_ROWS)])
        yield made


async def _winning_plan(store: Store, collection: str, **find: Any) -> str:
    plan = await store.database.command({"explain": {"find": collection, **find}})
    return json.dumps(plan["queryPlanner"]["winningPlan"], default=str)


_OWNER = "user_1"
_DUE = due_before(datetime(2026, 6, 1, tzinfo=UTC))
_QUERIES = {
    "all": Query(owner_id=_OWNER),
    "all, oldest first": Query(owner_id=_OWNER, sort_order=SortOrder.ASC),
    "by amount": Query(owner_id=_OWNER, sort_by=SortBy.AMOUNT),
    "by amount, least first": Query(owner_id=_OWNER, sort_by=SortBy.AMOUNT, sort_order=SortOrder.ASC),
    "amount range by amount": Query(
        owner_id=_OWNER, sort_by=SortBy.AMOUNT, min_amount=Decimal(10), max_amount=Decimal(200)
    ),
    "status": Query(owner_id=_OWNER, status=TransactionStatus.PENDING),
    "currency": Query(owner_id=_OWNER, currency="EUR"),
    "customer": Query(owner_id=_OWNER, customer_name="Customer 4"),
    "time range": Query(
        owner_id=_OWNER,
        created_from=datetime(2020, 1, 1, tzinfo=UTC),
        created_to=datetime(2030, 1, 1, tzinfo=UTC),
    ),
}


@pytest.mark.parametrize("paged", [False, True], ids=["first page", "next page"])
@pytest.mark.parametrize("query", _QUERIES.values(), ids=_QUERIES.keys())
async def test_lists_walk_an_index_in_order(store: Store, query: Query, paged: bool) -> None:
    cursor = None
    if paged:
        value = 2_000_000 if query.sort_by is SortBy.AMOUNT else 0
        cursor = encode_cursor(f"{query.sort_by}-{query.sort_order}", Position(value, _row(300)["_id"]))
    find, sort = queries.page_command(query, cursor)
    plan = await _winning_plan(store, "transactions", filter=find, sort=dict(sort), limit=100)
    assert "IXSCAN" in plan
    assert "COLLSCAN" not in plan
    assert '"SORT"' not in plan


@pytest.mark.parametrize(
    ("collection", "find", "sort"),
    [
        ("transactions", _DUE, {"due_at": 1}),
        ("transactions", {"_id": "txn_1", "owner_id": _OWNER}, {}),
        ("deliveries", _DUE, {"due_at": 1}),
        (
            "deliveries",
            {**_DUE, "owner_id": {"$nin": [_OWNER]}},
            {"due_at": 1},
        ),
        ("events", {"_id": {"$in": ["evt_1", "evt_2"]}}, {}),
        ("api_keys", {"key_hash": "00", "revoked_at": None}, {}),
        ("api_keys", {"owner_id": _OWNER, "revoked_at": None}, {}),
        ("users", {"email": "a@b.example", "deleted_at": None}, {}),
        ("users", {"deleted_at": None}, {"_id": -1}),
        ("transactions", {"idempotency.key": "00"}, {}),
        ("transactions", {"owner_id": _OWNER, "status": "accepted"}, {}),
    ],
)
async def test_look_ups_use_an_index(
    store: Store, collection: str, find: dict[str, Any], sort: dict[str, int]
) -> None:
    plan = await _winning_plan(store, collection, filter=find, sort=sort)
    assert "COLLSCAN" not in plan
    assert '"SORT"' not in plan


async def test_the_check_would_see_a_collection_scan(store: Store) -> None:
    plan = await _winning_plan(store, "transactions", filter={"details": "x"}, sort={"details": 1})
    assert "COLLSCAN" in plan
    assert '"SORT"' in plan
