"""What holds for every answer: the shape of errors, the request id, times, ids, money."""

import json
import re

import httpx
import pytest
from fastapi import FastAPI

from gateway.main import create_app
from tests.contract.support import (
    BAD_KEY,
    CHARGE,
    NO_TOKEN,
    ON_SHARED_APP,
    TIME,
    assert_error,
    both_headers,
    stored_for,
)
from tests.support.factories import (
    API,
    charge_body,
    create_charge,
    create_merchant,
    log_in_admin,
    make_settings,
)

pytestmark = ON_SHARED_APP


@pytest.mark.parametrize(
    ("method", "path", "status_code", "detail"),
    [
        ("GET", "/nothing-here", 404, "Not Found"),
        ("GET", f"{API}/nothing/here/either", 404, "Not Found"),
        ("POST", f"{API}/nothing/here", 404, "Not Found"),
        ("GET", f"{API}/", 404, "Not Found"),
        ("PUT", CHARGE, 405, "Method Not Allowed"),
        ("POST", "/health", 405, "Method Not Allowed"),
        ("PATCH", f"{API}/payments/all", 405, "Method Not Allowed"),
        ("TRACE", f"{API}/status", 405, "Method Not Allowed"),
    ],
)
async def test_unknown_paths_and_wrong_methods(
    client: httpx.AsyncClient, method: str, path: str, status_code: int, detail: str
) -> None:
    answer = await client.request(method, path)
    body = assert_error(answer, status_code, detail)
    assert body["error_code"] == {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}[status_code]
    if status_code == 405:
        assert answer.headers["Allow"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/health"),
        ("GET", "/docs"),
        ("GET", "/nothing-here"),
        ("PUT", CHARGE),
        ("POST", CHARGE),
        ("POST", f"{API}/users/login"),
        ("GET", f"{API}/users/me"),
        ("POST", f"{CHARGE}/"),
    ],
)
async def test_every_answer_has_a_request_id_and_keeps_the_callers(
    client: httpx.AsyncClient, method: str, path: str
) -> None:
    fresh = await client.request(method, path)
    assert re.fullmatch(r"req_[0-9a-f]+", fresh.headers["X-Request-Id"])
    given = "order-1001/retry:2"
    kept = await client.request(method, path, headers={"X-Request-Id": given})
    assert kept.headers.get_list("X-Request-Id") == [given]
    if kept.status_code >= 400:
        assert_error(kept, kept.status_code)


@pytest.mark.parametrize("unusable", ["", " ", "two words", "ünicode", "x" * 129, "a\tb"])
async def test_an_unusable_request_id_is_replaced(client: httpx.AsyncClient, unusable: str) -> None:
    answer = await client.get("/health", headers={b"X-Request-Id": unusable.encode("latin-1")})
    assert re.fullmatch(r"req_[0-9a-f]+", answer.headers["X-Request-Id"])


async def test_a_request_id_of_128_characters_is_kept(client: httpx.AsyncClient) -> None:
    answer = await client.get("/health", headers={"X-Request-Id": "x" * 128})
    assert answer.headers["X-Request-Id"] == "x" * 128


async def test_a_crash_is_a_500_in_the_same_shape_that_tells_nothing() -> None:
    app = create_app(make_settings(log_level="ERROR"))

    @app.get("/crash")
    async def crash() -> None:
        raise RuntimeError("a secret of the house")

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as crashing:
        answer = await crashing.get("/crash", headers={"X-Request-Id": "mine"})
    body = assert_error(answer, 500, "Internal Server Error", "INTERNAL_ERROR")
    assert body["request_id"] == "mine"
    assert "secret" not in answer.text


async def test_a_body_over_the_limit_is_a_413(client: httpx.AsyncClient, app: FastAPI) -> None:
    limit = app.state.settings.max_body_bytes
    merchant = await create_merchant(client)
    body = json.dumps(charge_body(details="x" * 1_048_576)).encode()
    headers = {**merchant.headers, "Content-Type": "application/json", "X-Request-Id": "big"}
    answer = await client.post(CHARGE, content=body, headers=headers)
    refusal = assert_error(answer, 413, f"The body is larger than {limit} bytes.", "BODY_TOO_LARGE")
    assert refusal["request_id"] == "big"
    assert await stored_for(merchant) == 0


async def test_ids_have_their_prefixes_and_sort_by_creation(client: httpx.AsyncClient) -> None:
    merchant = await create_merchant(client)
    charges = [await create_charge(client, merchant=merchant) for _ in range(5)]
    ids = [charge["id"] for charge in charges]
    assert re.fullmatch(r"user_[0-9a-f]+", merchant.id)
    assert all(re.fullmatch(r"txn_[0-9a-f]+", txn_id) for txn_id in ids)
    assert ids == sorted(ids)
    assert len(set(ids)) == 5


async def test_every_time_is_utc_with_milliseconds_and_z(client: httpx.AsyncClient) -> None:
    merchant = await create_merchant(client)
    charge = await create_charge(client, merchant=merchant)
    assert TIME.fullmatch(charge["created"])
    assert TIME.fullmatch(charge["createdAt"])
    me = await client.get(f"{API}/users/me", headers=await both_headers(client, merchant))
    assert TIME.fullmatch(me.json()["createdAt"])
    status = await client.get(f"{API}/status")
    assert TIME.fullmatch(status.json()["metrics"]["lastRestart"])


@pytest.mark.parametrize(
    ("currency", "given", "shown"),
    [
        ("USD", 1000.00, 1000),
        ("USD", "1000.00", 1000),
        ("USD", "10.50", 10.5),
        ("USD", 0.01, 0.01),
        ("USD", 9_999_999_999.99, 9_999_999_999.99),
        ("USD", "9999999999.99", 9_999_999_999.99),
        ("usd", 19.99, 19.99),
        ("USD", 0.1 + 0.2 - 0.2, None),
        ("USD", 10.1, 10.1),
        ("USD", "10.100000000", 10.1),
        ("JPY", 500, 500),
        ("JPY", "500.00", 500),
        ("JPY", 999_999_999_999, 999_999_999_999),
        ("KWD", 1.234, 1.234),
        ("KWD", "999999999.999", 999_999_999.999),
        ("EUR", 1e3, 1000),
    ],
)
async def test_money_is_a_number_in_major_units(
    client: httpx.AsyncClient, currency: str, given: float | str, shown: float | None
) -> None:
    merchant = await create_merchant(client)
    body = charge_body(currency=currency, paymentAmount=given)
    answer = await client.post(CHARGE, json=body, headers=merchant.headers)
    if shown is None:
        assert_error(answer, 422, code="VALIDATION_ERROR")
        return
    assert answer.status_code == 201, answer.text
    assert answer.json()["amount"] == shown
    assert answer.json()["currency"] == currency.upper()


async def test_a_json_answer_is_utf_8_whatever_was_asked_for(client: httpx.AsyncClient) -> None:
    answer = await client.get(f"{API}/status", headers={"Accept": "text/html"})
    assert answer.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("method", "path", "detail"),
    [
        ("POST", "/payments/charge", BAD_KEY),
        ("GET", "/payments/all?limit=abc", BAD_KEY),
        ("GET", "/payments/query?limit=abc", BAD_KEY),
        ("GET", "/payments/txn_1", BAD_KEY),
        ("POST", "/webhook-receive", "Invalid X-API-Key"),
        ("GET", "/users?limit=abc", NO_TOKEN),
        ("GET", "/users/me", NO_TOKEN),
        ("GET", "/protected", NO_TOKEN),
        ("GET", "/admin/dashboard", NO_TOKEN),
        ("PATCH", "/users/user_1/role", NO_TOKEN),
        ("DELETE", "/users/user_1", NO_TOKEN),
        ("DELETE", "/transactions/txn_1", NO_TOKEN),
        ("DELETE", "/anything/1", NO_TOKEN),
    ],
)
@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"password":"x"}', b"\xff\xfe", b"null"])
async def test_a_401_precedes_any_judgement_of_the_body(
    client: httpx.AsyncClient, method: str, path: str, detail: str, content: bytes
) -> None:
    headers = {"Content-Type": "application/json", "Idempotency-Key": "\x07"}
    answer = await client.request(method, f"{API}{path}", content=content, headers=headers)
    assert_error(answer, 401, detail)


async def test_a_403_precedes_any_judgement_of_the_body(client: httpx.AsyncClient) -> None:
    admin = await log_in_admin(client)
    merchant = await create_merchant(client)
    headers = {**await both_headers(client, merchant), "Content-Type": "application/json"}
    refused = await client.patch(f"{API}/users/{merchant.id}/role", content=b"{", headers=headers)
    assert_error(refused, 403, "Access denied. Allowed roles: ('system_admin',)", "ACCESS_DENIED")
    judged = await client.patch(
        f"{API}/users/{merchant.id}/role",
        content=b"{",
        headers={**admin, "Content-Type": "application/json"},
    )
    assert_error(judged, 422, code="VALIDATION_ERROR")
