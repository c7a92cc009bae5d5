"""Registration, login, roles, listings, deletion of people."""

import re
from typing import Any
from uuid import uuid4

import httpx
import pytest

from gateway.users.documents import User
from tests.contract.support import (
    NO_TOKEN,
    ON_SHARED_APP,
    TIME,
    assert_error,
    assert_refused_field,
    create_admin,
)
from tests.support.factories import (
    ADMIN_EMAIL,
    API,
    PASSWORD,
    Merchant,
    create_charge,
    create_merchant,
    log_in,
    log_in_admin,
)

pytestmark = ON_SHARED_APP

REGISTER = f"{API}/users/register"
LOGIN = f"{API}/users/login"
TAKEN = "User with this email already exists."
WRONG = "Invalid email or password."


def new_email() -> str:
    return f"{uuid4().hex[:12]}@shop.example"


def sign_up(**values: Any) -> dict[str, Any]:
    return {"name": "Ada", "email": new_email(), "password": PASSWORD, **values}


@pytest.mark.parametrize("path", ["/users/register", "/users/"])
@pytest.mark.parametrize(
    ("asked", "stored"), [(None, "user"), ("customer", "user"), ("merchant", "merchant")]
)
async def test_registration_shows_key_and_secret_this_once(
    client: httpx.AsyncClient, path: str, asked: str | None, stored: str
) -> None:
    body = sign_up() if asked is None else sign_up(role=asked)
    answer = await client.post(f"{API}{path}", json=body)
    made = answer.json()
    assert answer.status_code == 201, answer.text
    assert set(made) == {"message", "userId", "apiKey", "webhookSecret", "role", "createdAt"}
    assert made["message"] == "User registered successfully."
    assert made["userId"].startswith("user_")
    assert made["apiKey"].startswith("PK_LIVE_")
    assert made["webhookSecret"].startswith("SK_")
    assert made["role"] == stored
    assert TIME.fullmatch(made["createdAt"])
    headers = await log_in(client, email=body["email"])
    for path in ("/users/me", "/protected"):
        shown = await client.get(f"{API}{path}", headers=headers)
        assert not re.search(f"PK_|SK_|{PASSWORD}|bcrypt|hash|secret", shown.text, re.IGNORECASE)


async def test_nothing_secret_is_stored_in_clear(client: httpx.AsyncClient) -> None:
    merchant = await create_merchant(client)
    stored = await User.get_pymongo_collection().find_one({"_id": merchant.id})
    assert stored is not None
    text = repr(stored)
    assert merchant.secret not in text
    assert merchant.secret.removeprefix("SK_") not in text
    assert merchant.api_key not in text
    assert PASSWORD not in text
    assert stored["password_hash"].startswith("$bcrypt-sha256$")


async def test_a_taken_email_is_a_400_whatever_its_case(client: httpx.AsyncClient) -> None:
    body = sign_up()
    assert (await client.post(REGISTER, json=body)).status_code == 201
    for email in (body["email"], body["email"].upper(), body["email"].title()):
        again = await client.post(REGISTER, json={**body, "email": email, "password": "another-password"})
        assert_error(again, 400, TAKEN, "EMAIL_TAKEN")
        assert "another-password" not in again.text
    await log_in(client, email=body["email"])


@pytest.mark.parametrize(
    ("change", "field", "kind"),
    [
        ({"email": "not-an-email"}, "email", "string_pattern_mismatch"),
        ({"email": ""}, "email", "string_pattern_mismatch"),
        ({"email": "@shop.example"}, "email", "string_pattern_mismatch"),
        ({"email": "ada@"}, "email", "string_pattern_mismatch"),
        ({"email": "ada@shop"}, "email", "string_pattern_mismatch"),
        ({"email": "ada@shop."}, "email", "string_pattern_mismatch"),
        ({"email": "ada@.example"}, "email", "string_pattern_mismatch"),
        ({"email": "ada@shop..example"}, "email", "string_pattern_mismatch"),
        ({"email": "a da@shop.example"}, "email", "string_pattern_mismatch"),
        ({"email": "ada@shop.example\n"}, "email", "string_pattern_mismatch"),
        ({"email": "a\x00da@shop.example"}, "email", "string_pattern_mismatch"),
        ({"email": "ada@shop.example" + "x" * 250}, "email", "string_too_long"),
        ({"email": {"$gt": ""}}, "email", "string_type"),
        ({"email": None}, "email", "string_type"),
        ({"email": 5}, "email", "string_type"),
        ({"name": "A"}, "name", "string_too_short"),
        ({"name": ""}, "name", "string_too_short"),
        ({"name": "x" * 201}, "name", "string_too_long"),
        ({"name": "A\x00da"}, "name", "string_pattern_mismatch"),
        ({"name": {"$ne": None}}, "name", "string_type"),
        ({"password": "seven-7"}, "password", "string_too_short"),
        ({"password": ""}, "password", "string_too_short"),
        ({"password": "x" * 65}, "password", "string_too_long"),
        ({"password": "pass\x00word"}, "password", "string_pattern_mismatch"),
        ({"password": ["a-good-password"]}, "password", "string_type"),
        ({"password": {"$gt": ""}}, "password", "string_type"),
        ({"password": 1234567890}, "password", "string_type"),
        ({"password": True}, "password", "string_type"),
        ({"role": "admin"}, "role", "enum"),
        ({"role": "system_admin"}, "role", "enum"),
        ({"role": "user"}, "role", "enum"),
        ({"role": None}, "role", "enum"),
        ({"role": ["merchant"]}, "role", "enum"),
        ({"role": {"$ne": "x"}}, "role", "enum"),
        ({"requireSignature": "perhaps"}, "requireSignature", "bool_parsing"),
        ({"requireSignature": None}, "requireSignature", "bool_type"),
    ],
)
async def test_bad_registrations(
    client: httpx.AsyncClient, change: dict[str, Any], field: str, kind: str
) -> None:
    before = await User.count()
    body = sign_up(**change)
    answer = await client.post(REGISTER, json=body)
    assert_refused_field(answer, "body", field, kind=kind)
    given = body["password"]
    for secret in given if isinstance(given, list) else [given]:
        assert not secret or str(secret) not in answer.text
    assert await User.count() == before


@pytest.mark.parametrize("missing", ["name", "email", "password"])
async def test_a_missing_member_is_named_and_the_rest_not_echoed(
    client: httpx.AsyncClient, missing: str
) -> None:
    body = sign_up()
    del body[missing]
    answer = await client.post(REGISTER, json=body)
    assert_refused_field(answer, "body", missing, kind="missing")
    assert PASSWORD not in answer.text


@pytest.mark.parametrize("length", [8, 64])
async def test_passwords_of_8_to_64_characters_in_any_alphabet(
    client: httpx.AsyncClient, length: int
) -> None:
    for character in ("x", "ж", "🔑"):
        body = sign_up(password=character * length)
        assert (await client.post(REGISTER, json=body)).status_code == 201
        await log_in(client, email=body["email"], password=body["password"])
        shorter = {"email": body["email"], "password": character * (length - 1)}
        assert_error(await client.post(LOGIN, json=shorter), 401, WRONG)


async def test_names_and_emails_in_other_alphabets_come_back_intact(client: httpx.AsyncClient) -> None:
    for name in ("Zoë Ångström", "Ада Лавлейс", "エイダ", "عائشة", "👩‍💻🏳️‍🌈", "e\u0301", "<b>&amp;\"'"):
        body = sign_up(name=name, email=f"{uuid4().hex[:8]}@пример.example")
        assert (await client.post(REGISTER, json=body)).status_code == 201
        me = await client.get(f"{API}/users/me", headers=await log_in(client, email=body["email"]))
        assert (me.json()["name"], me.json()["email"]) == (name, body["email"])


async def test_the_longest_email_that_may_register_may_log_in(client: httpx.AsyncClient) -> None:
    host = f"{uuid4().hex}.{'x' * 63}.{'y' * 63}.{'z' * 20}.example"
    email = f"{'a' * 64}@{host}"
    assert len(email) == 254
    answer = await client.post(REGISTER, json=sign_up(email=email))
    assert answer.status_code == 201, answer.text
    await log_in(client, email=email)
    form = await client.post(f"{API}/login", data={"username": email, "password": PASSWORD})
    assert form.status_code == 200, form.text


@pytest.mark.parametrize("path", ["/users/login", "/auth/login", "/login"])
async def test_login_answers_with_a_bearer_token(client: httpx.AsyncClient, path: str) -> None:
    merchant = await create_merchant(client)
    answer = await _log_in_at(client, path, merchant.email.upper(), PASSWORD)
    body = answer.json()
    assert answer.status_code == 200, answer.text
    assert set(body) == {"access_token", "token_type", "userId", "role"}
    assert (body["token_type"], body["userId"], body["role"]) == ("bearer", merchant.id, "merchant")
    headers = {"Authorization": f"Bearer {body['access_token']}"}
    assert (await client.get(f"{API}/users/me", headers=headers)).status_code == 200


@pytest.mark.parametrize("path", ["/users/login", "/auth/login", "/login"])
async def test_a_failed_login_says_the_same_whether_or_not_the_email_exists(
    client: httpx.AsyncClient, path: str
) -> None:
    merchant = await create_merchant(client)
    known = await _log_in_at(client, path, merchant.email, "a-wrong-password")
    unknown = await _log_in_at(client, path, new_email(), "a-wrong-password")
    for answer in (known, unknown):
        assert_error(answer, 401, WRONG, "INVALID_CREDENTIALS")
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert "a-wrong-password" not in answer.text
    unlike = {"request_id"}
    assert {k: v for k, v in known.json().items() if k not in unlike} == {
        k: v for k, v in unknown.json().items() if k not in unlike
    }
    assert set(known.headers) == set(unknown.headers)


@pytest.mark.parametrize(
    ("change", "field", "kind"),
    [
        ({"email": {"$gt": ""}}, "email", "string_type"),
        ({"email": {"$regex": ".*"}}, "email", "string_type"),
        ({"email": ["root@gateway.example"]}, "email", "string_type"),
        ({"email": None}, "email", "string_type"),
        ({"email": "root\x00@gateway.example"}, "email", "string_pattern_mismatch"),
        ({"password": {"$ne": ""}}, "password", "string_type"),
        ({"password": None}, "password", "string_type"),
        ({"password": "\x00"}, "password", "string_pattern_mismatch"),
        ({"password": "x" * 100_000}, "password", "string_too_long"),
    ],
)
async def test_bad_logins(client: httpx.AsyncClient, change: dict[str, Any], field: str, kind: str) -> None:
    body = {"email": ADMIN_EMAIL, "password": "root-password-1", **change}
    answer = await client.post(LOGIN, json=body)
    assert_refused_field(answer, "body", field, kind=kind)
    assert "root-password-1" not in answer.text
    assert "xxxx" not in answer.text


@pytest.mark.parametrize("email", ["", "$gt", '{"$gt": ""}', "root@gateway.example'--", "*", ".*"])
async def test_texts_that_look_like_queries_are_only_texts(client: httpx.AsyncClient, email: str) -> None:
    for path in ("/users/login", "/login"):
        answer = await _log_in_at(client, path, email, "root-password-1")
        assert answer.status_code in ((401, 422) if not email else (401,)), answer.text
        assert_error(answer, answer.status_code)


async def test_an_operator_in_a_form_is_only_an_unknown_field(client: httpx.AsyncClient) -> None:
    form = {"username[$ne]": "x", "password[$ne]": "x"}
    answer = await client.post(f"{API}/login", data=form)
    assert_refused_field(answer, "body", "username", kind="missing")
    assert_refused_field(answer, "body", "password", kind="missing")


async def test_me_is_the_caller_without_secrets(client: httpx.AsyncClient) -> None:
    merchant = await create_merchant(client)
    me = await client.get(f"{API}/users/me", headers=await log_in(client, email=merchant.email))
    assert me.status_code == 200
    assert set(me.json()) == {"id", "name", "email", "role", "createdAt"}
    assert (me.json()["id"], me.json()["email"]) == (merchant.id, merchant.email)


async def test_protected_greets_the_caller(client: httpx.AsyncClient) -> None:
    merchant = await create_merchant(client)
    answer = await client.get(f"{API}/protected", headers=await log_in(client, email=merchant.email))
    expected = {"message": "Access granted — authenticated user.", "userId": merchant.id, "role": "merchant"}
    assert (answer.status_code, answer.json()) == (200, expected)


async def test_the_dashboard_welcomes_both_kinds_of_admin(client: httpx.AsyncClient) -> None:
    root = await log_in_admin(client)
    admin, headers = await create_admin(client, by=root)
    for caller, role in ((root, "system_admin"), (headers, "admin")):
        answer = await client.get(f"{API}/admin/dashboard", headers=caller)
        body = answer.json()
        assert answer.status_code == 200
        assert body["message"] == "Welcome to the admin dashboard."
        assert body["role"] == role
        assert body["userId"].startswith("user_")
        assert body["totalUsers"] >= 2
        assert body["totalTransactions"] >= 0
    assert body["userId"] == admin.id


async def test_people_are_listed_newest_first_without_secrets(client: httpx.AsyncClient) -> None:
    root = await log_in_admin(client)
    made = [await create_merchant(client) for _ in range(5)]
    newest = [merchant.id for merchant in reversed(made)]
    first = await client.get(f"{API}/users?limit=3", headers=root)
    rest = await client.get(f"{API}/users", params={"skip": 3, "limit": 2}, headers=root)
    assert [person["id"] for person in first.json() + rest.json()] == newest
    for person in first.json():
        assert set(person) == {"id", "name", "email", "role", "createdAt"}
    whole = await client.get(f"{API}/users?limit=1000", headers=root)
    for merchant in made:
        assert merchant.secret not in whole.text
        assert merchant.api_key not in whole.text
    assert "bcrypt" not in whole.text
    assert len((await client.get(f"{API}/users?skip=1000000", headers=root)).json()) == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", "0"),
        ("limit", "1001"),
        ("limit", "-1"),
        ("limit", "abc"),
        ("limit", "1.5"),
        ("limit", "1e2"),
        ("limit", "9" * 30),
        ("limit", "9" * 5000),
        ("limit", ""),
        ("skip", "-1"),
        ("skip", "1000001"),
        ("skip", "abc"),
        ("skip", "٣"),
        ("skip", '{"$gt":0}'),
    ],
)
async def test_bad_pages_of_people(client: httpx.AsyncClient, name: str, value: str) -> None:
    answer = await client.get(f"{API}/users", params={name: value}, headers=await log_in_admin(client))
    assert_refused_field(answer, "query", name)


@pytest.mark.parametrize("role", ["user", "merchant", "admin"])
async def test_a_system_admin_changes_roles(client: httpx.AsyncClient, role: str) -> None:
    root = await log_in_admin(client)
    person = await create_merchant(client)
    answer = await client.patch(f"{API}/users/{person.id}/role", json={"new_role": role}, headers=root)
    expected = {"message": f"User role updated to '{role}'", "userId": person.id}
    assert (answer.status_code, answer.json()) == (200, expected)
    me = await client.get(f"{API}/users/me", headers=await log_in(client, email=person.email))
    assert me.json()["role"] == role


@pytest.mark.parametrize(
    "role", ["system_admin", "customer", "root", "", "ADMIN", None, 1, {"$ne": "user"}, []]
)
async def test_no_other_role_can_be_given(client: httpx.AsyncClient, role: Any) -> None:
    root = await log_in_admin(client)
    person = await create_merchant(client)
    answer = await client.patch(f"{API}/users/{person.id}/role", json={"new_role": role}, headers=root)
    assert_refused_field(answer, "body", "new_role", kind="enum")
    assert (await User.get(person.id)).role == "merchant"  # type: ignore[union-attr]


async def test_roles_of_unknown_and_fixed_people(client: httpx.AsyncClient) -> None:
    root = await log_in_admin(client)
    body = {"new_role": "user"}
    for user_id in ("user_unknown", "$gt", '{"$ne":""}', "x" * 3000, "%00", "ж"):
        unknown = await client.patch(f"{API}/users/{user_id}/role", json=body, headers=root)
        assert_error(unknown, 404, "User not found.", "USER_NOT_FOUND")
    me = (await client.get(f"{API}/users/me", headers=root)).json()
    own = await client.patch(f"{API}/users/{me['id']}/role", json=body, headers=root)
    assert_error(own, 403, code="ROLE_IS_FIXED")
    assert (await client.get(f"{API}/admin/dashboard", headers=root)).status_code == 200
    _, admin = await create_admin(client, by=root)
    refused = await client.patch(f"{API}/users/{me['id']}/role", json=body, headers=admin)
    assert_error(refused, 403, "Access denied. Allowed roles: ('system_admin',)")


async def test_admins_delete_people_and_free_their_emails(client: httpx.AsyncClient) -> None:
    root = await log_in_admin(client)
    _, admin = await create_admin(client, by=root)
    for caller in (root, admin):
        person = await create_merchant(client)
        answer = await client.delete(f"{API}/users/{person.id}", headers=caller)
        message = f"User '{person.id}' deleted successfully."
        assert (answer.status_code, answer.json()) == (200, {"message": message})
        again = await client.delete(f"{API}/users/{person.id}", headers=caller)
        assert_error(again, 404, f"User '{person.id}' not found.", "USER_NOT_FOUND")
        changed = await client.patch(f"{API}/users/{person.id}/role", json={"new_role": "user"}, headers=root)
        assert_error(changed, 404, "User not found.")
        listed = await client.get(f"{API}/users?limit=1000", headers=root)
        assert person.id not in listed.text
        kept = await User.get(person.id)
        assert kept is not None
        assert (kept.deleted_email, kept.deleted_by is not None) == (person.email, True)
        successor = await client.post(REGISTER, json=sign_up(email=person.email))
        assert successor.status_code == 201
        assert successor.json()["userId"] != person.id


async def test_who_may_not_delete_whom(client: httpx.AsyncClient) -> None:
    root = await log_in_admin(client)
    root_id = (await client.get(f"{API}/users/me", headers=root)).json()["id"]
    admin, admin_headers = await create_admin(client, by=root)
    merchant = await create_merchant(client)
    headers = await log_in(client, email=merchant.email)
    denied = "Access denied. Only system_admin/admin can delete users."
    for user_id in (merchant.id, admin.id, "user_unknown"):
        answer = await client.delete(f"{API}/users/{user_id}", headers=headers)
        assert_error(answer, 403, denied, "ACCESS_DENIED")
    for own_id, own in ((admin.id, admin_headers), (root_id, root)):
        answer = await client.delete(f"{API}/users/{own_id}", headers=own)
        assert_error(answer, 400, "Admins cannot delete their own user account.", "SELF_DELETION")
    answer = await client.delete(f"{API}/users/{root_id}", headers=admin_headers)
    assert_error(answer, 403, denied, "ACCESS_DENIED")
    assert_error(await client.delete(f"{API}/users/{merchant.id}"), 401, NO_TOKEN)
    unknown = await client.delete(f"{API}/users/user_unknown", headers=root)
    assert_error(unknown, 404, "User 'user_unknown' not found.", "USER_NOT_FOUND")


async def test_a_deleted_persons_payments_stay_for_admins(client: httpx.AsyncClient) -> None:
    root = await log_in_admin(client)
    merchant = await create_merchant(client)
    charge = await create_charge(client, merchant=merchant)
    await client.delete(f"{API}/users/{merchant.id}", headers=root)
    answer = await client.delete(f"{API}/transactions/{charge['id']}", headers=root)
    assert answer.status_code == 200


async def _log_in_at(client: httpx.AsyncClient, path: str, email: str, password: str) -> httpx.Response:
    if path == "/users/login":
        return await client.post(f"{API}{path}", json={"email": email, "password": password})
    return await client.post(f"{API}{path}", data={"username": email, "password": password})


async def test_the_first_system_admin_is_there_from_the_start(client: httpx.AsyncClient) -> None:
    me = await client.get(f"{API}/users/me", headers=await log_in_admin(client))
    assert (me.json()["email"], me.json()["role"]) == (ADMIN_EMAIL, "system_admin")


async def test_an_oauth_form_may_name_its_grant_type(client: httpx.AsyncClient) -> None:
    merchant: Merchant = await create_merchant(client)
    form = {"username": merchant.email, "password": PASSWORD, "grant_type": "password", "scope": ""}
    extra = {"client_id": "", "client_secret": ""}
    assert (await client.post(f"{API}/auth/login", data={**form, **extra})).status_code == 200
    other = await client.post(f"{API}/auth/login", data={**form, "grant_type": "client_credentials"})
    assert_refused_field(other, "body", "grant_type")
    assert PASSWORD not in other.text
