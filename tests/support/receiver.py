"""A webhook receiver over real HTTP, with answers that a test chooses."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it came in; header names are lower case."""

    path: str
    headers: dict[str, str]
    body: bytes


class Receiver:
    """Records every POST; ``answer`` gives the status of each, called with the request.

    Used as a context manager; ``wait_for`` blocks until enough has arrived.
    """

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.answer: Callable[[Received], int] = lambda _: 200
        self._arrived = threading.Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length)
                if len(body) < length:
                    return  # the sender was killed while it sent
                headers = {name.lower(): value for name, value in self.headers.items()}
                status = receiver._take(Received(self.path, headers, body))
                try:
                    self.send_response(status)
                    if 300 <= status < 400:
                        self.send_header("Location", "/elsewhere")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                except OSError:
                    """The sender gave up waiting, which some tests are about."""

            def log_message(self, format: str, *args: object) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/hook"

    def wait_for(self, count: int, *, seconds: float = 10) -> list[Received]:
        """The first ``count`` requests; an assertion fails when they do not come in time."""
        with self._arrived:
            came = self._arrived.wait_for(lambda: len(self.received) >= count, seconds)
        assert came, f"{len(self.received)} of {count} webhooks came within {seconds} s"
        return self.received[:count]

    def _take(self, request: Received) -> int:
        with self._arrived:
            self.received.append(request)
            self._arrived.notify_all()
        return self.answer(request)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


def hang(_: Received) -> int:
    """Answers too late for any sender that a test starts."""
    time.sleep(30)
    return 200
