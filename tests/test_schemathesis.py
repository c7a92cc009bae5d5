"""Generated requests against a running gateway: nothing crashes, every answer is as documented."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import settings as hypothesis_settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from gateway.main import create_app
from tests.support.factories import (
    ADMIN_EMAIL,
    ADMIN_PASSWORD,
    API,
    PASSWORD,
    charge_body,
    make_settings,
    sign,
)
from tests.support.live import LiveGateway

_EXAMPLES = 15
_FOR_SYSTEM_ADMINS = f"{API}/users/{{user_id}}/role"
_REGISTRATIONS = (f"{API}/users/register", f"{API}/users/")
_NEVER_SUCCEED = {f"DELETE {API}/{{resource}}/{{resource_id}}"}

_CHECKED: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]

schema = schemathesis.openapi.from_dict(
    create_app(make_settings()).openapi(),
    config=schemathesis.Config.from_dict({"generation": {"deterministic": True, "no-shrink": True}}),
)


@dataclass(frozen=True, slots=True)
class Target:
    """A running gateway and somebody whose key and token open all of it but the roles."""

    http: httpx.Client
    api_key: str
    secret: str
    token: str
    root_token: str
    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    numbers: Iterator[int] = field(default_factory=count)

    def credentials(self, path: str) -> Callable[[Any], Any]:
        """Adds the headers to a prepared request; the signature is over the body that it has."""

        def add(request: Any) -> Any:
            token = self.root_token if path == _FOR_SYSTEM_ADMINS else self.token
            body = request.body or b""
            raw = body.encode() if isinstance(body, str) else body
            signature = {"X-Signature": sign(self.secret, raw)} if isinstance(raw, bytes) else {}
            request.headers.pop("X-Signature", None)
            request.headers.update(
                {"Authorization": f"Bearer {token}", "X-API-Key": self.api_key, **signature}
            )
            return request

        return add

    def charge(self) -> str:
        headers = {"X-API-Key": self.api_key}
        answer = self.http.post(f"{API}/payments/charge", json=charge_body(), headers=headers)
        return str(answer.json()["id"])

    def register(self, email: str) -> dict[str, Any]:
        body = {"name": "Ada", "email": email, "password": PASSWORD, "role": "merchant"}
        made: dict[str, Any] = self.http.post(f"{API}/users/register", json=body).json()
        return made

    def log_in(self, email: str, password: str) -> str:
        answer = self.http.post(f"{API}/users/login", json={"email": email, "password": password})
        return str(answer.json()["access_token"])

    def aim(self, case: schemathesis.Case[Any]) -> None:
        """Let every other request be about something that is there."""
        if next(self.numbers) % 2:
            return
        if "transaction_id" in case.path_parameters:
            case.path_parameters["transaction_id"] = self.charge()
        if "user_id" in case.path_parameters:
            case.path_parameters["user_id"] = self.register(self.new_email())["userId"]
        if case.path in _REGISTRATIONS and isinstance(case.body, dict) and "email" in case.body:
            case.body["email"] = self.new_email()

    def new_email(self) -> str:
        return f"{next(self.numbers)}-{len(self.statuses)}@x.example"


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """The gateway, an admin with an API key and a charge, and the documented example's person."""
    with (
        LiveGateway(tmp_path_factory.mktemp("schemathesis")) as gateway,
        httpx.Client(base_url=gateway.url, trust_env=False, timeout=20) as http,
    ):
        nobody = Target(http, "", "", "", "")
        root = nobody.log_in(ADMIN_EMAIL, ADMIN_PASSWORD)
        made = nobody.register("admin@shop.example")
        promoted = http.patch(
            f"{API}/users/{made['userId']}/role",
            json={"new_role": "admin"},
            headers={"Authorization": f"Bearer {root}"},
        )
        assert promoted.status_code == 200
        token = nobody.log_in("admin@shop.example", PASSWORD)
        ready = Target(http, made["apiKey"], made["webhookSecret"], token, root)
        ready.charge()
        person = {"name": "Ada", "email": "ada@shop.example", "password": "correct-horse"}
        http.post(f"{API}/users/register", json=person)
        yield ready


@schema.parametrize()
@hypothesis_settings(max_examples=_EXAMPLES, derandomize=True, deadline=None, database=None)
def test_every_answer_is_as_documented(case: schemathesis.Case[Any], target: Target) -> None:
    target.aim(case)
    answer = case.call(base_url=str(target.http.base_url), auth=target.credentials(case.path))
    target.statuses[case.operation.label, answer.status_code] += 1
    case.validate_response(answer, checks=_CHECKED)


def test_every_operation_was_reached_beyond_its_guards(target: Target) -> None:
    """Else the checks above saw refusals only. Runs after them, being below them."""
    reached = {label for label, status in target.statuses if status < 300}
    tried = {label for label, _ in target.statuses}
    assert tried - reached == _NEVER_SUCCEED & tried
