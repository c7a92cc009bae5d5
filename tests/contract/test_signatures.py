"""Signed requests: both forms, what is refused, and what the refusal hints at."""

import base64
import hashlib
import json
import time
from typing import Any

import httpx
import pytest

from tests.contract.support import BAD_SIGNATURE, CHARGE, ON_SHARED_APP, assert_error, stored_for
from tests.support.factories import (
    Merchant,
    charge_body,
    compact,
    create_merchant,
    sign,
    timestamped_signature,
)

pytestmark = ON_SHARED_APP

SPACED = json.dumps(charge_body(details="Zoë 🎁"), indent=2).encode()


async def post_signed(
    client: httpx.AsyncClient, merchant: Merchant, signature: str | bytes, body: bytes, **headers: str
) -> httpx.Response:
    given = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    given[b"Content-Type"] = b"application/json"
    given[b"X-API-Key"] = merchant.api_key.encode()
    given[b"X-Signature"] = signature if isinstance(signature, bytes) else signature.encode()
    return await client.post(CHARGE, content=body, headers=given)


def assert_badly_signed(answer: httpx.Response, hint: str = "") -> None:
    body = assert_error(answer, 401, BAD_SIGNATURE, "INVALID_SIGNATURE")
    assert hint in body["hint"]
    assert "X-Signature" in answer.headers["WWW-Authenticate"]


async def test_good_signatures_are_accepted_where_they_are_optional(client: httpx.AsyncClient) -> None:
    merchant = await create_merchant(client)
    parsed = json.loads(SPACED)
    utf8 = json.dumps(parsed, separators=(",", ":"), ensure_ascii=False).encode()
    stamp = int(time.time())
    good = sign(merchant.secret, f"{stamp}.".encode() + SPACED)
    signatures = [
        sign(merchant.secret, SPACED),
        sign(merchant.secret, SPACED).upper(),
        sign(merchant.secret, compact(parsed)),
        sign(merchant.secret, utf8),
        timestamped_signature(merchant.secret, SPACED),
        f"t={stamp},v1={'0' * 64},v1={good}",
        f"t={stamp},v1={good},v1={'0' * 64}",
        f"t={stamp}, v1={good.upper()}",
        f"v1={good},t={stamp}",
        f"t={stamp},v0=old,v1={good}",
    ]
    for count, signature in enumerate(signatures, start=1):
        answer = await post_signed(client, merchant, signature, SPACED)
        assert answer.status_code == 201, (signature, answer.text)
        assert await stored_for(merchant) == count


@pytest.mark.parametrize("seconds", [-290, 290, 0])
async def test_300_seconds_are_tolerated_either_way(client: httpx.AsyncClient, seconds: int) -> None:
    for require in (False, True):
        merchant = await create_merchant(client, require_signature=require)
        signature = timestamped_signature(merchant.secret, SPACED, at=time.time() + seconds)
        assert (await post_signed(client, merchant, signature, SPACED)).status_code == 201


@pytest.mark.parametrize(
    ("seconds", "hint"), [(-310, "s old"), (310, "in the future"), (-(10**9), "s old"), (10**10, "future")]
)
async def test_other_times_are_refused(client: httpx.AsyncClient, seconds: int, hint: str) -> None:
    for require in (False, True):
        merchant = await create_merchant(client, require_signature=require)
        signature = timestamped_signature(merchant.secret, SPACED, at=time.time() + seconds)
        assert_badly_signed(await post_signed(client, merchant, signature, SPACED), hint)
        assert await stored_for(merchant) == 0


def wrong_signatures(merchant: Merchant, body: bytes) -> list[tuple[str | bytes, str]]:
    """Mistakes that senders make, each with what its hint must say."""
    stamp = int(time.time())
    raw = bytes.fromhex(sign(merchant.secret, body))
    stamped = f"{stamp}.".encode() + body
    return [
        ("", "64 hex digits"),
        ("0" * 63, "64 hex digits"),
        ("z" * 64, "64 hex digits"),
        ("é".encode() * 32, "64 hex digits"),
        (b"\xff" * 64, "64 hex digits"),
        ("0" * 64, "Either the secret"),
        ("sha256=" + sign(merchant.secret, body), "without 'sha256='"),
        (base64.b64encode(raw).decode(), "in base64"),
        (base64.urlsafe_b64encode(raw).decode(), "in base64"),
        (sign(merchant.api_key, body), "API key (PK_"),
        (sign(merchant.secret.removeprefix("SK_"), body), "without its 'SK_'"),
        (sign(merchant.secret, body + b"\n"), "line end"),
        (sign(merchant.secret, b""), "empty body"),
        (hashlib.sha256(body).hexdigest(), "plain SHA-256"),
        (f"t={stamp},v1={sign(merchant.secret, body)}", "sign '<t>.<body>'"),
        (f"t={stamp},v1={sign(merchant.api_key, stamped)}", "API key (PK_"),
        (f"t={stamp},v1={'0' * 64}", "Either the secret"),
        (f"t={stamp},v1=", "64 hex digits"),
        (f"t={stamp}", "at least one v1"),
        (f"t={stamp},v2={sign(merchant.secret, stamped)}", "at least one v1"),
        (f"t=,v1={sign(merchant.secret, stamped)}", "exactly one t="),
        (f"t=now,v1={sign(merchant.secret, stamped)}", "exactly one t="),
        (f"t=-1,v1={sign(merchant.secret, stamped)}", "exactly one t="),
        (f"t={stamp}.5,v1={sign(merchant.secret, stamped)}", "exactly one t="),
        (f"t=²,v1={'0' * 64}", "exactly one t="),
        (f"t={'9' * 5000},v1={'0' * 64}", "exactly one t="),
        (f"t={stamp},t={stamp},v1={sign(merchant.secret, stamped)}", "exactly one t="),
        (f"t={stamp * 1000},v1={sign(merchant.secret, stamped)}", "exactly one t="),
        (f"t={stamp + 1},v1={sign(merchant.secret, stamped)}", "Either the secret"),
        (timestamped_signature(merchant.secret, body + b" "), "Either the secret"),
    ]


async def test_a_wrong_signature_is_refused_with_a_hint_also_where_none_is_needed(
    client: httpx.AsyncClient,
) -> None:
    merchant = await create_merchant(client)
    for signature, hint in wrong_signatures(merchant, SPACED):
        answer = await post_signed(client, merchant, signature, SPACED)
        assert answer.status_code == 401, signature
        assert_badly_signed(answer, hint)
        assert sign(merchant.secret, SPACED) not in answer.text
        assert merchant.secret not in answer.text
    assert await stored_for(merchant) == 0


async def test_a_line_end_that_was_not_signed_is_recognised(client: httpx.AsyncClient) -> None:
    merchant = await create_merchant(client)
    body = b"{not json}\n"
    answer = await post_signed(client, merchant, sign(merchant.secret, body[:-1]), body)
    assert_badly_signed(answer, "line end")


async def test_anothers_secret_does_not_sign_for_me(client: httpx.AsyncClient) -> None:
    merchant, other = await create_merchant(client), await create_merchant(client)
    for signature in (sign(other.secret, SPACED), timestamped_signature(other.secret, SPACED)):
        assert_badly_signed(await post_signed(client, merchant, signature, SPACED), "Either the secret")
    assert await stored_for(merchant) + await stored_for(other) == 0


async def test_a_tampered_body_is_refused(client: httpx.AsyncClient) -> None:
    merchant = await create_merchant(client)
    body = compact(charge_body(paymentAmount=10))
    tampered = compact(charge_body(paymentAmount=10_000))
    for signature in (sign(merchant.secret, body), timestamped_signature(merchant.secret, body)):
        assert_badly_signed(await post_signed(client, merchant, signature, tampered))
    assert await stored_for(merchant) == 0


@pytest.mark.parametrize("content", [b"", b"{", b"[" * 100_000, b"\xff", b"null"])
async def test_a_signature_is_judged_before_the_body(client: httpx.AsyncClient, content: bytes) -> None:
    merchant = await create_merchant(client)
    assert_badly_signed(await post_signed(client, merchant, "0" * 64, content))
    signed = await post_signed(client, merchant, sign(merchant.secret, content), content)
    assert_error(signed, 422, code="VALIDATION_ERROR")
    assert await stored_for(merchant) == 0


async def test_a_key_that_requires_a_signature_takes_the_timestamped_form_alone(
    client: httpx.AsyncClient,
) -> None:
    merchant = await create_merchant(client, require_signature=True)
    missing = await client.post(CHARGE, json=charge_body(), headers=merchant.headers)
    assert_badly_signed(missing, "requires X-Signature")
    plain = await post_signed(client, merchant, sign(merchant.secret, SPACED), SPACED)
    assert_badly_signed(plain, "t=<unix seconds>,v1=<hex>")
    empty = await post_signed(client, merchant, "", SPACED)
    assert_badly_signed(empty)
    for signature, _ in wrong_signatures(merchant, SPACED):
        assert_badly_signed(await post_signed(client, merchant, signature, SPACED))
    assert await stored_for(merchant) == 0
    good = await post_signed(client, merchant, timestamped_signature(merchant.secret, SPACED), SPACED)
    assert good.status_code == 201
    listed = await client.get("/api/v1/payments/all", headers=merchant.headers)
    assert listed.json()["totalTransactions"] == 1


async def test_a_required_signature_is_good_for_once(client: httpx.AsyncClient) -> None:
    merchant = await create_merchant(client, require_signature=True)
    signature = timestamped_signature(merchant.secret, SPACED)
    assert (await post_signed(client, merchant, signature, SPACED)).status_code == 201
    stamp, digest = signature.removeprefix("t=").split(",v1=")
    for again in (signature, f"v1={digest.upper()}, t={stamp}", f"t={stamp},v1={'0' * 64},v1={digest}"):
        replay = await post_signed(client, merchant, again, SPACED)
        assert_error(replay, 409, "Request signature already used.", "SIGNATURE_ALREADY_USED")
    with_key = await post_signed(client, merchant, signature, SPACED, Idempotency_Key="another")
    assert_error(with_key, 409, "Request signature already used.", "SIGNATURE_ALREADY_USED")
    assert await stored_for(merchant) == 1
    later = timestamped_signature(merchant.secret, SPACED, at=time.time() + 5)
    assert (await post_signed(client, merchant, later, SPACED)).status_code == 201


async def test_an_optional_signature_may_come_again(client: httpx.AsyncClient) -> None:
    merchant = await create_merchant(client)
    signature = timestamped_signature(merchant.secret, SPACED)
    for _ in range(2):
        assert (await post_signed(client, merchant, signature, SPACED)).status_code == 201
    assert await stored_for(merchant) == 2


async def test_an_idempotent_retry_of_a_signed_request_gets_the_first_answer(
    client: httpx.AsyncClient,
) -> None:
    merchant = await create_merchant(client, require_signature=True)
    signature = timestamped_signature(merchant.secret, SPACED)
    first = await post_signed(client, merchant, signature, SPACED, Idempotency_Key="signed-1")
    assert first.status_code == 201
    for again in (signature, timestamped_signature(merchant.secret, SPACED, at=time.time() + 3)):
        retry = await post_signed(client, merchant, again, SPACED, Idempotency_Key="signed-1")
        assert (retry.status_code, retry.content) == (201, first.content)
        assert retry.headers["Idempotent-Replayed"] == "true"
    unsigned = await client.post(
        CHARGE,
        content=SPACED,
        headers={**merchant.headers, "Content-Type": "application/json", "Idempotency-Key": "signed-1"},
    )
    assert_badly_signed(unsigned)
    assert await stored_for(merchant) == 1


async def test_a_refused_body_uses_neither_key_nor_signature(client: httpx.AsyncClient) -> None:
    merchant = await create_merchant(client, require_signature=True)
    bad = compact(charge_body(paymentAmount=-1))
    signature = timestamped_signature(merchant.secret, bad)
    for _ in range(2):
        answer = await post_signed(client, merchant, signature, bad, Idempotency_Key="signed-2")
        assert_error(answer, 422, code="VALIDATION_ERROR")
    good = timestamped_signature(merchant.secret, SPACED)
    answer = await post_signed(client, merchant, good, SPACED, Idempotency_Key="signed-2")
    assert answer.status_code == 201
    assert "Idempotent-Replayed" not in answer.headers


async def test_a_body_that_json_can_write_in_two_ways(client: httpx.AsyncClient) -> None:
    """Old clients sign their serialiser's compact form of what they send otherwise."""
    merchant = await create_merchant(client)
    bodies: list[dict[str, Any]] = [
        charge_body(paymentAmount=10.0),
        charge_body(details='quote " slash / back \\ tab \t'),
        charge_body(metadata={"nested": None, "float": 1.5, "text": "ж"}),
    ]
    for body in bodies:
        spaced = json.dumps(body, indent=1, ensure_ascii=False).encode()
        answer = await post_signed(client, merchant, sign(merchant.secret, compact(body)), spaced)
        assert answer.status_code == 201, answer.text
