"""Makes what tests need, by keyword and through the API itself."""

import hashlib
import hmac
import json
import time
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
from pydantic import SecretStr

from gateway.config import Settings

API = "/api/v1"
ADMIN_EMAIL = "root@gateway.example"
ADMIN_PASSWORD = "root-password-1"
PASSWORD = "a-good-password"


def make_settings(**values: Any) -> Settings:
    """Settings untouched by the environment's ``.env``: quick passwords, short delays."""
    defaults: dict[str, Any] = {
        "mongodb_url": "memory://",
        "log_level": "ERROR",
        "jwt_secret": SecretStr("jwt-secret-for-tests-0123456789abcdef"),
        "encryption_key": SecretStr("encryption-key-for-tests-0123456789"),
        "admin_email": ADMIN_EMAIL,
        "admin_password": SecretStr(ADMIN_PASSWORD),
        "password_hash_rounds": 4,
        "payment_delay_seconds": 0.0,
        "webhook_retry_seconds": (0.05, 0.1, 0.2),
        "webhook_retry_jitter": 0.0,
        "worker_poll_seconds": 0.02,
    }
    return Settings(_env_file=None, **{**defaults, **values})


@dataclass(frozen=True, slots=True)
class Merchant:
    """A registered merchant with what its registration showed."""

    id: str
    email: str
    api_key: str
    secret: str

    @property
    def headers(self) -> dict[str, str]:
        return {"X-API-Key": self.api_key}


async def create_merchant(
    client: httpx.AsyncClient, *, role: str = "merchant", require_signature: bool = False
) -> Merchant:
    email = f"{uuid4().hex[:12]}@shop.example"
    answer = await client.post(
        f"{API}/users/register",
        json={
            "name": "A Shop",
            "email": email,
            "password": PASSWORD,
            "role": role,
            "requireSignature": require_signature,
        },
    )
    assert answer.status_code == 201, answer.text
    made = answer.json()
    return Merchant(made["userId"], email, made["apiKey"], made["webhookSecret"])


async def log_in(client: httpx.AsyncClient, *, email: str, password: str = PASSWORD) -> dict[str, str]:
    """The ``Authorization`` header of a fresh login."""
    answer = await client.post(f"{API}/users/login", json={"email": email, "password": password})
    assert answer.status_code == 200, answer.text
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


async def log_in_admin(client: httpx.AsyncClient) -> dict[str, str]:
    """The ``Authorization`` header of the system_admin."""
    return await log_in(client, email=ADMIN_EMAIL, password=ADMIN_PASSWORD)


def charge_body(**values: Any) -> dict[str, Any]:
    return {"customerName": "Grace Hopper", "paymentAmount": 1000.00, "currency": "USD", **values}


async def create_charge(client: httpx.AsyncClient, *, merchant: Merchant, **values: Any) -> dict[str, Any]:
    answer = await client.post(f"{API}/payments/charge", json=charge_body(**values), headers=merchant.headers)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def sign(secret: str, message: bytes) -> str:
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


def timestamped_signature(secret: str, body: bytes, *, at: float | None = None) -> str:
    stamp = int(time.time() if at is None else at)
    return f"t={stamp},v1={sign(secret, f'{stamp}.'.encode() + body)}"


def compact(body: Any) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()
