"""The servers that are measured, each a process of its own on 127.0.0.1."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
import psutil

ROOT = Path(__file__).resolve().parents[1]
_START_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU seconds spent so far and bytes resident, of the server and of its mongod."""

    server_cpu: float
    mongod_cpu: float
    server_rss: int
    mongod_rss: int


class Target:
    """A started server; a context manager that stops it again."""

    def __init__(self, name: str, command: list[str], port: int, environment: Mapping[str, str]) -> None:
        self.name = name
        self.url = f"http://127.0.0.1:{port}"
        self._command = command
        self._environment = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
        self._data = environment.get("GATEWAY_DATA_DIR")
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command,
            cwd=ROOT,
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            self._wait_for_answer()
        except BaseException:
            self._process.kill()
            raise
        return self

    def _wait_for_answer(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise RuntimeError(f"{self.name} ended with {self._process.returncode}")
            with contextlib.suppress(httpx.TransportError):
                httpx.get(f"{self.url}/health", trust_env=False)
                return
            time.sleep(0.05)
        raise RuntimeError(f"{self.name} did not start within {_START_SECONDS} s")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(60)

    def usage(self) -> Usage:
        assert self._process is not None
        server = psutil.Process(self._process.pid)
        mongod = self._mongod()
        return Usage(
            server_cpu=_cpu(server),
            mongod_cpu=_cpu(mongod) if mongod else 0.0,
            server_rss=server.memory_info().rss,
            mongod_rss=mongod.memory_info().rss if mongod else 0,
        )

    def _mongod(self) -> psutil.Process | None:
        if self._data is None:
            return None
        folder = str(Path(self._data).resolve() / "mongod")
        running = psutil.process_iter(["name", "cwd"])
        return next((p for p in running if p.info["name"] == "mongod" and p.info["cwd"] == folder), None)


def bare() -> Target:
    return _uvicorn("bare", "bench.bare:app", {})


def naive(folder: Path) -> Target:
    return _uvicorn("naive", "bench.naive:app", {"GATEWAY_DATA_DIR": str(folder)})


def localstripe() -> Target:
    port = free_port()
    script = str(Path(sys.executable).parent / "localstripe")
    return Target("localstripe", [script, "--from-scratch", "--port", str(port)], port, {})


def gateway(name: str, folder: Path) -> Target:
    """Ours, with its documented defaults but for what a start needs."""
    port = free_port()
    environment = {
        "GATEWAY_DATA_DIR": str(folder),
        "PORT": str(port),
        "ADMIN_PASSWORD": "benchmark-password",
    }
    return Target(name, [sys.executable, "-m", "gateway", "serve"], port, environment)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _uvicorn(name: str, app: str, environment: Mapping[str, str]) -> Target:
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", app, "--port", str(port)]
    return Target(name, [*command, "--no-access-log", "--log-level", "warning"], port, environment)


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
