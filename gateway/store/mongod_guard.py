"""Runs one mongod for as long as some gateway uses it; started as a process of its own.

Every gateway on a data folder holds a shared lock on its ``users.lock``. The guard waits for
the exclusive lock on the same file, which the kernel grants only when the last gateway has
gone, whether it stopped, crashed or was killed; then the guard stops mongod and goes too.

Imports nothing but the standard library, so that it starts at once and stays small.
"""

import ctypes
import fcntl
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

_PR_SET_PDEATHSIG = 1


def run(command: list[str], folder: Path) -> int:
    """Run ``command`` in ``folder`` until it ends or nobody holds ``users.lock`` any more."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    mongod = subprocess.Popen(command, cwd=folder, preexec_fn=_die_with_parent)
    signal.signal(signal.SIGTERM, lambda *_: mongod.terminate())
    threading.Thread(target=_stop_when_unused, args=(mongod, folder), daemon=True).start()
    return mongod.wait()


def _stop_when_unused(mongod: subprocess.Popen[bytes], folder: Path) -> None:
    # Held until this process ends: a gateway that starts meanwhile waits for the clean stop.
    fcntl.flock(os.open(folder / "users.lock", os.O_RDWR), fcntl.LOCK_EX)
    mongod.terminate()


def _die_with_parent() -> None:
    # SIGINT of a terminal reaches the whole group; mongod stops by the guard's word alone.
    os.setpgrp()
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(run(sys.argv[2:], Path(sys.argv[1])))
