"""What the gateway writes about its work, and what it must never write."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import structlog

from gateway.logs import configure_logs
from tests.cli.running import Running
from tests.support.factories import API, charge_body, compact, make_settings, timestamped_signature
from tests.support.live import wait_until_no_mongod
from tests.support.receiver import Receiver

ADMIN_PASSWORD = "root-password-1"
PASSWORD = "a-password-nobody-logs"
WRONG_PASSWORD = "another-password-nobody-logs"
REAL_CARD = "4012888888881881"
TEST_CARD = "4242424242424242"
REQUEST_ID = "req-of-the-caller-1"
JWT_SECRET = "jwt-secret-of-this-scenario-0123456789"
ENCRYPTION_KEY = "encryption-key-of-this-scenario-0123456789"


@dataclass
class Scenario:
    """Everything secret that was used, and what the gateway printed meanwhile."""

    secrets: dict[str, str] = field(default_factory=dict)
    merchant_id: str = ""
    admin_id: str = ""
    exit_code: int = 0
    output: str = ""

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.output.splitlines() if line.startswith("{")]

    def requests(self, **values: object) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["event"] == "request" and values.items() <= line.items()]


def _use_everything(client: httpx.Client, hook: str, scenario: Scenario) -> None:
    email = "shop@shop.example"
    person = {"name": "A Shop", "email": email, "password": PASSWORD, "role": "merchant"}
    made = client.post(f"{API}/users/register", json=person).json()
    key, secret = made["apiKey"], made["webhookSecret"]
    scenario.merchant_id = made["userId"]
    client.post(f"{API}/users/register", json={**person, "email": "x", "cardNumber": REAL_CARD})
    client.post(f"{API}/users/register", content=f'{{"password": "{PASSWORD}", broken')
    token = client.post(f"{API}/users/login", json={"email": email, "password": PASSWORD}).json()[
        "access_token"
    ]
    client.post(f"{API}/users/login", json={"email": email, "password": WRONG_PASSWORD})
    client.post(f"{API}/auth/login", data={"username": email, "password": PASSWORD})
    bearer, by_key = {"Authorization": f"Bearer {token}"}, {"X-API-Key": key}
    admin = client.post(
        f"{API}/users/login", json={"email": "root@gateway.example", "password": ADMIN_PASSWORD}
    ).json()
    scenario.admin_id = admin["userId"]
    client.get(f"{API}/admin/dashboard", headers={"Authorization": f"Bearer {admin['access_token']}"})

    body = compact(charge_body(webhookUrl=hook, details=f"paid with {TEST_CARD}"))
    signature = timestamped_signature(secret, body)
    signed = {**by_key, "X-Signature": signature, "Content-Type": "application/json"}
    charged = client.post(f"{API}/payments/charge", content=body, headers=signed)
    assert charged.status_code == 201, charged.text
    for text in (REAL_CARD, f"{REAL_CARD[:4]} {REAL_CARD[4:8]} {REAL_CARD[8:12]} {REAL_CARD[12:]}"):
        refused = client.post(f"{API}/payments/charge", json=charge_body(details=text), headers=by_key)
        assert refused.status_code == 422, refused.text
    client.post(
        f"{API}/payments/charge",
        json=charge_body(),
        headers={**by_key, "X-Signature": signature, "Idempotency-Key": "order-1"},
    )
    client.get(f"{API}/payments/all", headers={"X-API-Key": key + "0"})
    client.get(f"{API}/payments/all?apiKey={key}&token={token}&card={REAL_CARD}", headers=by_key)
    client.get(f"{API}/payments/query?customerName={REAL_CARD}", headers={**by_key, **bearer})
    client.get(f"{API}/users/me", headers={"Authorization": f"Basic {token}"})
    client.get(f"{API}/users/me", headers={**bearer, "X-Request-Id": REQUEST_ID})
    client.get(f"/{key}/{token}/{REAL_CARD}")
    client.delete(f"{API}/transactions/{REAL_CARD}", headers=bearer)
    scenario.secrets = {
        "password": PASSWORD,
        "wrong password": WRONG_PASSWORD,
        "admin password": ADMIN_PASSWORD,
        "API key": key,
        "webhook secret": secret,
        "token": token,
        "admin token": admin["access_token"],
        "signature": signature.rpartition("=")[2],
        "card": REAL_CARD,
        "grouped card": "4012 8888",
        "test card": TEST_CARD,
        "JWT secret": JWT_SECRET,
        "encryption key": ENCRYPTION_KEY,
    }


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Scenario:
    played = Scenario()
    gateway = Running(
        tmp_path_factory.mktemp("logs"),
        LOG_LEVEL="DEBUG",
        ADMIN_PASSWORD=ADMIN_PASSWORD,
        JWT_SECRET=JWT_SECRET,
        ENCRYPTION_KEY=ENCRYPTION_KEY,
    )
    try:
        with Receiver() as receiver:
            gateway.wait_until_healthy()
            with httpx.Client(base_url=gateway.url, timeout=10, trust_env=False) as client:
                _use_everything(client, receiver.url, played)
            gateway.wait_for('"delivery_attempt"')
            gateway.wait_for("  data ")
            played.exit_code, played.output = gateway.stop(), gateway.output
    finally:
        gateway.end()
        wait_until_no_mongod(gateway.data_dir)
    return played


def test_nothing_secret_is_ever_logged(scenario: Scenario) -> None:
    found = [name for name, secret in scenario.secrets.items() if secret in scenario.output]
    assert found == []


def test_the_scenario_was_logged_at_all(scenario: Scenario) -> None:
    assert scenario.exit_code == 0
    assert len(scenario.requests()) >= 19
    assert {line["event"] for line in scenario.lines} >= {"request", "delivery_attempt"}
    assert "Traceback" not in scenario.output
    assert not [line for line in scenario.lines if line["level"] in ("error", "critical")]


def test_without_a_terminal_every_line_but_the_banner_is_json(scenario: Scenario) -> None:
    others = [line for line in scenario.output.splitlines() if line and not line.startswith("{")]
    assert all(line.startswith("  ") for line in others), others
    for line in scenario.lines:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", line["timestamp"])
        assert line["level"] in ("debug", "info", "warning")


def test_a_request_is_logged_with_what_its_reader_needs(scenario: Scenario) -> None:
    charges = [line for line in scenario.requests(status=201) if line["route"].endswith("/payments/charge")]
    assert len(charges) == 1
    charge = charges[0]
    assert charge["method"] == "POST"
    assert charge["caller"] == scenario.merchant_id
    assert charge["request_id"].startswith("req_")
    assert 0 < charge["milliseconds"] < 10_000


def test_every_request_line_has_the_same_members(scenario: Scenario) -> None:
    expected = {"event", "level", "timestamp", "request_id", "caller", "method", "route", "status"}
    assert all(line.keys() == expected | {"milliseconds"} for line in scenario.requests())
    ids = [line["request_id"] for line in scenario.requests()]
    assert len(set(ids)) == len(ids)


def test_the_callers_own_request_id_is_logged(scenario: Scenario) -> None:
    (line,) = scenario.requests(request_id=REQUEST_ID)
    assert line["caller"] == scenario.merchant_id
    assert line["status"] == 200


def test_refused_callers_have_no_name(scenario: Scenario) -> None:
    refused = scenario.requests(status=401)
    assert len(refused) >= 3
    unknown = [line for line in refused if not line["route"].endswith("/payments/charge")]
    assert {line["caller"] for line in unknown} == {None}


def test_an_unknown_path_is_not_copied_into_the_log(scenario: Scenario) -> None:
    assert [line["status"] for line in scenario.requests(route="(no route)")] == [404]


def test_an_admin_is_named_by_id(scenario: Scenario) -> None:
    (line,) = [line for line in scenario.requests() if line["route"].endswith("/admin/dashboard")]
    assert line["caller"] == scenario.admin_id


# The configuration alone.


@pytest.fixture
def _restored_logs() -> Iterator[None]:
    yield
    structlog.reset_defaults()


@pytest.mark.usefixtures("_restored_logs")
@pytest.mark.parametrize(
    ("level", "expected"),
    [("DEBUG", ["d", "i", "w", "e"]), ("WARNING", ["w", "e"]), ("ERROR", ["e"])],
)
def test_the_level_decides_what_is_written(
    level: str, expected: list[str], capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    configure_logs(make_settings(log_level=level, log_format="json"))
    log = structlog.get_logger()
    log.debug("d")
    log.info("i")
    log.warning("w")
    log.error("e")
    written = [json.loads(line)["event"] for line in capfdbinary.readouterr().out.splitlines()]
    assert written == expected


@pytest.mark.usefixtures("_restored_logs")
def test_json_keeps_an_exception_on_one_line(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    configure_logs(make_settings(log_level="INFO", log_format="json"))
    try:
        raise RuntimeError("broken")
    except RuntimeError:
        structlog.get_logger().exception("failed", text="a\nb")
    (line,) = capfdbinary.readouterr().out.splitlines()
    written = json.loads(line)
    assert written["text"] == "a\nb"
    assert "RuntimeError: broken" in written["exception"]


@pytest.mark.usefixtures("_restored_logs")
def test_the_console_form_is_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(make_settings(log_level="INFO", log_format="console"))
    structlog.get_logger().info("request", status=200)
    written = capsys.readouterr().out
    assert not written.startswith("{")
    assert "request" in written
