"""Bodies that are no JSON, the wrong JSON or too much of it: refused, and nothing changed."""

import json
from collections.abc import AsyncIterator

import httpx
import pytest

from gateway.main import create_app
from gateway.users.documents import User
from tests.contract.support import CHARGE, ON_SHARED_APP, assert_error, stored_for
from tests.support.factories import (
    API,
    PASSWORD,
    charge_body,
    compact,
    create_merchant,
    log_in_admin,
    make_settings,
    sign,
)

pytestmark = ON_SHARED_APP

JSON = {"Content-Type": "application/json"}
GOOD = compact(charge_body())

NOT_JSON: dict[str, bytes] = {
    "text": b"hello",
    "blank": b" \r\n\t",
    "cut": GOOD[:-1],
    "two values": GOOD + GOOD,
    "trailing comma": b'{"customerName":"Ada",}',
    "single quotes": b"{'customerName':'Ada'}",
    "comment": b"/* Ada */ {}",
    "bare word": b"undefined",
    "xml": b"<charge/>",
    "nul": b"\x00",
    "nul after": GOOD + b"\x00",
    "raw nul in text": b'{"customerName":"A\x00da"}',
    "raw line end in text": b'{"customerName":"A\nda"}',
    "byte order mark": b"\xef\xbb\xbf" + GOOD,
    "utf-16": json.dumps(charge_body()).encode("utf-16"),
    "invalid utf-8": b'{"customerName":"\xff\xfe"}',
    "overlong utf-8": b'{"customerName":"\xc0\xaf"}',
    "surrogate in utf-8": b'{"customerName":"\xed\xa0\x80"}',
    "lone high surrogate": b'{"customerName":"\\ud83c"}',
    "lone low surrogate": b'{"customerName":"\\udf81"}',
    "reversed surrogates": b'{"customerName":"\\udf81\\ud83c"}',
    "surrogate in a name": b'{"\\ud83c":1}',
    "bad escape": b'{"customerName":"\\x41"}',
    "NaN": b'{"paymentAmount":NaN}',
    "Infinity": b'{"paymentAmount":Infinity}',
    "-Infinity": b'{"paymentAmount":-Infinity}',
    "hex": b'{"paymentAmount":0x10}',
    "leading zero": b'{"paymentAmount":010}',
    "plus": b'{"paymentAmount":+10}',
    "underscore": b'{"paymentAmount":1_000}',
    "bare dot": b'{"paymentAmount":.5}',
    "deep lists": b"[" * 100_000,
    "deep closed lists": b"[" * 50_000 + b"]" * 50_000,
    "deep objects": b'{"a":' * 20_000,
    "deep metadata": b'{"metadata":' + b'{"a":' * 20_000 + b"1" + b"}" * 20_001,
}

WRONG_KIND = [
    b"null",
    b"true",
    b"1",
    b'"text"',
    b"[]",
    b"[{}]",
    b"[" + GOOD + b"]",
    json.dumps(GOOD.decode()).encode(),
]


@pytest.mark.parametrize("name", NOT_JSON)
async def test_what_is_no_json_is_a_422(client: httpx.AsyncClient, name: str) -> None:
    merchant = await create_merchant(client)
    content = NOT_JSON[name]
    answer = await client.post(CHARGE, content=content, headers={**merchant.headers, **JSON})
    body = assert_error(answer, 422, code="VALIDATION_ERROR")
    assert body["detail"][0]["loc"][0] == "body"
    if name not in ("deep closed lists",):
        assert {item["type"] for item in body["detail"]} == {"json_invalid"}
        assert body["detail"][0]["msg"] == "JSON decode error"
    assert len(answer.content) < 1000
    signed = {**merchant.headers, **JSON, "X-Signature": sign(merchant.secret, content)}
    assert_error(await client.post(CHARGE, content=content, headers=signed), 422, code="VALIDATION_ERROR")
    assert await stored_for(merchant) == 0


@pytest.mark.parametrize("content", WRONG_KIND)
async def test_json_that_is_no_object_is_a_422(client: httpx.AsyncClient, content: bytes) -> None:
    merchant = await create_merchant(client)
    answer = await client.post(CHARGE, content=content, headers={**merchant.headers, **JSON})
    body = assert_error(answer, 422, code="VALIDATION_ERROR")
    assert body["detail"][0]["loc"] == ["body"]
    assert body["detail"][0]["type"] in ("model_attributes_type", "missing")
    assert "Grace" not in answer.text
    assert await stored_for(merchant) == 0


async def test_an_empty_body_is_a_422(client: httpx.AsyncClient) -> None:
    merchant = await create_merchant(client)
    for headers in (merchant.headers, {**merchant.headers, **JSON}):
        answer = await client.post(CHARGE, content=b"", headers=headers)
        body = assert_error(answer, 422, code="VALIDATION_ERROR")
        assert (body["detail"][0]["type"], body["detail"][0]["loc"]) == ("missing", ["body"])
    assert await stored_for(merchant) == 0


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "text/plain",
        "text/json",
        "application/xml",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/octet-stream",
        "application/jsonp",
        "nonsense",
        ";;;",
        "application/json2; charset=utf-8",
    ],
)
async def test_another_content_type_is_a_422(client: httpx.AsyncClient, content_type: str | None) -> None:
    merchant = await create_merchant(client)
    headers = dict(merchant.headers)
    if content_type is not None:
        headers["Content-Type"] = content_type
    answer = await client.post(CHARGE, content=GOOD, headers=headers)
    body = assert_error(answer, 422, code="VALIDATION_ERROR")
    assert body["detail"][0]["loc"] == ["body"]
    assert "Grace" not in answer.text
    assert await stored_for(merchant) == 0


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "APPLICATION/JSON", "application/json; charset=utf-8", "application/vnd.api+json"],
)
async def test_json_by_any_of_its_names_is_taken(client: httpx.AsyncClient, content_type: str) -> None:
    merchant = await create_merchant(client)
    headers = {**merchant.headers, "Content-Type": content_type}
    assert (await client.post(CHARGE, content=GOOD, headers=headers)).status_code == 201


@pytest.mark.parametrize("path", ["/users/register", "/users/", "/users/login"])
async def test_a_form_at_a_json_endpoint_is_refused_without_an_echo(
    client: httpx.AsyncClient, path: str
) -> None:
    form = {"name": "Ada", "email": "ada@shop.example", "username": "ada@shop.example", "password": PASSWORD}
    as_parts = {name: (None, value) for name, value in form.items()}
    for answer in (
        await client.post(f"{API}{path}", data=form),
        await client.post(f"{API}{path}", files=as_parts),
        await client.post(f"{API}{path}", json=[form]),
        await client.post(f"{API}{path}", json=json.dumps(form)),
        await client.post(f"{API}{path}", content=compact(form)[:-1], headers=JSON),
        await client.post(f"{API}{path}", content=compact(form)),
    ):
        assert_error(answer, 422, code="VALIDATION_ERROR")
        assert PASSWORD not in answer.text


@pytest.mark.parametrize("path", ["/auth/login", "/login"])
async def test_what_is_no_form_at_a_form_endpoint_is_refused_without_an_echo(
    client: httpx.AsyncClient, path: str
) -> None:
    body = {"username": "root@gateway.example", "password": "root-password-1"}
    url_encoded = {"Content-Type": "application/x-www-form-urlencoded"}
    for answer in (
        await client.post(f"{API}{path}", json=body),
        await client.post(f"{API}{path}", content=b""),
        await client.post(f"{API}{path}", content=b"\xff\xfe=\xff", headers=url_encoded),
        await client.post(f"{API}{path}", content=b"&" * 5000, headers=url_encoded),
        await client.post(f"{API}{path}", content=b"%zz=%&=&%00", headers=url_encoded),
        await client.post(f"{API}{path}", data={"username": body["username"]}),
        await client.post(
            f"{API}{path}", files={"username": ("u", b"x"), "password": ("p", b"root-password-1")}
        ),
        await client.post(f"{API}{path}", data={"username": "a\x00", "password": "root-password-1"}),
    ):
        assert_error(answer, 422, code="VALIDATION_ERROR")
        assert "root-password-1" not in answer.text


@pytest.mark.parametrize(
    ("content_type", "content"),
    [
        ("multipart/form-data; boundary=x", b"nothing of the kind, root-password-1"),
        ("multipart/form-data; boundary=x", b"--x\r\nroot-password-1\r\n\r\n"),
        ("multipart/form-data", b"--x--"),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n' * 1001,
        ),
        ("application/x-www-form-urlencoded", b"a=b&" * 1001),
    ],
)
async def test_a_form_that_can_not_be_read_is_a_400(
    client: httpx.AsyncClient, content_type: str, content: bytes
) -> None:
    answer = await client.post(f"{API}/login", content=content, headers={"Content-Type": content_type})
    assert_error(answer, 400, code="BAD_REQUEST")
    assert "root-password-1" not in answer.text


async def in_chunks(body: bytes, size: int = 10_000) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


async def test_a_body_over_the_limit_is_a_413_with_or_without_its_length(
    client: httpx.AsyncClient,
) -> None:
    merchant = await create_merchant(client)
    body = compact(charge_body(details="x" * 1_048_576))
    headers = {**merchant.headers, **JSON, "Idempotency-Key": "big"}
    signed = {**headers, "X-Signature": sign(merchant.secret, body)}
    for given in (headers, signed):
        for content in (body, in_chunks(body)):
            answer = await client.post(CHARGE, content=content, headers=given)
            assert_error(answer, 413, "The body is larger than 262144 bytes.", "BODY_TOO_LARGE")
    for path in ("/users/register", "/users/login"):
        for content in (body, in_chunks(body)):
            answer = await client.post(f"{API}{path}", content=content, headers=JSON)
            assert_error(answer, 413, code="BODY_TOO_LARGE")
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await client.post(f"{API}/login", content=in_chunks(b"username=" + b"x" * 300_000), headers=form)
    assert_error(answer, 413, code="BODY_TOO_LARGE")
    assert await stored_for(merchant) == 0


async def test_the_limit_is_a_setting_and_exact() -> None:
    app = create_app(make_settings(max_body_bytes=500))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as small:
        for size, status_code in ((500, 401), (501, 413)):
            body = b" " * (size - len(GOOD)) + GOOD
            for content in (body, in_chunks(body, 100)):
                answer = await small.post(CHARGE, content=content, headers=JSON)
                detail = "The body is larger than 500 bytes." if status_code == 413 else None
                assert_error(answer, status_code, detail)


async def test_bad_bodies_change_no_person(client: httpx.AsyncClient) -> None:
    root = await log_in_admin(client)
    person = await create_merchant(client)
    before = await User.count()
    for content in (*NOT_JSON.values(), *WRONG_KIND, b""):
        for answer in (
            await client.post(f"{API}/users/register", content=content, headers=JSON),
            await client.post(f"{API}/users/login", content=content, headers=JSON),
            await client.patch(f"{API}/users/{person.id}/role", content=content, headers={**root, **JSON}),
        ):
            assert_error(answer, 422, code="VALIDATION_ERROR")
    assert await User.count() == before
    assert (await User.get(person.id)).role == "merchant"  # type: ignore[union-attr]
