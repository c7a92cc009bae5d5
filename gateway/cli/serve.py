"""``python -m gateway serve``: checks what can be checked, then runs the server."""

import asyncio
import os
import signal
import socket
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.config import Settings, ensure_data_dir
from gateway.errors import StartupError

if TYPE_CHECKING:
    import uvicorn

_GRACE_SECONDS = 10


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; HOST.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; PORT.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes; WORKERS.")] = None,
) -> None:
    """Run the gateway until it is told to stop."""
    given = {"HOST": host, "PORT": port, "WORKERS": workers}
    os.environ.update({name: str(value) for name, value in given.items() if value is not None})
    try:
        settings = Settings.load()
        _check(settings)
        listener = _listen(settings)
        asyncio.run(_check_store(settings))
        started = _run(settings, listener)
    except StartupError as error:
        sys.exit(f"error: {error}")
    if not started:
        sys.exit(1)


def _check(settings: Settings) -> None:
    if settings.in_memory and settings.workers > 1:
        raise StartupError("memory:// keeps its data in one process: WORKERS must be 1")
    if not settings.mongodb_url:
        ensure_data_dir(settings.gateway_data_dir)


def _listen(settings: Settings) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((settings.host, settings.port))
        listener.listen(2048)
    except OSError as error:
        where = f"{settings.host}:{settings.port}"
        raise StartupError(f"can't listen on {where}: {error.strerror}; set PORT or HOST") from error
    return listener


async def _check_store(settings: Settings) -> None:
    """Fail here, in one line, rather than in every worker."""
    if settings.mongodb_url and not settings.in_memory:
        from gateway.store.connection import connect

        async with connect(settings, settings.mongodb_url):
            pass


def _run(settings: Settings, listener: socket.socket) -> bool:
    import uvicorn

    address = f"http://{_shown(settings.host)}:{listener.getsockname()[1]}"
    threading.Thread(target=_announce, args=(settings, address), daemon=True).start()
    config = uvicorn.Config(
        "gateway.main:create_app",
        factory=True,
        workers=settings.workers,
        lifespan="on",
        access_log=False,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        backlog=2048,
    )
    return _run_several(config, listener) if settings.workers > 1 else _run_one(config, listener)


def _run_several(config: "uvicorn.Config", listener: socket.socket) -> bool:
    from uvicorn.config import STARTUP_FAILURE
    from uvicorn.supervisors import Multiprocess

    with tempfile.TemporaryDirectory(prefix="gw-metrics-") as metrics_dir:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = metrics_dir
        supervisor = Multiprocess(config, sockets=[listener])
        supervisor.run()
    return all(process.exitcode != STARTUP_FAILURE for process in supervisor.processes)


def _run_one(config: "uvicorn.Config", listener: socket.socket) -> bool:
    import uvicorn

    # Uvicorn raises a caught signal again once it has stopped; by then all is done.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    try:
        uvicorn.Server(config).run(sockets=[listener])
    except SystemExit:
        return False
    return True


def _shown(host: str) -> str:
    if host in ("0.0.0.0", "::"):
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def _announce(settings: Settings, address: str) -> None:
    """Print where everything is as soon as the gateway answers."""
    while not _answers(f"{address}/health"):
        time.sleep(0.05)
    data = settings.mongodb_url.rpartition("@")[2] or str(settings.gateway_data_dir.resolve())
    print(
        f"\n  Mock Payment Gateway\n"
        f"  address   {address}\n"
        f"  docs      {address}/docs\n"
        f"  data      {data}\n"
        f"  admin     {settings.admin_email}\n",
        flush=True,
    )


def _answers(url: str) -> bool:
    no_proxy = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with no_proxy.open(url, timeout=5) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False
