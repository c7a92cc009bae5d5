"""``python -m gateway listen``: a webhook receiver that checks every signature it gets."""

import base64
import hashlib
import hmac
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Annotated

import typer

_TOLERANCE_SECONDS = 300


def listen(
    secret: Annotated[str, typer.Option(help="The webhook secret, SK_…", envvar="WEBHOOK_SECRET")],
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1.")] = 9000,
) -> None:
    """Receive webhooks, check their signatures and print them."""

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            problem = _problem(secret, dict(self.headers), body)
            print(
                f"{problem or 'verified'}  {self.headers.get('webhook-id')}  {body.decode(errors='replace')}",
                flush=True,
            )
            self.send_response(400 if problem else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """The printed line says it all."""

    with ThreadingHTTPServer(("127.0.0.1", port), Receiver) as server:
        print(f"listening on http://127.0.0.1:{server.server_port}/", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()


def _problem(secret: str, headers: dict[str, str], body: bytes) -> str | None:
    """Why a webhook is not to be trusted, or ``None``; the check that any receiver should make."""
    headers = {name.lower(): value for name, value in headers.items()}
    timestamp = headers.get("webhook-timestamp", "")
    if not timestamp.isdigit() or abs(time.time() - int(timestamp)) > _TOLERANCE_SECONDS:
        return "REFUSED: timestamp"
    signed = f"{headers.get('webhook-id')}.{timestamp}.".encode() + body
    digest = base64.b64encode(hmac.new(secret.encode(), signed, hashlib.sha256).digest()).decode()
    if not hmac.compare_digest(headers.get("webhook-signature", ""), f"v1,{digest}"):
        return "REFUSED: signature"
    return None
