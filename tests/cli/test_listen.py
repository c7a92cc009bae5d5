"""``python -m gateway listen``: the receiver that a merchant's developer starts first."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest

from gateway.webhooks.signing import webhook_headers
from tests.support.live import ROOT, environment, free_port

SECRET = "SK_0123456789abcdef0123456789abcdef0123456789abcdef"
BODY = '{"event":"payment.completed","id":"txn_1","data":{"customerName":"Zoë"}}'.encode()


class Listener:
    """A running ``listen``; ``line`` reads what it prints, line by line."""

    def __init__(self, folder: Path, *, port: int, secret: str) -> None:
        self.url = f"http://127.0.0.1:{port}/"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gateway", "listen", "--port", str(port)],
            cwd=folder,
            env=environment(folder, WEBHOOK_SECRET=secret, PYTHONPATH=str(ROOT), PYTHONUTF8="1"),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")

    def post(self, headers: dict[str, str], body: bytes = BODY) -> int:
        return httpx.post(self.url, content=body, headers=headers, timeout=10, trust_env=False).status_code


@pytest.fixture(scope="module")
def listener(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listener]:
    made = Listener(tmp_path_factory.mktemp("listen"), port=free_port(), secret=SECRET)
    assert made.line() == f"listening on {made.url}"
    yield made
    made.process.kill()
    made.process.communicate()


def signed(*, secret: str = SECRET, age: int = 0, body: bytes = BODY) -> dict[str, str]:
    return webhook_headers(secret, "evt_1", int(time.time()) - age, body)


def test_a_rightly_signed_webhook_is_verified_and_shown(listener: Listener) -> None:
    assert listener.post(signed()) == 200
    assert listener.line() == f"verified  evt_1  {BODY.decode()}"


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        (signed(secret=SECRET + "0"), "REFUSED: signature"),
        (signed(body=BODY + b" "), "REFUSED: signature"),
        ({**signed(), "webhook-id": "evt_2"}, "REFUSED: signature"),
        ({**signed(), "webhook-signature": ""}, "REFUSED: signature"),
        ({**signed(), "webhook-signature": "v1,é"}, "REFUSED: signature"),
        (signed(age=3600), "REFUSED: timestamp"),
        (signed(age=-3600), "REFUSED: timestamp"),
        ({**signed(), "webhook-timestamp": "soon"}, "REFUSED: timestamp"),
        ({**signed(), "webhook-timestamp": "²"}, "REFUSED: timestamp"),
        ({**signed(), "webhook-timestamp": "9" * 5000}, "REFUSED: timestamp"),
        ({}, "REFUSED: timestamp"),
    ],
)
def test_a_wrong_webhook_is_refused_with_its_reason(
    listener: Listener, headers: dict[str, str], told: str
) -> None:
    raw = {name: value.encode("latin-1") for name, value in headers.items()}
    answer = httpx.post(listener.url, content=BODY, headers=raw, timeout=10, trust_env=False)  # type: ignore[arg-type] # bytes are taken
    assert answer.status_code == 400
    assert listener.line().startswith(f"{told}  ")


def test_one_of_several_signatures_may_fit(listener: Listener) -> None:
    headers = signed()
    headers["webhook-signature"] = f"v1,AAAA {headers['webhook-signature']}"
    assert listener.post(headers) == 200
    assert listener.line().startswith("verified  ")


def test_webhooks_that_come_together_have_a_line_each(listener: Listener) -> None:
    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(lambda _: listener.post(signed()), range(200))) == {200}
    assert {listener.line() for _ in range(200)} == {f"verified  evt_1  {BODY.decode()}"}


def test_a_body_that_is_no_text_does_no_harm(listener: Listener) -> None:
    assert listener.post(signed(body=b"\xff\xfe"), b"\xff\xfe") == 200
    assert listener.line().startswith("verified  evt_1  ")


def test_a_body_cannot_forge_a_line(listener: Listener) -> None:
    assert listener.post({}, b"{}\nverified  evt_9  {}") == 400
    assert listener.post(signed()) == 200
    lines = [listener.line(), listener.line()]
    assert [line.split("  ")[0] for line in lines] == ["REFUSED: timestamp", "verified"]


def test_it_stops_on_ctrl_c_without_a_traceback(tmp_path: Path) -> None:
    started = Listener(tmp_path, port=free_port(), secret=SECRET)
    started.line()
    started.process.send_signal(signal.SIGINT)
    output, _ = started.process.communicate(timeout=10)
    assert started.process.returncode == 0
    assert "Traceback" not in output


def test_a_port_in_use_is_told_in_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        started = Listener(tmp_path, port=port, secret=SECRET)
        output, _ = started.process.communicate(timeout=20)
    assert started.process.returncode == 1
    assert output == f"error: can't listen on 127.0.0.1:{port}: Address already in use\n"


def test_it_is_reached_from_this_machine_alone(listener: Listener) -> None:
    process = psutil.Process(listener.process.pid)
    assert {connection.laddr.ip for connection in process.net_connections("inet")} == {"127.0.0.1"}
