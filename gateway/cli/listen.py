"""``python -m gateway listen``: a webhook receiver that checks every signature it gets."""

import base64
import hashlib
import hmac
import re
import sys
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Annotated

import typer

_TOLERANCE_SECONDS = 300


def listen(
    secret: Annotated[str, typer.Option(help="The webhook secret, SK_…", envvar="WEBHOOK_SECRET")],
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1.", min=0, max=65535)] = 9000,
) -> None:
    """Receive webhooks, check their signatures and print them."""
    printing = threading.Lock()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            problem = _problem(secret, dict(self.headers), body)
            event_id, text = self.headers.get("webhook-id", "-"), body.decode(errors="replace")
            line = f"{problem or 'verified'}  {_on_one_line(event_id)}  {_on_one_line(text)}\n"
            with printing:
                sys.stdout.write(line)
                sys.stdout.flush()
            self.send_response(400 if problem else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """The printed line says it all."""

    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), Receiver)
    except OSError as error:
        sys.exit(f"error: can't listen on 127.0.0.1:{port}: {error.strerror}")
    with server, suppress(KeyboardInterrupt):
        print(f"listening on http://127.0.0.1:{server.server_port}/", flush=True)
        server.serve_forever()


def _on_one_line(text: str) -> str:
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)


def _problem(secret: str, headers: dict[str, str], body: bytes) -> str | None:
    """Why a webhook is not to be trusted, or ``None``; the check that any receiver should make."""
    headers = {name.lower(): value for name, value in headers.items()}
    timestamp = headers.get("webhook-timestamp", "")
    if not re.fullmatch("[0-9]{1,15}", timestamp) or abs(time.time() - int(timestamp)) > _TOLERANCE_SECONDS:
        return "REFUSED: timestamp"
    signed = f"{headers.get('webhook-id')}.{timestamp}.".encode() + body
    digest = base64.b64encode(hmac.new(secret.encode(), signed, hashlib.sha256).digest()).decode()
    given = headers.get("webhook-signature", "").split(" ")
    if not any(hmac.compare_digest(one.encode(), f"v1,{digest}".encode()) for one in given):
        return "REFUSED: signature"
    return None
