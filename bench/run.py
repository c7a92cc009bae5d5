"""``make bench``: every row in one run, side by side, round by round."""

import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markdown import Markdown
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from bench import report, targets, wrk
from bench.report import Key
from bench.targets import ROOT, Target
from bench.workloads import Account, Workload, charge_without_account, payment_intent
from bench.wrk import Measured

CONNECTIONS = (1, 16, 64, 256)
_SIGNED = "charge, signed + idempotent"

_FILL_SECONDS = 20
"""As long as the prepared requests, which may be sent once only, fit into memory well."""

_TABLE_WIDTH = 140
"""Narrower, its cells would be broken into several lines."""

_LOGIN_CONNECTIONS = (1, 16)
"""A login is 250 ms of bcrypt on purpose: at more connections wrk would wait for minutes."""


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    target: Target
    make: Callable[[], Workload]
    connections: tuple[int, ...] = CONNECTIONS
    settle: Callable[[], None] = lambda: None
    """Waits for what the row leaves behind."""


class Bench:
    """Measures rows and remembers what they gave."""

    def __init__(self, folder: Path, progress: Progress, *, rounds: int, seconds: int) -> None:
        self._folder = folder
        self._progress = progress
        self._rounds = rounds
        self._seconds = seconds

    def measure(self, title: str, rows: list[Row]) -> dict[Key, list[Measured]]:
        """Every row at every number of connections, round after round."""
        results: dict[Key, list[Measured]] = {(row.name, c): [] for row in rows for c in row.connections}
        bar = self._progress.add_task(title, total=self._rounds * len(results))
        for _ in range(self._rounds):
            for connections in CONNECTIONS:
                for row in rows:
                    if connections in row.connections:
                        measured = self.run(row.target, row.make(), connections)
                        results[row.name, connections].append(measured)
                        row.settle()
                        self._progress.advance(bar)
        return results

    def run(self, target: Target, workload: Workload, connections: int) -> Measured:
        return wrk.run(target, workload, connections=connections, seconds=self._seconds, folder=self._folder)

    def charge(self, target: Target, account: Account, count: int) -> float:
        """Store ``count`` transactions through the API itself; return how many a second, completed too."""
        since = time.monotonic()
        bar = self._progress.add_task(f"storing {count:,}", total=count)
        stored = 0
        while seconds := min(_FILL_SECONDS, (count - stored) // wrk.LINES_PER_SECOND):
            workload = account.plain_charge()
            measured = wrk.run(target, workload, connections=64, seconds=seconds, folder=self._folder)
            stored += measured.requests
            self._progress.update(bar, completed=stored)
        account.charge(count - stored, lambda: self._progress.advance(bar))
        account.wait_until_completed()
        return count / (time.monotonic() - since)


def main(
    rounds: Annotated[int, typer.Option(help="How often each row is measured.")] = 3,
    seconds: Annotated[int, typer.Option(help="How long each measurement takes.")] = 3,
    stored: Annotated[int, typer.Option(help="How many transactions the large store holds.")] = 1_000_000,
) -> None:
    """Measure, print the table and write it to docs/benchmarks.md and docs/benchmarks.json."""
    wrk.require_wrk()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with tempfile.TemporaryDirectory() as name, Progress(*columns) as progress:
        bench = Bench(Path(name), progress, rounds=rounds, seconds=seconds)
        results = _side_by_side(bench, Path(name))
        growth, memory = _with_data(bench, Path(name), stored)
    text = report.write(
        ROOT / "docs", results=results, growth=growth, memory=memory, ratios=_ratios(results, growth, memory)
    )
    Console(width=max(Console().width, _TABLE_WIDTH)).print(Markdown(text))


def _side_by_side(bench: Bench, folder: Path) -> dict[Key, list[Measured]]:
    with ExitStack() as stack:
        bare = stack.enter_context(targets.bare())
        naive = stack.enter_context(targets.naive(folder / "naive"))
        stripe = stack.enter_context(targets.localstripe())
        ours = stack.enter_context(targets.gateway("ours", folder / "ours"))
        reader, payer = Account.register(ours.url), Account.register(ours.url)
        bench.charge(ours, reader, 1000)
        rows: list[Row] = [
            Row("bare", bare, lambda: charge_without_account("bare")),
            Row("naive", naive, lambda: charge_without_account("naive")),
            Row("localstripe", stripe, payment_intent),
            Row("charge", ours, payer.plain_charge, settle=payer.wait_until_completed),
            Row(_SIGNED, ours, payer.signed_charge, settle=payer.wait_until_completed),
            Row("get one", ours, reader.get_one),
            Row("all, first page", ours, reader.list_all),
            Row("query by amount", ours, reader.query),
            Row("login", ours, reader.login, _LOGIN_CONNECTIONS, settle=reader.log_in),
        ]
        return bench.measure("side by side", rows)


def _with_data(
    bench: Bench, folder: Path, stored: int
) -> tuple[dict[Key, list[Measured]], dict[str, dict[str, int]]]:
    with ExitStack() as stack:
        small = stack.enter_context(targets.gateway("small", folder / "small"))
        large = stack.enter_context(targets.gateway("large", folder / "large"))
        accounts: dict[str, Account] = {}
        memory: dict[str, dict[str, int]] = {}
        for target, count in ((small, 1000), (large, 1000), (large, stored - 1000)):
            account = accounts.get(target.name) or Account.register(target.url)
            accounts[target.name] = account
            per_second = bench.charge(target, account, count)
            total = 1000 if count == 1000 else stored
            usage = target.usage()
            memory[f"{total:,} charges ({target.name})"] = {
                "server": usage.server_rss,
                "mongod": usage.mongod_rss,
                "per_second": round(per_second),
            }
        rows: list[Row] = []
        payers = {target.name: Account.register(target.url) for target in (small, large)}
        for operation in ("get_one", "list_all", "query", "plain_charge"):
            for target, size in ((small, 1000), (large, stored)):
                account = (payers if operation == "plain_charge" else accounts)[target.name]
                make = getattr(account, operation)
                name = f"{make().name}, {size:,} stored"
                rows.append(Row(name, target, make, settle=account.wait_until_completed))
        return bench.measure("with data", rows), memory


def _ratios(
    results: dict[Key, list[Measured]], growth: dict[Key, list[Measured]], memory: dict[str, dict[str, int]]
) -> dict[str, list[float]]:
    """What is to be reached, of each round."""

    def rate(name: str, other: str) -> list[float]:
        return _each(results[name, 64], results[other, 64], "per_second")

    def alone(name: str) -> list[float]:
        return _each(results[name, 1], results["naive", 1], "p50")

    ratios = {
        "signed charge at 64 connections, against bare": rate(_SIGNED, "bare"),
        "the same against naive": rate(_SIGNED, "naive"),
        "charge with 1 connection, p50, against naive": alone("charge"),
        "signed charge with 1 connection, p50, against naive": alone(_SIGNED),
        "get one at 64 connections, against bare": rate("get one", "bare"),
        "p99 of the charge at 64 connections, against its p50": _tail(results["charge", 64]),
        "p99 of the signed charge at 64 connections, against its p50": _tail(results[_SIGNED, 64]),
    }
    names = list(dict.fromkeys(name for name, _ in growth))
    for small, large in zip(names[::2], names[1::2], strict=True):
        for connections in CONNECTIONS:
            name = f"{large}, {connections} connections, time against 1,000 stored"
            ratios[name] = _each(growth[small, connections], growth[large, connections], "per_second")
    figures = list(memory.values())
    for other in ("bare", "naive"):
        name = f"charges that go on and complete, 64 connections, against {other}"
        ratios[name] = [figures[2]["per_second"] / each.per_second for each in results[other, 64]]
    ratios["gateway memory after all charges, against 1,000"] = [figures[2]["server"] / figures[1]["server"]]
    return ratios


def _each(rounds: list[Measured], others: list[Measured], figure: str) -> list[float]:
    """One of two rows against the other, within each round."""
    pairs = zip(rounds, others, strict=True)
    return [getattr(one, figure) / getattr(other, figure) for one, other in pairs]


def _tail(rounds: list[Measured]) -> list[float]:
    return [measured.p99 / measured.p50 for measured in rounds]


if __name__ == "__main__":
    typer.run(main)
