"""Outgoing signatures, checked with the Standard Webhooks library and by hand."""

import base64
import hashlib
import hmac
import json
import time

import pytest
from hypothesis import given, strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from gateway.webhooks.signing import webhook_headers

SECRET = "SK_0123456789abcdef0123456789abcdef0123456789abcdef"
BODY = b'{"event":"payment.completed","id":"txn_1","data":{"amount":1000}}'


def verifier(secret: str) -> Webhook:
    return Webhook("whsec_" + base64.b64encode(secret.encode()).decode())


def headers_now(*, secret: str = SECRET, body: bytes = BODY, age: int = 0) -> dict[str, str]:
    return webhook_headers(secret, "evt_1", int(time.time()) - age, body)


def test_the_library_verifies_what_is_sent() -> None:
    assert verifier(SECRET).verify(BODY, headers_now()) == json.loads(BODY)


@given(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
    st.dictionaries(st.text(), st.one_of(st.integers(), st.text())),
)
def test_the_library_verifies_any_secret_and_body(secret: str, data: dict[str, int | str]) -> None:
    body = json.dumps(data, separators=(",", ":")).encode()
    assert verifier(secret).verify(body, headers_now(secret=secret, body=body)) == data


def test_another_secret_does_not_fit() -> None:
    with pytest.raises(WebhookVerificationError):
        verifier(SECRET + "0").verify(BODY, headers_now())


def test_another_body_does_not_fit() -> None:
    with pytest.raises(WebhookVerificationError):
        verifier(SECRET).verify(BODY.replace(b"1000", b"9000"), headers_now())


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp"])
def test_id_and_timestamp_are_signed_too(name: str) -> None:
    headers = headers_now()
    headers[name] = "evt_2" if name == "webhook-id" else str(int(headers[name]) + 1)
    with pytest.raises(WebhookVerificationError):
        verifier(SECRET).verify(BODY, headers)


@pytest.mark.parametrize("age", [3600, -3600])
def test_an_old_or_future_webhook_is_refused(age: int) -> None:
    with pytest.raises(WebhookVerificationError):
        verifier(SECRET).verify(BODY, headers_now(age=age))


def test_the_plain_form_is_the_digest_of_the_body_with_the_secret_as_issued() -> None:
    expected = hmac.new(SECRET.encode(), BODY, hashlib.sha256).hexdigest()
    assert headers_now()["X-Signature"] == expected


def test_the_same_attempt_is_signed_the_same_and_a_later_one_otherwise() -> None:
    first, again = (webhook_headers(SECRET, "evt_1", 1_700_000_000, BODY) for _ in range(2))
    later = webhook_headers(SECRET, "evt_1", 1_700_000_060, BODY)
    assert first == again
    assert first["webhook-signature"] != later["webhook-signature"]
    assert first["webhook-id"] == later["webhook-id"]
    assert first["X-Signature"] == later["X-Signature"]


def test_the_body_is_announced_as_json_and_the_secret_is_nowhere() -> None:
    headers = headers_now()
    assert headers["Content-Type"] == "application/json"
    assert SECRET not in str(headers)
