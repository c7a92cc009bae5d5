"""A gateway in a process of its own, whatever command starts it, with its output at hand."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil

from tests.support.live import environment, free_port

SERVE = ("-m", "gateway", "serve")


class Running:
    """A gateway process whose output goes to a file, which may be read while it runs."""

    def __init__(self, folder: Path, *command: str, unset: tuple[str, ...] = (), **values: str) -> None:
        self.data_dir = (
            folder / "data" if "GATEWAY_DATA_DIR" not in values else Path(values["GATEWAY_DATA_DIR"])
        )
        self.port = int(values.get("PORT") or free_port())
        limits = httpx.Limits(max_keepalive_connections=0)
        self._client = httpx.Client(base_url=self.url, timeout=10, trust_env=False, limits=limits)
        variables = environment(self.data_dir, **{"PORT": str(self.port), **values})
        self._log = folder / f"output-{self.port}"
        with self._log.open("w") as log:
            self.process = psutil.Popen(
                [sys.executable, *(command or SERVE)],
                cwd=folder,
                env={name: value for name, value in variables.items() if name not in unset},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def output(self) -> str:
        return self._log.read_text()

    def wait_for(self, text: str, *, seconds: float = 30) -> str:
        """Everything printed so far, as soon as ``text`` is part of it."""
        deadline = time.monotonic() + seconds
        while text not in self.output:
            assert self.process.poll() is None, self.output
            assert time.monotonic() < deadline, self.output
            time.sleep(0.02)
        return self.output

    def get(self, path: str) -> httpx.Response:
        """Over a connection of its own, so that any of several processes may answer."""
        return self._client.get(path)

    def is_healthy(self) -> bool:
        try:
            return self.get("/health").status_code == 200
        except httpx.TransportError:
            return False

    def wait_until_healthy(self, *, seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while not self.is_healthy():
            assert self.process.poll() is None, self.output
            assert time.monotonic() < deadline, self.output
            time.sleep(0.02)

    def logs_in(self, password: str) -> bool:
        body = {"email": "root@gateway.example", "password": password}
        return self._client.post("/api/v1/users/login", json=body).status_code == 200

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        self.process.send_signal(number)
        return int(self.process.wait(20))

    def end(self) -> None:
        """Kill whatever of it still runs, as after a failed test."""
        if self.process.poll() is None:
            family = [*self.process.children(recursive=True), self.process]
            for member in family:
                if member.is_running() and member.name() != "mongod":
                    member.kill()
            self.process.wait(10)
        self._client.close()
