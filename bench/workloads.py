"""The requests of each row, written to files before the clock starts."""

import hashlib
import hmac
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import httpx

API = "/api/v1"
_PASSWORD = "benchmark-password"


class LineMaker:
    """Makes one line of the request file after another."""

    def __init__(self, headers: dict[str, str]) -> None:
        self._fixed = [f"{name}:{value}" for name, value in headers.items()]

    def line(self, number: int) -> str:
        return "\t".join([*self._fixed, *self.headers(number), *self.body(number)])

    def headers(self, number: int) -> list[str]:
        return []

    def body(self, number: int) -> list[str]:
        return []

    def write(self, path: Path, count: int) -> None:
        with path.open("w") as file:
            file.writelines(self.line(number) + "\n" for number in range(count))


@dataclass(frozen=True, slots=True)
class Workload:
    """A row of the table: where its requests go, what they are and what they must be answered."""

    name: str
    method: str
    path: str
    status: int
    unique: bool
    """Whether each request may be sent once only."""

    lines: LineMaker


class Charge(LineMaker):
    """Amounts and customers as in a load test: some thousands of either."""

    def body(self, number: int) -> list[str]:
        body = {
            "customerName": f"Customer {number % 5000}",
            "paymentAmount": round(5 + number * 7919 % 9973 / 100, 2),
            "currency": "USD",
        }
        return [json.dumps(body)]


class SignedCharge(Charge):
    """With a timestamped signature and an idempotency key of its own each."""

    def __init__(self, headers: dict[str, str], secret: str) -> None:
        super().__init__(headers)
        self._secret = secret.encode()
        self._run = uuid4().hex

    def headers(self, number: int) -> list[str]:
        stamp = int(time.time())
        message = f"{stamp}.{self.body(number)[0]}".encode()
        digest = hmac.new(self._secret, message, hashlib.sha256).hexdigest()
        return [f"X-Signature:t={stamp},v1={digest}", f"Idempotency-Key:{self._run}-{number}"]


class Login(LineMaker):
    def __init__(self, email: str) -> None:
        super().__init__({"Content-Type": "application/json"})
        self._body = json.dumps({"email": email, "password": _PASSWORD})

    def body(self, number: int) -> list[str]:
        return [self._body]


class PaymentIntent(LineMaker):
    def body(self, number: int) -> list[str]:
        return [f"amount={1000 + number % 9973}&currency=usd"]


@dataclass(frozen=True, slots=True)
class Account:
    """A merchant registered with a gateway."""

    url: str
    email: str
    api_key: str
    secret: str
    token: str

    @classmethod
    def register(cls, url: str) -> "Account":
        email = f"{uuid4().hex}@bench.example"
        body = {"name": "Benchmark", "email": email, "password": _PASSWORD, "role": "merchant"}
        made = httpx.post(f"{url}{API}/users/register", json=body, trust_env=False).raise_for_status().json()
        login = httpx.post(
            f"{url}{API}/users/login", json={"email": email, "password": _PASSWORD}, trust_env=False
        )
        token = login.raise_for_status().json()["access_token"]
        return cls(url, email, made["apiKey"], made["webhookSecret"], token)

    def log_in(self) -> None:
        """A login that comes after all that are still waiting."""
        body = {"email": self.email, "password": _PASSWORD}
        httpx.post(f"{self.url}{API}/users/login", json=body, trust_env=False, timeout=120).raise_for_status()

    def wait_until_completed(self) -> None:
        """Until none of the account's charges is pending any more."""
        while self._get("query?status=pending&limit=1").status_code != 404:
            time.sleep(0.2)

    def _get(self, path: str) -> httpx.Response:
        headers = {**self.key_header, "Authorization": f"Bearer {self.token}"}
        return httpx.get(f"{self.url}{API}/payments/{path}", headers=headers, trust_env=False, timeout=60)

    @property
    def key_header(self) -> dict[str, str]:
        return {"X-API-Key": self.api_key}

    @property
    def charge_headers(self) -> dict[str, str]:
        return {**self.key_header, "Content-Type": "application/json"}

    def charge(self, count: int, advance: Callable[[], None]) -> None:
        """Exactly ``count`` charges, some at a time."""
        maker = Charge({})

        def send(number: int) -> None:
            answer = client.post(
                f"{self.url}{API}/payments/charge", content=maker.body(number)[0], headers=self.charge_headers
            )
            answer.raise_for_status()
            advance()

        with httpx.Client(trust_env=False, timeout=60) as client, ThreadPoolExecutor(8) as pool:
            list(pool.map(send, range(count)))

    def plain_charge(self) -> Workload:
        return Workload("charge", "POST", f"{API}/payments/charge", 201, True, Charge(self.charge_headers))

    def signed_charge(self) -> Workload:
        maker = SignedCharge(self.charge_headers, self.secret)
        return Workload("charge, signed + idempotent", "POST", f"{API}/payments/charge", 201, True, maker)

    def get_one(self) -> Workload:
        newest = self._get("all?limit=1").raise_for_status().json()["transactions"][0]
        path = f"{API}/payments/{newest['id']}"
        return Workload("get one", "GET", path, 200, False, LineMaker(self.key_header))

    def list_all(self) -> Workload:
        return Workload(
            "all, first page", "GET", f"{API}/payments/all", 200, False, LineMaker(self.key_header)
        )

    def query(self) -> Workload:
        headers = {**self.key_header, "Authorization": f"Bearer {self.token}"}
        path = f"{API}/payments/query?minAmount=20&maxAmount=80&sortBy=amount"
        return Workload("query by amount", "GET", path, 200, False, LineMaker(headers))

    def login(self) -> Workload:
        return Workload("login", "POST", f"{API}/users/login", 200, False, Login(self.email))


def charge_without_account(name: str) -> Workload:
    return Workload(name, "POST", "/charge", 201, False, Charge({"Content-Type": "application/json"}))


def payment_intent() -> Workload:
    headers = {
        "Authorization": "Bearer sk_test_12345",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    return Workload("localstripe", "POST", "/v1/payment_intents", 200, False, PaymentIntent(headers))
