"""Members of a charge that can't be: refused by name, and nothing stored."""

import json
from typing import Any

import httpx
import pytest

from gateway.kit.cards import TEST_CARD_NUMBERS
from tests.contract.support import (
    CHARGE,
    ON_SHARED_APP,
    REAL_CARDS,
    assert_error,
    assert_refused_field,
    stored_for,
)
from tests.support.factories import API, charge_body, compact, create_merchant

pytestmark = ON_SHARED_APP

OPERATORS: tuple[Any, ...] = ({"$gt": ""}, {"$ne": None}, {"$where": "1"}, [{"$gt": ""}], ["a"], {})
NO_NUMBER = "must be a number or a decimal string"


async def refuse(
    client: httpx.AsyncClient, content: bytes, *loc: str | int, kind: str | None = None
) -> dict[str, Any]:
    """Charge with this body; it must be a 422 at ``loc`` that stores nothing."""
    merchant = await create_merchant(client)
    headers = {**merchant.headers, "Content-Type": "application/json", "Idempotency-Key": "k"}
    item = assert_refused_field(
        await client.post(CHARGE, content=content, headers=headers), "body", *loc, kind=kind
    )
    assert await stored_for(merchant) == 0
    return item


@pytest.mark.parametrize("missing", ["customerName", "paymentAmount", "currency"])
async def test_missing_members(client: httpx.AsyncClient, missing: str) -> None:
    body = charge_body()
    del body[missing]
    await refuse(client, compact(body), missing, kind="missing")


@pytest.mark.parametrize(
    ("amount", "currency", "message"),
    [
        ("0", "USD", "must be greater than zero"),
        ("-0", "USD", "must be greater than zero"),
        ("-0.0", "USD", "must be greater than zero"),
        ("0.00", "USD", "must be greater than zero"),
        ('"0"', "USD", "must be greater than zero"),
        ('"-0.00"', "USD", "must be greater than zero"),
        ("-1", "USD", "must be greater than zero"),
        ("-0.01", "USD", "must be greater than zero"),
        ('"-5"', "USD", "must be greater than zero"),
        ("-1e300", "USD", "must be greater than zero"),
        ("10.001", "USD", "USD has 2 decimals, the amount has more"),
        ('"10.001"', "USD", "USD has 2 decimals, the amount has more"),
        ("0.001", "USD", "USD has 2 decimals, the amount has more"),
        ("1e-3", "USD", "USD has 2 decimals, the amount has more"),
        ("1e-300", "USD", "USD has 2 decimals, the amount has more"),
        ("0.30000000000000004", "USD", "USD has 2 decimals, the amount has more"),
        ("5.5", "JPY", "JPY has 0 decimals, the amount has more"),
        ('"0.1"', "JPY", "JPY has 0 decimals, the amount has more"),
        ("1.2345", "KWD", "KWD has 3 decimals, the amount has more"),
        ("10000000000.00", "USD", "must be at most 999,999,999,999 minor units"),
        ('"10000000000.00"', "USD", "must be at most 999,999,999,999 minor units"),
        ("1000000000000", "JPY", "must be at most 999,999,999,999 minor units"),
        ('"1000000000.000"', "KWD", "must be at most 999,999,999,999 minor units"),
        ("1e15", "USD", "must be at most 999,999,999,999 minor units"),
        ("1e308", "USD", "must be at most 999,999,999,999 minor units"),
        ("9" * 400, "USD", None),
        ("1e400", "USD", None),
        ("-1e400", "USD", None),
        ("1e-400", "USD", None),
        ("1e999999999", "USD", None),
        ("18446744073709551616", "USD", "must be at most 999,999,999,999 minor units"),
        ("true", "USD", NO_NUMBER),
        ("false", "USD", NO_NUMBER),
        ("null", "USD", NO_NUMBER),
        ("[]", "USD", NO_NUMBER),
        ("[10]", "USD", NO_NUMBER),
        ("{}", "USD", NO_NUMBER),
        ('{"$gt":0}', "USD", NO_NUMBER),
        ('{"$numberDecimal":"10"}', "USD", NO_NUMBER),
    ],
)
async def test_bad_amounts(
    client: httpx.AsyncClient, amount: str, currency: str, message: str | None
) -> None:
    content = f'{{"customerName":"Ada","currency":"{currency}","paymentAmount":{amount}}}'
    merchant = await create_merchant(client)
    headers = {**merchant.headers, "Content-Type": "application/json"}
    answer = await client.post(CHARGE, content=content.encode(), headers=headers)
    body = assert_error(answer, 422, code="VALIDATION_ERROR")
    assert body["detail"][0]["loc"][0] == "body"
    if message is not None:
        assert [item["msg"] for item in body["detail"]] == [message]
        assert body["detail"][0]["loc"] == ["body", "paymentAmount"]
    assert await stored_for(merchant) == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        " 10",
        "10 ",
        "10\n",
        "1 000",
        "1,000",
        "1,5",
        "1_000",
        "1e3",
        "1E3",
        "0x10",
        "10.",
        ".5",
        "1.2.3",
        "--1",
        "$10",
        "10 USD",
        "ten",
        "NaN",
        "nan",
        "sNaN",
        "Infinity",
        "-inf",
        "１０",
        "١٠",
        "१०",
        "²",
        "1\u20090",
        "−5",
        "10\x00",
        "9" * 16,
        "9" * 5000,
        "1." + "0" * 13,
        "true",
    ],
)
async def test_texts_that_are_no_decimal(client: httpx.AsyncClient, text: str) -> None:
    item = await refuse(client, compact(charge_body(paymentAmount=text)), "paymentAmount", kind="amount")
    assert item["msg"] == NO_NUMBER


@pytest.mark.parametrize(
    "currency",
    [
        "",
        "US",
        "USDD",
        "XXL",
        "ZZZ",
        "XXX",
        "XAU",
        " USD",
        "USD ",
        "U\x00D",
        "ＵＳＤ",
        "$",
        "840",
        840,
        None,
        True,
        "ſek",
        *OPERATORS,
    ],
)
async def test_unknown_currencies(client: httpx.AsyncClient, currency: Any) -> None:
    item = await refuse(client, compact(charge_body(currency=currency)), "currency", kind="currency")
    assert item["msg"] == "must be an ISO 4217 currency code such as USD"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("", "blank"),
        (" ", "blank"),
        ("\t\n", "blank"),
        ("\u2003\u00a0", "blank"),
        ("x" * 201, "string_too_long"),
        ("A\x00da", "string_pattern_mismatch"),
        ("\x00", "string_pattern_mismatch"),
        (None, "string_type"),
        (5, "string_type"),
        (True, "string_type"),
        *((operator, "string_type") for operator in OPERATORS),
    ],
)
async def test_bad_customer_names(client: httpx.AsyncClient, name: Any, kind: str) -> None:
    await refuse(client, compact(charge_body(customerName=name)), "customerName", kind=kind)


@pytest.mark.parametrize(
    ("details", "kind"),
    [
        ("x" * 2001, "string_too_long"),
        ("\x00", "string_pattern_mismatch"),
        (5, "string_type"),
        *((operator, "string_type") for operator in OPERATORS),
    ],
)
async def test_bad_details(client: httpx.AsyncClient, details: Any, kind: str) -> None:
    await refuse(client, compact(charge_body(details=details)), "details", kind=kind)


@pytest.mark.parametrize(
    "url",
    [
        "",
        " ",
        "shop.example/hook",
        "//shop.example/hook",
        "/hook",
        "http://",
        "http:///hook",
        "ftp://shop.example/hook",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "gopher://127.0.0.1:70/",
        "data:text/plain,hello",
        "mailto:ada@shop.example",
        "http://shop.example:99999/",
        "http://shop.example:port/",
        "http://[::1/",
        "http://sh op.example/",
        "http://shop.example/\x00",
        "http://shop.example/\r\nX-Injected: 1",
        "http://" + "x" * 3000,
        "ｈttp://shop.example/",
        5,
        True,
        *OPERATORS,
    ],
)
async def test_bad_webhook_urls(client: httpx.AsyncClient, url: Any) -> None:
    await refuse(client, compact(charge_body(webhookUrl=url)), "webhookUrl")


@pytest.mark.parametrize(
    "metadata",
    [
        {"a": {"b": 1}},
        {"a": [1]},
        {"a": {}},
        {"a": {"$gt": ""}},
        {"$gt": ""},
        {"$where": "sleep(1000)"},
        {"a.b": "c"},
        {".": "c"},
        {"": "c"},
        {"a\x00b": "c"},
        {"a": "\x00"},
        {"x" * 41: "c"},
        {"a": "x" * 501},
        {"a": 2**63},
        {"a": -(2**63) - 1},
        {str(number): number for number in range(51)},
        [],
        [["a", "b"]],
        "a=b",
        5,
        None,
        True,
    ],
)
async def test_bad_metadata(client: httpx.AsyncClient, metadata: Any) -> None:
    await refuse(client, compact(charge_body(metadata=metadata)), "metadata")


@pytest.mark.parametrize("number", ["1e400", "-1e400", "NaN", "9" * 400])
async def test_metadata_numbers_that_json_can_not_hold(client: httpx.AsyncClient, number: str) -> None:
    merchant = await create_merchant(client)
    content = compact(charge_body(metadata={"a": 0})).replace(b'{"a":0}', b'{"a":%s}' % number.encode())
    headers = {**merchant.headers, "Content-Type": "application/json"}
    assert_error(await client.post(CHARGE, content=content, headers=headers), 422, code="VALIDATION_ERROR")
    assert await stored_for(merchant) == 0


@pytest.mark.parametrize("card", REAL_CARDS)
@pytest.mark.parametrize(
    "body",
    [
        {"customerName": "CARD"},
        {"customerName": "Grace CARD Hopper"},
        {"details": "paid with CARD, thanks"},
        {"metadata": {"pan": "CARD"}},
        {"metadata": {"CARD": "pan"}},
        {"webhookUrl": "http://127.0.0.1:9/?pan=CARD"},
        {"webhookUrl": "ftp://127.0.0.1:9/CARD"},
        {"currency": "CARD"},
        {"paymentAmount": "CARD"},
        {"details": ["CARD"]},
        {"metadata": {"a": ["CARD"]}},
        {"metadata": {"CARD": ["x"]}},
        {"metadata": {"$CARD": "x"}},
    ],
)
async def test_real_card_numbers_are_refused_and_not_echoed(
    client: httpx.AsyncClient, card: str, body: dict[str, Any]
) -> None:
    merchant = await create_merchant(client)
    content = json.dumps(charge_body(**body)).replace("CARD", card).encode()
    headers = {**merchant.headers, "Content-Type": "application/json"}
    answer = await client.post(CHARGE, content=content, headers=headers)
    assert_error(answer, 422, code="VALIDATION_ERROR")
    assert card not in answer.text
    assert await stored_for(merchant) == 0


@pytest.mark.parametrize("number", [4532015112830366, 4532015112830366.0, 5425233430109903])
async def test_a_real_card_number_is_none_the_better_for_being_a_number(
    client: httpx.AsyncClient, number: float
) -> None:
    merchant = await create_merchant(client)
    for body in (charge_body(metadata={"pan": number}), charge_body(paymentAmount=number)):
        answer = await client.post(CHARGE, json=body, headers=merchant.headers)
        assert_error(answer, 422, code="VALIDATION_ERROR")
        assert str(int(number)) not in answer.text
    assert await stored_for(merchant) == 0


async def test_the_published_test_numbers_are_accepted(client: httpx.AsyncClient) -> None:
    merchant = await create_merchant(client)
    for number in sorted(TEST_CARD_NUMBERS):
        body = charge_body(details=f"card {number}", metadata={"pan": number, "card": int(number)})
        answer = await client.post(CHARGE, json=body, headers=merchant.headers)
        assert answer.status_code == 201, answer.text
        assert answer.json()["metadata"] == {"pan": number, "card": int(number)}


async def test_ordinary_numbers_are_no_card_numbers(client: httpx.AsyncClient) -> None:
    merchant = await create_merchant(client)
    for text in (
        "order 4532015112830367",
        "1234567890123456",
        "2026-11-20 22:57:04",
        "+44 20 7946 0958 1234",
    ):
        answer = await client.post(CHARGE, json=charge_body(details=text), headers=merchant.headers)
        assert answer.status_code == 201, text


@pytest.mark.parametrize(
    "text",
    [
        "Zoë Ångström",
        "Ада Лавлейс",
        "エイダ・ラブレス",
        "阿达·洛芙莱斯",
        "عائشة عبد الرحمن",
        "שָׁלוֹם",
        "\u202eright to left\u202c",
        "👩‍💻🏳️‍🌈🎁",
        "e\u0301 is not é",
        "\u200b\ufeffzero width",
        "\U0010ffff \ufffd \uffff",
        "<script>alert('x')</script>",
        "'; DROP TABLE users; --",
        '{"$gt": ""}',
        "$gt",
        "../../etc/passwd",
        "%00%0a{{7*7}}${7*7}",
        "line\r\nend\ttab\x01\x7f",
        '\\u0000 \\ " /',
    ],
)
async def test_any_text_comes_back_as_it_was_given(client: httpx.AsyncClient, text: str) -> None:
    merchant = await create_merchant(client)
    body = charge_body(customerName=text, details=text, metadata={"note": text})
    for ensure_ascii in (True, False):
        content = json.dumps(body, ensure_ascii=ensure_ascii).encode()
        headers = {**merchant.headers, "Content-Type": "application/json"}
        charged = await client.post(CHARGE, content=content, headers=headers)
        assert charged.status_code == 201, charged.text
        stored = await client.get(f"{API}/payments/{charged.json()['id']}", headers=merchant.headers)
        for shown in (charged.json(), stored.json()):
            assert shown["customerName"] == shown["details"] == shown["metadata"]["note"] == text


async def test_the_longest_texts_are_taken(client: httpx.AsyncClient) -> None:
    merchant = await create_merchant(client)
    for character in ("x", "ж", "🎁"):
        body = charge_body(
            customerName=character * 200,
            details=character * 2000,
            metadata={f"{character * 38}{number:02}": character * 500 for number in range(50)},
            webhookUrl="http://127.0.0.1:9/" + "x" * (2048 - 19),
        )
        answer = await client.post(CHARGE, json=body, headers=merchant.headers)
        assert answer.status_code == 201, answer.text
        assert answer.json()["metadata"] == body["metadata"]


async def test_every_wrong_member_is_named_at_once(client: httpx.AsyncClient) -> None:
    merchant = await create_merchant(client)
    body = {"customerName": "", "paymentAmount": -1, "currency": "USD", "webhookUrl": "x", "details": 1}
    answer = await client.post(CHARGE, json=body, headers=merchant.headers)
    refusal = assert_error(answer, 422, code="VALIDATION_ERROR")
    named = {item["loc"][1] for item in refusal["detail"]}
    assert named == {"customerName", "paymentAmount", "webhookUrl", "details"}


async def test_a_wrong_text_is_echoed_in_part(client: httpx.AsyncClient) -> None:
    item = await refuse(client, compact(charge_body(details="long " * 1000)), "details")
    assert 0 < len(item["input"]) <= 200


async def test_a_url_may_hold_a_password_and_is_not_echoed(client: httpx.AsyncClient) -> None:
    url = "ftp://ada:hunter2@shop.example/"
    item = await refuse(client, compact(charge_body(webhookUrl=url)), "webhookUrl")
    assert "hunter2" not in str(item)
