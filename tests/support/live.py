"""A gateway in processes of its own, for what signals, restarts and real HTTP are needed for."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
import psutil

ROOT = Path(__file__).resolve().parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(data_dir: Path, **values: str) -> dict[str, str]:
    """The environment of a gateway with short delays and its data in ``data_dir``."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return {
        **kept,
        "GATEWAY_DATA_DIR": str(data_dir),
        "ADMIN_EMAIL": "root@gateway.example",
        "ADMIN_PASSWORD": "root-password-1",
        "PASSWORD_HASH_ROUNDS": "4",
        "PAYMENT_DELAY_SECONDS": "0.2",
        "WEBHOOK_RETRY_SECONDS": "0.2,0.5,1,2,4,8,16",
        "LOG_LEVEL": "WARNING",
        "WORKER_LEASE_SECONDS": "2",
        "WEBHOOK_TIMEOUT_SECONDS": "2",
        "PYTHONPATH": str(ROOT),
        **values,
    }


class LiveGateway:
    """``python -m gateway serve`` on a free port of 127.0.0.1; a context manager."""

    def __init__(self, data_dir: Path, *, port: int | None = None, **values: str) -> None:
        self.port = port or free_port()
        self._environment = environment(data_dir, PORT=str(self.port), **values)
        self._data_dir = data_dir
        self.process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start and wait until it is healthy."""
        self._data_dir.mkdir(exist_ok=True, parents=True)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gateway", "serve"],
            cwd=self._data_dir,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        deadline = time.monotonic() + 30
        with httpx.Client(timeout=5, trust_env=False, verify=False) as client:
            while time.monotonic() < deadline:
                assert self.process.poll() is None, self.process.communicate()[0]
                try:
                    if client.get(f"{self.url}/health").status_code == 200:
                        return
                except httpx.TransportError:
                    time.sleep(0.05)
        raise AssertionError("the gateway did not become healthy within 30 s")

    def kill(self) -> None:
        """``kill -9`` the gateway's own process, whatever it is doing."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self._close_pipe()

    def stop(self, number: signal.Signals = signal.SIGINT) -> tuple[int, str]:
        """Stop it as Ctrl-C would; return its exit code and all it printed."""
        assert self.process is not None
        self.process.send_signal(number)
        output, _ = self.process.communicate(timeout=20)
        return self.process.returncode, output

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process is not None and self.process.poll() is None:
            self.stop()

    def end(self) -> None:
        """Make sure that nothing of it runs any more, as after a failed test."""
        if self.process is not None and self.process.poll() is None:
            self.kill()
        self._close_pipe()

    def _close_pipe(self) -> None:
        if self.process is not None and self.process.stdout is not None:
            self.process.stdout.close()


def mongods_in(data_dir: Path) -> list[int]:
    """Process ids of the mongods that work in this data folder."""
    folder = str((data_dir / "mongod").resolve())
    running = psutil.process_iter(["name", "cwd"])
    return [p.pid for p in running if p.info["name"] == "mongod" and p.info["cwd"] == folder]


def wait_until_no_mongod(data_dir: Path, *, seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while mongods_in(data_dir):
        assert time.monotonic() < deadline, "a mongod outlived its gateway"
        time.sleep(0.02)
