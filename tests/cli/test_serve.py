"""``python -m gateway serve`` as its operator sees it: real processes, signals and folders."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from tests.cli.running import SERVE, Running
from tests.support.live import environment, free_port, mongods_in, wait_until_no_mongod

API = "/api/v1"
EMAIL = "root@gateway.example"
WEAK_SECRET = "short-and-weak-secret"


Start = Callable[..., Running]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts gateways in the test's folder and ends what the test leaves running."""
    made: list[Running] = []

    def begin(*command: str, unset: tuple[str, ...] = (), **values: str) -> Running:
        made.append(Running(tmp_path, *command, unset=unset, **values))
        return made[-1]

    yield begin
    for running in made:
        running.end()
    for running in made:
        wait_until_no_mongod(running.data_dir)


def wait_until_gone(processes: list[psutil.Process], *, seconds: float = 15) -> None:
    _, alive = psutil.wait_procs(processes, timeout=seconds)
    assert not alive, alive


# What can't work is told in one line.

UNUSABLE: dict[str, dict[str, str]] = {
    "port in use": {"PORT": "<taken>"},
    "unwritable data folder": {"GATEWAY_DATA_DIR": "<file>/data"},
    "silent MongoDB": {"MONGODB_URL": "mongodb://127.0.0.1:<free>", "STORE_TIMEOUT_SECONDS": "0.5"},
    "weak secret": {"ENVIRONMENT": "production", "JWT_SECRET": WEAK_SECRET},
    "bad number": {"PORT": "eighty"},
    "workers in memory": {"MONGODB_URL": "memory://", "WORKERS": "2"},
    "no mongod folder, two workers": {"GATEWAY_DATA_DIR": "<spoilt>", "WORKERS": "2"},
}
TOLD: dict[str, str] = {
    "port in use": r"can't listen on 127\.0\.0\.1:\d+: Address already in use; set PORT or HOST",
    "unwritable data folder": r"the data folder .+/data can't be written: Not a directory",
    "silent MongoDB": r"MongoDB at 127\.0\.0\.1:\d+ does not answer: .+",
    "weak secret": r"JWT_SECRET is missing or weak: .+",
    "bad number": r"PORT: Input should be a valid integer.*",
    "workers in memory": r"memory:// keeps its data in one process: WORKERS must be 1",
}


@pytest.fixture(scope="module")
def refused(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, subprocess.CompletedProcess[str]]]:
    """How each unusable configuration ended; all are tried at once, to save time."""
    folder = tmp_path_factory.mktemp("refused")
    (folder / "file").touch()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        words = {
            "<taken>": str(taken.getsockname()[1]),
            "<free>": str(free_port()),
            "<file>": str(folder / "file"),
        }
        begun = {}
        for number, (name, values) in enumerate(UNUSABLE.items()):
            spoilt = folder / f"spoilt-{number}"
            spoilt.mkdir()
            (spoilt / "mongod").touch()
            words["<spoilt>"] = str(spoilt)
            filled = {
                key: re.sub("<[a-z]+>", lambda found: words[found[0]], value) for key, value in values.items()
            }
            variables = environment(folder / "data", **{"PORT": str(free_port()), **filled})
            begun[name] = subprocess.Popen(
                [sys.executable, *SERVE],
                cwd=folder,
                env=variables,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        ended = {}
        for name, process in begun.items():
            output, errors = process.communicate(timeout=40)
            ended[name] = subprocess.CompletedProcess([name], process.returncode, output, errors)
        yield ended


@pytest.mark.parametrize("name", TOLD)
def test_what_cannot_work_is_told_in_one_line(
    name: str, refused: dict[str, subprocess.CompletedProcess[str]]
) -> None:
    ended = refused[name]
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert re.fullmatch(f"error: {TOLD[name]}\n", ended.stderr), ended.stderr
    assert WEAK_SECRET not in ended.stderr


def test_a_failed_start_of_the_workers_ends_the_gateway(
    refused: dict[str, subprocess.CompletedProcess[str]],
) -> None:
    ended = refused["no mongod folder, two workers"]
    assert ended.returncode == 1
    assert "can't be written" in ended.stderr
    assert "Traceback" not in ended.stdout + ended.stderr


@pytest.mark.parametrize("name", UNUSABLE)
def test_no_failure_shows_a_traceback(
    name: str, refused: dict[str, subprocess.CompletedProcess[str]]
) -> None:
    assert "Traceback" not in refused[name].stdout + refused[name].stderr


# Starts, stops and the folder.


def test_the_first_start_shows_a_password_once_and_data_outlive_a_move_of_the_folder(
    start: Start, tmp_path: Path
) -> None:
    proxy = f"http://127.0.0.1:{free_port()}"  # nobody's: the banner must not depend on it
    first = start(unset=("ADMIN_PASSWORD",), HTTP_PROXY=proxy, http_proxy=proxy)
    first.wait_until_healthy()
    shown = first.wait_for("\n  docs ")
    password = re.search(rf"{EMAIL}, password (\S+) \(shown this once\)", shown)
    assert password is not None, shown
    assert f"  address   {first.url}\n" in shown
    assert f"  docs      {first.url}/docs\n" in shown
    assert f"  data      {first.data_dir}\n" in first.wait_for("  data ")
    assert f"  admin     {EMAIL}\n" in first.wait_for("  admin     root@gateway.example\n")
    assert first.logs_in(password[1])
    assert first.stop(signal.SIGINT) == 0
    assert "Traceback" not in first.output
    assert not mongods_in(first.data_dir)

    moved = tmp_path / ("a-long-name-" * 8) / ("another-long-name-" * 3)
    assert len(str(moved)) > 107
    moved.parent.mkdir()
    first.data_dir.rename(moved)
    second = start(unset=("ADMIN_PASSWORD",), GATEWAY_DATA_DIR=str(moved))
    second.wait_for("\n  admin ")
    assert "password" not in second.output
    assert second.logs_in(password[1])
    assert second.stop(signal.SIGTERM) == 0
    assert "Traceback" not in second.output
    assert not mongods_in(moved)


def test_a_second_gateway_joins_the_first_ones_store_and_outlives_it(start: Start) -> None:
    first = start()
    second = start()
    first.wait_until_healthy()
    second.wait_until_healthy()
    assert len(mongods_in(first.data_dir)) == 1
    assert first.stop(signal.SIGTERM) == 0
    assert second.is_healthy()
    assert second.logs_in("root-password-1")
    assert second.stop() == 0
    assert "Traceback" not in first.output + second.output
    wait_until_no_mongod(first.data_dir)


# Several processes.


def wait_until_both_answer(running: Running) -> int:
    """How many requests it took until both processes, told by their start times, had answered."""
    # Side by side: of requests one after the other the same process may take every one.
    at_once, seen = 8, set[str]()
    with ThreadPoolExecutor(at_once) as pool:
        for rounds in range(1, 100):
            answers = pool.map(lambda _: running.get(f"{API}/status"), range(at_once))
            seen |= {answer.json()["metrics"]["lastRestart"] for answer in answers}
            if len(seen) == 2:
                return rounds * at_once
    raise AssertionError("one of the two processes never answered")


def test_two_workers_share_the_work_and_leave_nothing_behind_when_the_parent_is_killed(start: Start) -> None:
    running = start(*SERVE, "--workers", "2")
    running.wait_until_healthy()
    sent = wait_until_both_answer(running)
    figures = running.get("/metrics").text
    counted = re.search(r'gateway_requests_total{.*route="[^"]*/status".*} ([\d.]+)', figures)
    assert counted is not None, figures
    assert float(counted[1]) == sent

    family = running.process.children(recursive=True)
    mongods = mongods_in(running.data_dir)
    assert len(mongods) == 1
    running.process.kill()
    running.process.wait(10)
    wait_until_gone([*family, *map(psutil.Process, mongods)])
    assert not running.is_healthy()


def test_two_workers_stop_when_the_parent_is_told_to(start: Start) -> None:
    running = start(WORKERS="2")
    running.wait_until_healthy()
    wait_until_both_answer(running)
    family = running.process.children(recursive=True)
    assert running.stop(signal.SIGTERM) == 0
    wait_until_gone(family)
    assert "Traceback" not in running.output
    wait_until_no_mongod(running.data_dir)


def test_ctrl_c_of_a_terminal_reaches_every_process_and_does_no_harm(start: Start) -> None:
    running = start(
        "-c", "import os; os.setpgrp(); from gateway.cli.app import main; main()", "serve", WORKERS="2"
    )
    running.wait_until_healthy()
    wait_until_both_answer(running)
    os.killpg(running.process.pid, signal.SIGINT)
    assert running.process.wait(20) == 0
    assert "Traceback" not in running.output
    wait_until_no_mongod(running.data_dir)


# Other servers.


def test_plain_uvicorn_serves_it(start: Start) -> None:
    port = str(free_port())
    running = start("-m", "uvicorn", "gateway.main:app", "--port", port, PORT=port, MONGODB_URL="memory://")
    running.wait_until_healthy()
    assert running.logs_in("root-password-1")
    running.stop(signal.SIGINT)
    assert "Traceback" not in running.output


def test_plain_uvicorn_refuses_weak_secrets_in_production(start: Start) -> None:
    running = start("-m", "uvicorn", "gateway.main:app", ENVIRONMENT="production", JWT_SECRET=WEAK_SECRET)
    assert running.process.wait(20) == 1
    assert running.output.startswith("error: JWT_SECRET is missing or weak")
    assert len(running.output.splitlines()) == 1
    assert WEAK_SECRET not in running.output
