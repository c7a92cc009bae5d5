"""Drives a workload with wrk and reads what it measured."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from bench.targets import Target
from bench.workloads import Workload

_SCRIPT = Path(__file__).with_name("requests.lua")
_REUSABLE_LINES = 2000
LINES_PER_SECOND = 8000


@dataclass(frozen=True, slots=True)
class Measured:
    """One run: milliseconds, requests a second, CPU seconds per 1,000 requests, bytes resident after it."""

    requests: int
    per_second: float
    p50: float
    p99: float
    server_cpu: float
    mongod_cpu: float
    server_rss: int
    mongod_rss: int


def require_wrk() -> None:
    if shutil.which("wrk") is None:
        sys.exit("wrk is missing: install it first, e.g. `apt-get install wrk` or `brew install wrk`")


def run(target: Target, workload: Workload, *, connections: int, seconds: int, folder: Path) -> Measured:
    """Send the workload over ``connections`` for ``seconds``.

    Raises:
        RuntimeError: any answer was not the expected one.
    """
    lines = folder / "requests.txt"
    count = LINES_PER_SECOND * seconds if workload.unique else _REUSABLE_LINES
    workload.lines.write(lines, count)
    before = target.usage()
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "-s", str(_SCRIPT)]
    environment = {**os.environ, "BENCH_REQUESTS": str(lines), "BENCH_STATUS": str(workload.status)}
    done = subprocess.run(
        [*command, target.url + workload.path],
        env={**environment, "BENCH_METHOD": workload.method},
        capture_output=True,
        text=True,
        check=True,
    )
    after = target.usage()
    result = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("RESULT "))[7:])
    _refuse_failures(target, workload, connections, result)
    requests = result["requests"]
    return Measured(
        requests=requests,
        per_second=requests / result["microseconds"] * 1e6,
        p50=result["p50"] / 1000,
        p99=result["p99"] / 1000,
        server_cpu=(after.server_cpu - before.server_cpu) / requests * 1000,
        mongod_cpu=(after.mongod_cpu - before.mongod_cpu) / requests * 1000,
        server_rss=after.server_rss,
        mongod_rss=after.mongod_rss,
    )


def _refuse_failures(target: Target, workload: Workload, connections: int, result: dict[str, int]) -> None:
    where = f"{target.name}, {workload.name}, {connections} connections"
    if result["unexpected"] or result["socket_errors"]:
        raise RuntimeError(f"{where}: not every answer was {workload.status}: {result}")
    if workload.unique and result["reused"]:
        raise RuntimeError(f"{where}: the server was faster than the prepared requests: {result}")
    if not result["requests"]:
        raise RuntimeError(f"{where}: no answer at all")
