"""Lists of payments: whose, which, in what order, page by page; and their deletion."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from typing import Any

import httpx
import pytest

from gateway.kit import clock
from gateway.payments.documents import DeletedTransaction, Transaction
from tests.contract.support import (
    BAD_TOKEN,
    NO_TOKEN,
    ON_SHARED_APP,
    assert_error,
    both_headers,
    create_admin,
    stored_for,
)
from tests.support.factories import (
    API,
    Merchant,
    create_charge,
    create_merchant,
    log_in,
    log_in_admin,
)

pytestmark = ON_SHARED_APP

ALL = f"{API}/payments/all"
QUERY = f"{API}/payments/query"
NONE_AT_ALL = "No transactions found for this user."
NONE_MATCHING = "No transactions found matching the query for this user."

MIXED: tuple[tuple[str, str], ...] = (
    ("100.00", "USD"),
    ("100", "JPY"),
    ("100.000", "KWD"),
    ("99.99", "USD"),
    ("99.999", "KWD"),
    ("100.001", "KWD"),
    ("100.01", "EUR"),
    ("5", "JPY"),
    ("0.001", "KWD"),
    ("999999999999", "JPY"),
)
"""Amounts in major units, with equal ones in currencies of 0, 2 and 3 decimals."""


async def create_mixed(client: httpx.AsyncClient) -> tuple[Merchant, dict[str, str], list[dict[str, Any]]]:
    merchant = await create_merchant(client)
    charges = [
        await create_charge(client, merchant=merchant, paymentAmount=amount, currency=currency)
        for amount, currency in MIXED
    ]
    return merchant, await both_headers(client, merchant), charges


async def walk(
    client: httpx.AsyncClient, url: str, headers: dict[str, str], **params: Any
) -> list[dict[str, Any]]:
    """Every transaction of every page, following ``nextCursor``; checks each page on the way."""
    found: list[dict[str, Any]] = []
    totals = set()
    cursor = None
    for _ in range(200):
        given = params if cursor is None else {**params, "cursor": cursor}
        answer = await client.get(url, params=given, headers=headers)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        assert set(page) == {"userId", "totalTransactions", "transactions", "nextCursor"}
        assert 1 <= len(page["transactions"]) <= int(params.get("limit", 100))
        found += page["transactions"]
        totals.add(page["totalTransactions"])
        cursor = page["nextCursor"]
        if cursor is None:
            assert totals == {len(found)}
            return found
    raise AssertionError("the pages never end")


async def test_an_empty_list_is_a_404(client: httpx.AsyncClient) -> None:
    merchant = await create_merchant(client)
    headers = await both_headers(client, merchant)
    assert_error(await client.get(ALL, headers=headers), 404, NONE_AT_ALL)
    assert_error(await client.get(QUERY, headers=headers), 404, NONE_MATCHING)


async def test_a_listed_transaction_has_the_promised_members(client: httpx.AsyncClient) -> None:
    merchant = await create_merchant(client)
    charged = await create_charge(client, merchant=merchant)
    expected = {
        "id": charged["id"],
        "ownerId": merchant.id,
        "customerName": "Grace Hopper",
        "amount": 1000,
        "currency": "USD",
        "details": "No details provided",
        "status": "pending",
        "webhookUrl": None,
        "createdAt": charged["createdAt"],
    }
    headers = await both_headers(client, merchant)
    for url in (ALL, QUERY):
        page = (await client.get(url, headers=headers)).json()
        assert (page["userId"], page["totalTransactions"], page["nextCursor"]) == (merchant.id, 1, None)
        [listed] = page["transactions"]
        assert {name: listed[name] for name in expected} == expected
    one = (await client.get(f"{API}/payments/{charged['id']}", headers=merchant.headers)).json()
    assert one == listed
    assert merchant.secret not in str(page)
    assert merchant.api_key not in str(page)


async def test_lists_are_newest_first_in_pages_of_100(client: httpx.AsyncClient) -> None:
    merchant = await create_merchant(client)
    made = [await create_charge(client, merchant=merchant, paymentAmount=n + 1) for n in range(103)]
    newest = [charge["id"] for charge in reversed(made)]
    headers = await both_headers(client, merchant)
    for url in (ALL, QUERY):
        page = (await client.get(url, headers=headers)).json()
        assert page["totalTransactions"] == 103
        assert [row["id"] for row in page["transactions"]] == newest[:100]
        rest = (await client.get(url, params={"cursor": page["nextCursor"]}, headers=headers)).json()
        assert rest["totalTransactions"] == 103
        assert [row["id"] for row in rest["transactions"]] == newest[100:]
        assert rest["nextCursor"] is None
        for limit in (1000, 103, 7, 1):
            walked = await walk(client, url, headers, limit=limit)
            assert [row["id"] for row in walked] == newest


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("limit", [1, 2, 3, 100])
async def test_amounts_sort_across_currencies_and_cursors_miss_none(
    client: httpx.AsyncClient, order: str, limit: int
) -> None:
    merchant, headers, charges = await create_mixed(client)
    for _ in range(9):
        charges.append(await create_charge(client, merchant=merchant, paymentAmount=100, currency="USD"))
    walked = await walk(client, QUERY, headers, sortBy="amount", sortOrder=order, limit=limit)
    assert sorted(row["id"] for row in walked) == sorted(charge["id"] for charge in charges)
    amounts = [row["amount"] for row in walked]
    assert amounts == sorted(amounts, reverse=order == "desc")
    by_id = order == "desc"
    for earlier, later in pairwise(walked):
        if earlier["amount"] == later["amount"]:
            assert (earlier["id"] > later["id"]) is by_id


@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_sorting_by_creation_either_way(client: httpx.AsyncClient, order: str) -> None:
    _, headers, charges = await create_mixed(client)
    walked = await walk(client, QUERY, headers, sortBy="createdAt", sortOrder=order, limit=3)
    ids = [charge["id"] for charge in charges]
    assert [row["id"] for row in walked] == (ids if order == "asc" else ids[::-1])


async def test_a_walk_survives_what_is_added_and_removed_meanwhile(client: httpx.AsyncClient) -> None:
    merchant = await create_merchant(client)
    headers = await both_headers(client, merchant)
    made = [(await create_charge(client, merchant=merchant, paymentAmount=5))["id"] for _ in range(6)]
    for sort in ("createdAt", "amount"):
        first = (await client.get(QUERY, params={"sortBy": sort, "limit": 2}, headers=headers)).json()
        seen = [row["id"] for row in first["transactions"]]
        await create_charge(client, merchant=merchant, paymentAmount=5)
        await client.delete(f"{API}/transactions/{seen[-1]}", headers=headers)
        params = {"sortBy": sort, "limit": 1000, "cursor": first["nextCursor"]}
        rest = (await client.get(QUERY, params=params, headers=headers)).json()["transactions"]
        expected = [txn_id for txn_id in reversed(made) if txn_id < seen[-1]]
        assert [row["id"] for row in rest if row["id"] in made] == expected
        assert not {row["id"] for row in rest} & set(seen)
        made = [txn_id for txn_id in made if txn_id != seen[-1]]


@pytest.mark.parametrize(
    ("bounds", "matches"),
    [
        ({"minAmount": "100"}, lambda a: a >= 100),
        ({"maxAmount": "100"}, lambda a: a <= 100),
        ({"minAmount": "100", "maxAmount": "100"}, lambda a: a == 100),
        ({"minAmount": "100.00", "maxAmount": "100.000"}, lambda a: a == 100),
        ({"minAmount": "99.99", "maxAmount": "99.999"}, lambda a: 99.99 <= a <= 99.999),
        ({"minAmount": "100.0005"}, lambda a: a >= 100.0005),
        ({"maxAmount": "0.0015"}, lambda a: a <= 0.0015),
        ({"minAmount": "0.000000000001", "maxAmount": "0.001"}, lambda a: a <= 0.001),
        ({"minAmount": "0"}, lambda a: True),
        ({"minAmount": "1000000000"}, lambda a: a >= 10**9),
        ({"maxAmount": "999999999999999"}, lambda a: True),
        ({"minAmount": "999999999999999"}, lambda a: False),
        ({"minAmount": "101", "maxAmount": "100"}, lambda a: False),
        ({"minAmount": "-5"}, lambda a: True),
    ],
)
async def test_amount_bounds_are_inclusive_and_in_major_units(
    client: httpx.AsyncClient, bounds: dict[str, str], matches: Any
) -> None:
    _, headers, charges = await create_mixed(client)
    expected = {charge["id"] for charge in charges if matches(charge["amount"])}
    for sort in ({}, {"sortBy": "amount", "sortOrder": "asc"}):
        if expected:
            walked = await walk(client, QUERY, headers, limit=2, **bounds, **sort)
            assert {row["id"] for row in walked} == expected
        else:
            answer = await client.get(QUERY, params={**bounds, **sort}, headers=headers)
            assert_error(answer, 404, NONE_MATCHING)


async def _completed_within(*, seconds: int, ids: list[str]) -> bool:
    for _ in range(seconds * 50):
        if await Transaction.find({"_id": {"$in": ids}, "status": "completed"}).count() == len(ids):
            return True
        await asyncio.sleep(0.02)
    return False


async def test_filters_by_currency_name_and_status_alone_and_together(client: httpx.AsyncClient) -> None:
    merchant = await create_merchant(client)
    headers = await both_headers(client, merchant)
    names = ("Ada", "Grace", "Жанна 🎁")
    made = [
        await create_charge(client, merchant=merchant, customerName=name, currency=currency)
        for name in names
        for currency in ("USD", "JPY")
    ]
    done = [charge["id"] for charge in made if charge["currency"] == "JPY"]
    now = clock.now()
    await Transaction.find({"_id": {"$in": done}}).update({"$set": {"due_at": now, "completes_at": now}})
    assert await _completed_within(seconds=10, ids=done)
    expectations: list[tuple[dict[str, str], Any]] = [
        ({"currency": "USD"}, lambda c: c["currency"] == "USD"),
        ({"currency": "jpy"}, lambda c: c["currency"] == "JPY"),
        ({"customerName": "Жанна 🎁"}, lambda c: c["customerName"] == "Жанна 🎁"),
        ({"status": "completed"}, lambda c: c["id"] in done),
        ({"status": "pending"}, lambda c: c["id"] not in done),
        (
            {"status": "completed", "customerName": "Ada"},
            lambda c: c["id"] in done and c["customerName"] == "Ada",
        ),
        ({"currency": "JPY", "minAmount": "1000", "maxAmount": "1000"}, lambda c: c["currency"] == "JPY"),
    ]
    for params, matches in expectations:
        walked = await walk(client, QUERY, headers, limit=1, **params)
        expected = [charge["id"] for charge in reversed(made) if matches(charge)]
        assert [row["id"] for row in walked] == expected, params
    nothing: list[dict[str, str]] = [
        {"currency": "EUR"},
        {"customerName": "ada"},
        {"customerName": ""},
        {"customerName": "A.*"},
        {"customerName": '{"$gt":""}'},
        {"status": "pending", "currency": "JPY"},
    ]
    for params in nothing:
        assert_error(await client.get(QUERY, params=params, headers=headers), 404, NONE_MATCHING)


async def test_creation_bounds_are_inclusive_whatever_their_offset(client: httpx.AsyncClient) -> None:
    merchant = await create_merchant(client)
    headers = await both_headers(client, merchant)
    made = []
    for _ in range(4):
        made.append(await create_charge(client, merchant=merchant))
        await asyncio.sleep(0.003)
    moments = [datetime.fromisoformat(charge["createdAt"]) for charge in made]

    async def found(**params: str) -> list[str]:
        answer = await client.get(QUERY, params={**params, "sortOrder": "asc"}, headers=headers)
        if answer.status_code == 404:
            return []
        return [row["id"] for row in answer.json()["transactions"]]

    ids = [charge["id"] for charge in made]
    second, third = clock.to_wire(moments[1]), clock.to_wire(moments[2])
    assert await found(createdFrom=second) == ids[1:]
    assert await found(createdTo=second) == ids[:2]
    assert await found(createdFrom=second, createdTo=third) == ids[1:3]
    assert await found(createdFrom=second, createdTo=second) == [ids[1]]
    assert await found(createdFrom=third, createdTo=second) == []
    for hours in (-11, 5.5, 14):
        elsewhere = moments[1].astimezone(timezone(timedelta(hours=hours)))
        assert await found(createdFrom=elsewhere.isoformat()) == ids[1:]
    naive = moments[1].replace(tzinfo=None).isoformat()
    assert await found(createdFrom=naive) == ids[1:]
    later = clock.to_wire(datetime.now(UTC) + timedelta(days=1))
    assert await found(createdFrom=later) == []
    assert await found(createdTo=later) == ids


async def test_an_unknown_parameter_changes_nothing(client: httpx.AsyncClient) -> None:
    merchant = await create_merchant(client)
    charged = await create_charge(client, merchant=merchant)
    headers = await both_headers(client, merchant)
    for name in ("status[$ne]", "customerName[$gt]", "$where", "ownerId", "owner_id", "userId"):
        page = (await client.get(QUERY, params={name: "x"}, headers=headers)).json()
        assert [row["id"] for row in page["transactions"]] == [charged["id"]]


async def test_nobody_sees_anothers_transactions(client: httpx.AsyncClient) -> None:
    one, two = await create_merchant(client), await create_merchant(client)
    theirs = [await create_charge(client, merchant=one) for _ in range(3)]
    mine = await create_charge(client, merchant=two)
    both = await both_headers(client, two)
    foreign = await both_headers(client, one)
    for url in (ALL, QUERY):
        page = (await client.get(url, headers=both)).json()
        assert [row["id"] for row in page["transactions"]] == [mine["id"]]
        assert page["totalTransactions"] == 1
    cursor = (await client.get(ALL, params={"limit": 1}, headers=foreign)).json()["nextCursor"]
    for url in (ALL, QUERY):
        answer = await client.get(url, params={"cursor": cursor}, headers=both)
        assert theirs[0]["id"] not in answer.text
    for charge in theirs:
        path = f"{API}/payments/{charge['id']}"
        answer = await client.get(path, headers=two.headers)
        detail = f"Transaction '{charge['id']}' not found for this user."
        assert_error(answer, 404, detail, "TRANSACTION_NOT_FOUND")
        delete = await client.delete(f"{API}/transactions/{charge['id']}", headers=both)
        denied = "Access denied. Only transaction owner or admin/system_admin can delete."
        assert_error(delete, 403, denied, "ACCESS_DENIED")
    assert await stored_for(one) == 3


async def test_a_query_needs_key_and_token_of_the_same_user(client: httpx.AsyncClient) -> None:
    one, two = await create_merchant(client), await create_merchant(client)
    await create_charge(client, merchant=one)
    mixed = {**one.headers, **await log_in(client, email=two.email)}
    answer = await client.get(QUERY, headers=mixed)
    assert_error(answer, 403, code="CALLERS_DIFFER")
    root = {**one.headers, **await log_in_admin(client)}
    assert_error(await client.get(QUERY, headers=root), 403)


@pytest.mark.parametrize(
    "given",
    ["txn_unknown", "txn_", "$gt", '{"$gt":""}', "%00", "x" * 5000, "жук", "alles", "%F0%9F%8E%81", "%FF"],
)
async def test_an_unknown_transaction_is_a_404(client: httpx.AsyncClient, given: str) -> None:
    merchant = await create_merchant(client)
    answer = await client.get(f"{API}/payments/{given}", headers=merchant.headers)
    body = assert_error(answer, 404, code="TRANSACTION_NOT_FOUND")
    assert body["detail"].startswith("Transaction '")
    assert body["detail"].endswith("' not found for this user.")
    deleted = await client.delete(
        f"{API}/transactions/{given}", headers=await log_in(client, email=merchant.email)
    )
    body = assert_error(deleted, 404, code="TRANSACTION_NOT_FOUND")
    assert body["detail"].endswith("' not found.")


async def test_a_delete_hides_the_transaction_and_keeps_it(client: httpx.AsyncClient) -> None:
    root = await log_in_admin(client)
    admin, admin_headers = await create_admin(client, by=root)
    root_id = (await client.get(f"{API}/users/me", headers=root)).json()["id"]
    merchant = await create_merchant(client)
    both = await both_headers(client, merchant)
    stays = await create_charge(client, merchant=merchant)
    for caller, caller_id in ((both, merchant.id), (admin_headers, admin.id), (root, root_id)):
        charged = await create_charge(client, merchant=merchant, details="keep me")
        path = f"{API}/transactions/{charged['id']}"
        answer = await client.delete(path, headers=caller)
        message = f"Transaction '{charged['id']}' deleted successfully."
        assert (answer.status_code, answer.json()) == (200, {"message": message})
        again = await client.delete(path, headers=caller)
        detail = f"Transaction '{charged['id']}' not found."
        assert_error(again, 404, detail, "TRANSACTION_NOT_FOUND")
        gone = await client.get(f"{API}/payments/{charged['id']}", headers=merchant.headers)
        assert_error(gone, 404, f"Transaction '{charged['id']}' not found for this user.")
        for url in (ALL, QUERY):
            page = (await client.get(url, headers=both)).json()
            assert [row["id"] for row in page["transactions"]] == [stays["id"]]
            assert page["totalTransactions"] == 1
        kept = await DeletedTransaction.get(charged["id"])
        assert kept is not None
        assert (kept.owner_id, kept.deleted_by) == (merchant.id, caller_id)
        assert kept.transaction["details"] == "keep me"
        assert kept.transaction["amount"] == 100_000
    assert (await client.delete(f"{API}/transactions/{stays['id']}", headers=both)).status_code == 200
    assert_error(await client.get(ALL, headers=both), 404, NONE_AT_ALL)


async def test_a_delete_needs_a_token(client: httpx.AsyncClient) -> None:
    merchant = await create_merchant(client)
    charged = await create_charge(client, merchant=merchant)
    path = f"{API}/transactions/{charged['id']}"
    assert_error(await client.delete(path, headers=merchant.headers), 401, NO_TOKEN)
    assert_error(await client.delete(path, headers={"Authorization": "Bearer x"}), 401, BAD_TOKEN)
    assert await stored_for(merchant) == 1


@pytest.mark.parametrize("resource", ["payments", "wallets", "transaction", "Users", "$gt", "ж"])
async def test_nothing_else_can_be_deleted(client: httpx.AsyncClient, resource: str) -> None:
    path = f"{API}/{resource}/anything"
    assert_error(await client.delete(path), 401, NO_TOKEN)
    refused = await client.delete(path, headers=await log_in_admin(client))
    detail = "Invalid resource type. Must be 'transactions' or 'users'."
    assert_error(refused, 400, detail, "INVALID_RESOURCE_TYPE")
    assert_error(await client.put(f"{API}/{resource}/anything/else"), 404, "Not Found")
