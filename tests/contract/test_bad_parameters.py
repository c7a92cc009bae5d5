"""Query parameters, paths and headers that can't be."""

import base64
from typing import Any

import httpx
import pytest

from tests.contract.support import (
    ON_SHARED_APP,
    assert_error,
    assert_refused_field,
    both_headers,
)
from tests.support.factories import API, create_charge, create_merchant

pytestmark = ON_SHARED_APP

ALL = f"{API}/payments/all"
QUERY = f"{API}/payments/query"
NOT_OURS = "The cursor is not one that this list handed out."


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(
            ("limit", value)
            for value in (
                "0",
                "-1",
                "1001",
                "abc",
                "",
                "1.5",
                "1e2",
                "9" * 30,
                "9" * 5000,
                "١٠",
                "0x10",
                "null",
                '{"$gt":0}',
                "1\x00",
            )
        ),
        *(
            ("status", value)
            for value in ("", "PENDING", "done", "$ne", '{"$ne":"x"}', "pending,completed", "pending\x00")
        ),
        *(("currency", value) for value in ("", "US", "XXX", "$gt", '{"$gt":""}', "ＵＳＤ", "USD,EUR")),
        *(("sortBy", value) for value in ("", "created", "id", "-amount", "$natural", "owner_id")),
        *(("sortOrder", value) for value in ("", "up", "DESC", "-1", "1")),
        *(
            (name, value)
            for name in ("minAmount", "maxAmount")
            for value in (
                "",
                "ten",
                "NaN",
                "nan",
                "inf",
                "-Infinity",
                "1e400",
                "1e3",
                "1_0",
                " 1",
                "１０",
                "9" * 16,
                "1.",
                "0x1",
                "true",
                '{"$gt":0}',
                "1,5",
                "9" * 5000,
            )
        ),
        *(
            (name, value)
            for name in ("createdFrom", "createdTo")
            for value in (
                "",
                "yesterday",
                "2026-13-01",
                "2026-02-30T00:00:00Z",
                "2026-11-20T25:00:00Z",
                "10000-01-01T00:00:00Z",
                "0000-01-01T00:00:00Z",
                "-0001-01-01T00:00:00Z",
                "2026-11-20T00:00:00+99:99",
                "0001-01-01T00:00:00+23:59",
                "9999-12-31T23:59:59.999-23:59",
                "2026-W47-5",
                "9" * 40,
                "1e400",
                "NaN",
                "inf",
                '{"$gt":""}',
                "２０２６-11-20",
                "2026-11-20T00:00:00Z\x00",
            )
        ),
        ("customerName", "a\x00b"),
        ("customerName", "x" * 201),
    ],
)
async def test_bad_filters(client: httpx.AsyncClient, name: str, value: str) -> None:
    merchant = await create_merchant(client)
    answer = await client.get(QUERY, params={name: value}, headers=await both_headers(client, merchant))
    assert_refused_field(answer, "query", name)
    if name == "limit":
        listed = await client.get(ALL, params={name: value}, headers=merchant.headers)
        assert_refused_field(listed, "query", name)


@pytest.mark.parametrize(
    ("params", "found"),
    [
        ({"createdFrom": "0001-01-01T00:00:00Z"}, True),
        ({"createdTo": "9999-12-31T23:59:59.999999Z"}, True),
        ({"createdFrom": "1969-12-31T23:59:59Z", "createdTo": "9999-12-31"}, True),
        ({"createdTo": "0001-01-01T00:00:00Z"}, False),
        ({"createdFrom": "9999-12-31T23:59:59.999999Z"}, False),
        ({"createdTo": "1970-01-01T00:00:00Z"}, False),
        ({"createdFrom": "0"}, True),
        ({"createdTo": "-1"}, False),
        ({"createdFrom": "2020-01-01"}, True),
        ({"createdFrom": "2020-01-01 00:00:00"}, True),
        ({"createdFrom": "2020-01-01T00:00:00,5Z"}, True),
    ],
)
async def test_extreme_times_are_only_bounds(
    client: httpx.AsyncClient, params: dict[str, str], found: bool
) -> None:
    merchant = await create_merchant(client)
    await create_charge(client, merchant=merchant)
    answer = await client.get(QUERY, params=params, headers=await both_headers(client, merchant))
    if found:
        assert answer.status_code == 200, answer.text
        assert answer.json()["totalTransactions"] == 1
    else:
        assert_error(answer, 404, "No transactions found matching the query for this user.")


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "abc",
        "!!!!",
        "====",
        "жук",
        "\x00",
        "null",
        '{"$gt":""}',
        "A" * 500,
        base64.b64encode(b"\xff\xfe\xfd").decode(),
        encoded(""),
        encoded("createdAt-desc"),
        encoded("createdAt-desc|0"),
        encoded("createdAt-desc|x|txn_1"),
        encoded("createdAt-desc|0|txn_1|more"),
        encoded("createdAt-desc|1.5|txn_1"),
        encoded(f"createdAt-desc|{2**63}|txn_1"),
        encoded(f"createdAt-desc|{'9' * 300}|txn_1"),
        encoded("createdAt-asc|0|txn_1"),
        encoded("amount-desc|0|txn_1"),
        encoded("ownerId-desc|0|txn_1"),
    ],
)
async def test_bad_cursors(client: httpx.AsyncClient, cursor: str) -> None:
    merchant = await create_merchant(client)
    await create_charge(client, merchant=merchant)
    headers = await both_headers(client, merchant)
    for url in (ALL, QUERY):
        answer = await client.get(url, params={"cursor": cursor}, headers=headers)
        assert_error(answer, 422, NOT_OURS, "INVALID_CURSOR")


async def test_a_cursor_is_at_most_500_characters(client: httpx.AsyncClient) -> None:
    merchant = await create_merchant(client)
    answer = await client.get(ALL, params={"cursor": "A" * 501}, headers=merchant.headers)
    assert_refused_field(answer, "query", "cursor", kind="string_too_long")


async def test_a_cursor_of_another_order_is_refused(client: httpx.AsyncClient) -> None:
    merchant = await create_merchant(client)
    headers = await both_headers(client, merchant)
    for _ in range(3):
        await create_charge(client, merchant=merchant)
    orders = [(by, order) for by in ("amount", "createdAt") for order in ("asc", "desc")]
    for by, order in orders:
        given: dict[str, Any] = {"sortBy": by, "sortOrder": order, "limit": 1}
        cursor = (await client.get(QUERY, params=given, headers=headers)).json()["nextCursor"]
        for other_by, other in orders:
            params: dict[str, Any] = {"sortBy": other_by, "sortOrder": other, "limit": 1, "cursor": cursor}
            answer = await client.get(QUERY, params=params, headers=headers)
            if (by, order) == (other_by, other):
                assert answer.status_code == 200
            else:
                assert_error(answer, 422, NOT_OURS, "INVALID_CURSOR")


async def test_a_bad_cursor_of_an_empty_list_is_no_crash(client: httpx.AsyncClient) -> None:
    merchant = await create_merchant(client)
    answer = await client.get(ALL, params={"cursor": "abc"}, headers=merchant.headers)
    assert answer.status_code in (404, 422)
    assert_error(answer, answer.status_code, answer.json()["detail"])


@pytest.mark.parametrize(
    "path",
    [
        "/payments/%00",
        "/payments/..%2f..%2fetc",
        "/payments/%ff%fe",
        "/payments/" + "x" * 20_000,
        "/payments/%F0%9F%8E%81",
        "//payments/all",
        "/payments//all",
        "/payments/all/",
        "/payments/{transaction_id}",
        "/payments/$where",
        "/payments/a|b;c",
    ],
)
async def test_odd_paths_are_answered_in_shape(client: httpx.AsyncClient, path: str) -> None:
    merchant = await create_merchant(client)
    answer = await client.get(f"{API}{path}", headers=merchant.headers)
    if answer.status_code != 307:  # a slash too many is led to the right path
        assert_error(answer, 404)
    assert answer.headers["X-Request-Id"]


async def test_repeated_and_strange_parameters(client: httpx.AsyncClient) -> None:
    merchant = await create_merchant(client)
    headers = await both_headers(client, merchant)
    charged = await create_charge(client, merchant=merchant)
    for raw in (
        "limit=1&limit=2",
        "&&&=&=x&x",
        "%00=%00",
        "%ff=%fe",
        "limit[]=0&limit[$gt]=0",
        "cursor[$ne]=x&status[$ne]=x&$where=1",
        "a=" + "x" * 20_000,
        "&".join(f"p{number}={number}" for number in range(2000)),
    ):
        answer = await client.get(f"{QUERY}?{raw}", headers=headers)
        assert answer.status_code == 200, raw
        assert [row["id"] for row in answer.json()["transactions"]] == [charged["id"]]
    refused = await client.get(f"{QUERY}?limit=1&limit=0", headers=headers)
    assert refused.status_code in (200, 422)


@pytest.mark.parametrize(
    "header", ["X-Request-Id", "X-API-Key", "X-Signature", "Authorization", "Cookie", "Accept"]
)
@pytest.mark.parametrize("value", [b"", b"\xff\xfe", b"x" * 20_000, b'{"$gt":""}', b"a,b", b"\x00"])
async def test_strange_headers_never_crash(client: httpx.AsyncClient, header: str, value: bytes) -> None:
    for path in ("/payments/all", "/users/me", "/status"):
        answer = await client.get(f"{API}{path}", headers={header.encode(): value})
        assert answer.status_code == (200 if path == "/status" else 401)
        assert answer.headers["X-Request-Id"]
