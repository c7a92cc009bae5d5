"""Password hashes, and that a login does the same work whoever asks."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from httpx import ASGITransport

from gateway.auth import passwords
from gateway.auth.passwords import hash_password, verify_password
from gateway.main import create_app
from tests.support.factories import API, PASSWORD, create_merchant, make_settings

_ROUNDS = 4


class CountingContext:
    """Counts the hashes that are really compared, and how each was made."""

    def __init__(self, real: Any) -> None:
        self._real = real
        self.verified: list[str] = []

    def verify(self, password: str, password_hash: str) -> bool:
        self.verified.append(password_hash)
        return bool(self._real.verify(password, password_hash))

    def hash(self, password: str) -> str:
        return str(self._real.hash(password))


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> CountingContext:
    made = CountingContext(passwords._context(_ROUNDS))
    monkeypatch.setattr(passwords, "_context", lambda rounds: made)
    return made


async def test_a_hash_fits_its_password_alone() -> None:
    hashed = await hash_password("a-good-password", _ROUNDS)
    assert await verify_password("a-good-password", hashed, _ROUNDS)
    for other in ("", "A-good-password", "a-good-password ", "a-good-passwor"):
        assert not await verify_password(other, hashed, _ROUNDS)


async def test_equal_passwords_have_different_hashes() -> None:
    assert await hash_password(PASSWORD, _ROUNDS) != await hash_password(PASSWORD, _ROUNDS)


async def test_every_byte_of_a_long_password_counts() -> None:
    long = "ж" * 64
    hashed = await hash_password(long, _ROUNDS)
    assert hashed.startswith("$bcrypt-sha256$")
    assert not await verify_password(long[:-1] + "з", hashed, _ROUNDS)


async def test_the_cost_is_the_one_that_was_asked_for() -> None:
    assert ",r=5$" in await hash_password(PASSWORD, 5)


async def test_without_a_hash_a_real_one_is_compared_and_never_fits(counting: CountingContext) -> None:
    for password in ("nobody's password", "anything"):
        assert not await verify_password(password, None, _ROUNDS)
    assert len(counting.verified) == 2
    for compared in counting.verified:
        assert compared.startswith("$bcrypt-sha256$v=2,t=2b,r=4$")


@pytest.mark.parametrize("path", ["/users/login", "/login"])
async def test_a_login_compares_one_hash_of_the_same_cost_whether_or_not_the_email_exists(
    counting: CountingContext, path: str
) -> None:
    app: FastAPI = create_app(make_settings(password_hash_rounds=_ROUNDS))
    async with app.router.lifespan_context(app):
        transport = ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            merchant = await create_merchant(client)
            costs = []
            for email in (merchant.email, "unknown@shop.example", "no e-mail at all"):
                counting.verified.clear()
                given = {"email": email, "username": email, "password": "a-wrong-password"}
                if path == "/login":
                    answer = await client.post(f"{API}{path}", data=given)
                else:
                    answer = await client.post(f"{API}{path}", json=given)
                assert answer.status_code == 401
                [compared] = counting.verified
                costs.append(compared.rsplit("$", 2)[0])
            assert len(set(costs)) == 1
