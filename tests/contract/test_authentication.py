"""The three ways to authenticate: who is let in, who is not, and from when on."""

import base64
import json
import time
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from jose import jws, jwt

from gateway.api_keys import service as api_keys
from gateway.store.unit_of_work import unit_of_work
from tests.contract.support import (
    BAD_KEY,
    BAD_SCHEME,
    BAD_TOKEN,
    CHARGE,
    NO_TOKEN,
    ON_SHARED_APP,
    assert_error,
    both_headers,
    create_admin,
    stored_for,
)
from tests.support.factories import API, charge_body, create_merchant, log_in, log_in_admin

pytestmark = ON_SHARED_APP

ME = f"{API}/users/me"
DASHBOARD = f"{API}/admin/dashboard"


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def claims_for(user_id: str, **values: Any) -> dict[str, Any]:
    now = int(time.time())
    claims = {"sub": user_id, "role": "merchant", "email": "a@b.example", "jti": "1"}
    return {**claims, "iat": now, "exp": now + 60, **values}


def part(content: Any) -> str:
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


async def test_the_token_is_hs256_with_the_promised_claims(client: httpx.AsyncClient, app: FastAPI) -> None:
    merchant = await create_merchant(client)
    token = (await log_in(client, email=merchant.email))["Authorization"].removeprefix("Bearer ")
    secret = app.state.settings.jwt_secret.get_secret_value()
    claims = jwt.decode(token, secret, algorithms=["HS256"])
    assert jwt.get_unverified_header(token)["alg"] == "HS256"
    assert set(claims) == {"sub", "role", "email", "jti", "iat", "exp"}
    assert (claims["sub"], claims["role"], claims["email"]) == (merchant.id, "merchant", merchant.email)
    assert claims["exp"] - claims["iat"] == 7200
    other = (await log_in(client, email=merchant.email))["Authorization"].removeprefix("Bearer ")
    assert jwt.get_unverified_claims(other)["jti"] != claims["jti"]


async def test_a_genuine_token_is_let_in_whatever_the_case_of_its_scheme(client: httpx.AsyncClient) -> None:
    merchant = await create_merchant(client)
    token = (await log_in(client, email=merchant.email))["Authorization"].removeprefix("Bearer ")
    for scheme in ("Bearer", "bearer", "BEARER"):
        answer = await client.get(ME, headers={"Authorization": f"{scheme} {token}"})
        assert answer.status_code == 200
        assert answer.json()["id"] == merchant.id


@pytest.mark.parametrize(
    ("value", "detail"),
    [
        (None, NO_TOKEN),
        (b"", NO_TOKEN),
        (b"Bearer", BAD_SCHEME),
        (b"Bearer ", BAD_SCHEME),
        (b"Basic dXNlcjpwYXNz", BAD_SCHEME),
        (b"Digest username=x", BAD_SCHEME),
        (b"Token abc", BAD_SCHEME),
        (b"eyJhbGciOiJIUzI1NiJ9.e30.x", BAD_SCHEME),
        (b"Bearer,Basic abc", BAD_SCHEME),
        (b"Bearer abc", BAD_TOKEN),
        (b"Bearer a.b.c", BAD_TOKEN),
        (b"Bearer ..", BAD_TOKEN),
        (b"Bearer a b c", BAD_TOKEN),
        (b"Bearer \xff\xfe", BAD_TOKEN),
        (b"Bearer null", BAD_TOKEN),
        (b'Bearer {"$gt": ""}', BAD_TOKEN),
        (b"Bearer " + b"x" * 8000, BAD_TOKEN),
    ],
)
async def test_bad_authorization_headers(client: httpx.AsyncClient, value: bytes | None, detail: str) -> None:
    headers = {} if value is None else {b"Authorization": value}
    answer = await client.get(ME, headers=headers)
    assert_error(answer, 401, detail, "NOT_AUTHENTICATED")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


async def test_forged_tokens_are_refused(client: httpx.AsyncClient, app: FastAPI) -> None:
    merchant = await create_merchant(client)
    secret = app.state.settings.jwt_secret.get_secret_value()
    good = claims_for(merchant.id)
    genuine = jwt.encode(good, secret, "HS256")
    header, _, signature = genuine.split(".")
    assert (await client.get(ME, headers=bearer(genuine))).status_code == 200
    no_algorithm = [
        f"{part({'alg': name, 'typ': 'JWT'})}.{part(good)}." for name in ("none", "None", "NONE", "nOnE", "")
    ]
    now = int(time.time())
    forged = [
        *no_algorithm,
        f"{part({'alg': 'none'})}.{part(good)}.{signature}",
        f"{part({'typ': 'JWT'})}.{part(good)}.{signature}",
        f"{header}.{part({**good, 'role': 'system_admin'})}.{signature}",
        f"{header}.{part(good)}.",
        f"{header}.{part(good)}",
        genuine + "x",
        jwt.encode(good, "another key, as long as the real one is", "HS256"),
        jwt.encode(good, "", "HS256"),
        jwt.encode(good, secret, "HS512"),
        jwt.encode(good, secret, "HS384"),
        jwt.encode(claims_for(merchant.id, exp=now - 1), secret, "HS256"),
        jwt.encode({k: v for k, v in good.items() if k != "exp"}, secret, "HS256"),
        jwt.encode({k: v for k, v in good.items() if k != "sub"}, secret, "HS256"),
        jwt.encode(claims_for("user_unknown"), secret, "HS256"),
        jwt.encode(claims_for(""), secret, "HS256"),
        jwt.encode({**good, "exp": "never"}, secret, "HS256"),
        jwt.encode({**good, "nbf": now + 600}, secret, "HS256"),
    ]
    for token in forged:
        assert_error(await client.get(ME, headers=bearer(token)), 401, BAD_TOKEN, "NOT_AUTHENTICATED")


@pytest.mark.parametrize("subject", [{"$gt": ""}, ["user_1"], 7, True, None])
async def test_a_subject_that_is_no_text_is_refused(
    client: httpx.AsyncClient, app: FastAPI, subject: Any
) -> None:
    secret = app.state.settings.jwt_secret.get_secret_value()
    token = jws.sign({**claims_for("x"), "sub": subject}, secret, algorithm="HS256")
    assert_error(await client.get(ME, headers=bearer(token)), 401, BAD_TOKEN)


@pytest.mark.parametrize(
    "token",
    [
        f"{part(b'[' * 3000)}.{part({})}.{part(b'x')}",
        f"{part(b'{' * 3000)}.{part({})}.{part(b'x')}",
        f"{part(b'[' * 3000 + b']' * 3000)}.{part({})}.{part(b'x')}",
        f"{part([])}.{part({})}.x",
        f"{part({'alg': ['HS256']})}.{part({})}.x",
        f"{part({'alg': {'$gt': ''}})}.{part({})}.x",
        f"{part({'alg': 'HS256', 'crit': ['exp']})}.{part({})}.x",
        f"{part(b'{}' + bytes([0xFF]))}.{part({})}.x",
        f"{part({'alg': 'HS256'})}.{part(b'[' * 3000)}.{part(b'x')}",
    ],
)
async def test_a_mangled_token_is_refused_like_any_other(client: httpx.AsyncClient, token: str) -> None:
    assert_error(await client.get(ME, headers=bearer(token)), 401, BAD_TOKEN)


@pytest.mark.parametrize(
    "value",
    [None, b"", b"PK_LIVE_unknown", b"pk_live_x", b'{"$gt": ""}', b"\xff\xfe", b"*", b"x" * 8000],
)
async def test_bad_api_keys(client: httpx.AsyncClient, value: bytes | None) -> None:
    headers = {} if value is None else {b"X-API-Key": value}
    answer = await client.post(CHARGE, json=charge_body(), headers=headers)
    assert_error(answer, 401, BAD_KEY, "INVALID_API_KEY")
    assert "X-API-Key" in answer.headers["WWW-Authenticate"]


async def test_neither_credential_stands_in_for_the_other(client: httpx.AsyncClient) -> None:
    merchant = await create_merchant(client)
    token = await log_in(client, email=merchant.email)
    assert_error(await client.post(CHARGE, json=charge_body(), headers=token), 401, BAD_KEY)
    assert_error(await client.get(ME, headers=merchant.headers), 401, NO_TOKEN)
    query = f"{API}/payments/query"
    assert_error(await client.get(query, headers=token), 401, BAD_KEY)
    assert_error(await client.get(query, headers=merchant.headers), 401, NO_TOKEN)
    as_key = {"X-API-Key": token["Authorization"].removeprefix("Bearer ")}
    assert_error(await client.post(CHARGE, json=charge_body(), headers=as_key), 401, BAD_KEY)
    assert_error(await client.get(ME, headers=bearer(merchant.api_key)), 401, BAD_TOKEN)


async def test_of_repeated_credentials_the_first_counts(client: httpx.AsyncClient) -> None:
    first, second = await create_merchant(client), await create_merchant(client)
    good, bad = ("X-API-Key", first.api_key), ("X-API-Key", second.api_key)
    charged = await client.post(CHARGE, json=charge_body(), headers=[good, bad])
    assert charged.json()["ownerId"] == first.id
    refused = await client.post(CHARGE, json=charge_body(), headers=[("X-API-Key", "no"), good])
    assert_error(refused, 401, BAD_KEY)
    assert await stored_for(second) == 0
    tokens = [
        ("Authorization", (await log_in(client, email=merchant.email))["Authorization"])
        for merchant in (first, second)
    ]
    me = await client.get(ME, headers=tokens)
    assert me.json()["id"] == first.id


async def test_a_role_change_holds_from_the_next_request(client: httpx.AsyncClient) -> None:
    root = await log_in_admin(client)
    person, headers = await create_admin(client, by=root)
    assert (await client.get(DASHBOARD, headers=headers)).status_code == 200
    demoted = await client.patch(f"{API}/users/{person.id}/role", json={"new_role": "user"}, headers=root)
    assert demoted.status_code == 200
    refusal = await client.get(DASHBOARD, headers=headers)
    assert_error(refusal, 403, "Access denied. Allowed roles: ('admin', 'system_admin')", "ACCESS_DENIED")
    protected = await client.get(f"{API}/protected", headers=headers)
    assert protected.json()["role"] == "user"
    await client.patch(f"{API}/users/{person.id}/role", json={"new_role": "admin"}, headers=root)
    assert (await client.get(DASHBOARD, headers=headers)).status_code == 200


async def test_a_deleted_users_token_and_key_end_with_it(client: httpx.AsyncClient) -> None:
    root = await log_in_admin(client)
    merchant = await create_merchant(client)
    headers = await both_headers(client, merchant)
    assert (await client.delete(f"{API}/users/{merchant.id}", headers=root)).status_code == 200
    assert_error(await client.get(ME, headers=headers), 401, BAD_TOKEN)
    assert_error(await client.post(CHARGE, json=charge_body(), headers=headers), 401, BAD_KEY)
    assert_error(await client.get(f"{API}/payments/all", headers=headers), 401, BAD_KEY)
    login = {"email": merchant.email, "password": "a-good-password"}
    assert_error(await client.post(f"{API}/users/login", json=login), 401, "Invalid email or password.")
    assert await stored_for(merchant) == 0


async def test_a_revoked_key_ends_with_the_next_request(client: httpx.AsyncClient) -> None:
    merchant = await create_merchant(client)
    assert (await client.post(CHARGE, json=charge_body(), headers=merchant.headers)).status_code == 201
    await unit_of_work(lambda session: api_keys.revoke_all(merchant.id, session))
    api_keys.forget_cached()
    refused = await client.post(CHARGE, json=charge_body(), headers=merchant.headers)
    assert_error(refused, 401, BAD_KEY)
    assert await stored_for(merchant) == 1
    body = {"event": "x"}
    answer = await client.post(f"{API}/webhook-receive", json=body, headers=merchant.headers)
    assert_error(answer, 401, "Invalid X-API-Key")


@pytest.mark.parametrize("role", ["customer", "merchant"])
async def test_people_are_kept_out_of_what_admins_may_do(client: httpx.AsyncClient, role: str) -> None:
    person = await create_merchant(client, role=role)
    headers = await log_in(client, email=person.email)
    admins = "Access denied. Allowed roles: ('admin', 'system_admin')"
    for path in ("/users", "/admin/dashboard"):
        assert_error(await client.get(f"{API}{path}", headers=headers), 403, admins, "ACCESS_DENIED")
    answer = await client.patch(f"{API}/users/{person.id}/role", json={"new_role": "admin"}, headers=headers)
    assert_error(answer, 403, "Access denied. Allowed roles: ('system_admin',)", "ACCESS_DENIED")
    me = await client.get(ME, headers=headers)
    assert me.json()["role"] == {"customer": "user", "merchant": "merchant"}[role]
