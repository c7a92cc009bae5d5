"""The table: medians of the rounds with their spread, as Markdown and as JSON."""

import json
import os
import platform
import re
import statistics
import subprocess
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from bench.wrk import Measured
from gateway.store.mongod import find_mongod

_VERSIONS = ("fastapi", "starlette", "pydantic", "uvicorn", "uvloop", "pymongo", "beanie", "localstripe")

Key = tuple[str, int]
"""The row's name and the number of connections."""


def machine() -> dict[str, Any]:
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "python": platform.python_version(),
        "versions": {
            **{name: version(name) for name in _VERSIONS},
            "mongod": _version_told_by(find_mongod(), "--version"),
            "wrk": _version_told_by("wrk", "-v"),
        },
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    names = re.findall(r"^model name\s*: (.+)$", cpuinfo.read_text(), re.M) if cpuinfo.exists() else []
    return names[0] if names else platform.processor()


def _version_told_by(*command: str) -> str:
    """The first version number that the command prints, whatever else it does."""
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"\d+(\.\d+)+\S*", told.stdout + told.stderr)
    return found[0] if found else "unknown"


def median(rounds: Iterable[Measured], figure: str) -> float:
    return float(statistics.median(getattr(measured, figure) for measured in rounds))


def table(results: dict[Key, list[Measured]]) -> list[str]:
    """One line a row and number of connections."""
    cpu = ("server CPU s/1,000", "mongod CPU s/1,000")
    memory = ("server MiB", "mongod MiB")
    columns = ("connections", "requests/s", "(min–max)", "p50 ms", "p99 ms", *cpu, *memory)
    lines = [f"| row | {' | '.join(columns)} |", "| --- |" + " ---: |" * len(columns)]
    for (name, connections), rounds in results.items():
        rates = [measured.per_second for measured in rounds]
        lines.append(
            f"| {name} | {connections} | {median(rounds, 'per_second'):,.0f}"
            f" | {min(rates):,.0f}–{max(rates):,.0f}"
            f" | {median(rounds, 'p50'):.2f} | {median(rounds, 'p99'):.2f}"
            f" | {median(rounds, 'server_cpu'):.3f} | {median(rounds, 'mongod_cpu'):.3f}"
            f" | {median(rounds, 'server_rss') / 2**20:.0f} | {median(rounds, 'mongod_rss') / 2**20:.0f} |"
        )
    return lines


def write(
    folder: Path,
    *,
    results: dict[Key, list[Measured]],
    growth: dict[Key, list[Measured]],
    memory: dict[str, dict[str, int]],
    ratios: dict[str, list[float]],
) -> str:
    """Write ``benchmarks.md`` and ``benchmarks.json``; return the Markdown."""
    about = machine()
    versions = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    lines = [
        "# Benchmarks",
        "",
        f"Made by `make bench` on {about['date']}: {about['cores']} cores ({about['processor']}), "
        f"{about['memory_gib']} GiB, {about['system']}, Python {about['python']}, {versions}.",
        "Server, mongod and load generator share the machine. Medians of the rounds; the rows alternate.",
        "A row of charges is over before its payments complete, five seconds after each; the next row waits",
        "until they have.",
        "What charges and completions take together is told under [filling](#filling-and-memory).",
        "",
        "## Ratios",
        "",
        "Of each round; the medians, and the least and the greatest.",
        "",
        "| figure | median | (min–max) |",
        "| --- | ---: | ---: |",
        *(
            f"| {name} | {statistics.median(values):.2f} | {min(values):.2f}–{max(values):.2f} |"
            for name, values in ratios.items()
        ),
        "",
        "## Side by side",
        "",
        *table(results),
        "",
        "## With data",
        "",
        "Each pair of rows alternates between a gateway with 1,000 stored transactions and one with more.",
        "",
        *table(growth),
        "",
        "## Filling and memory",
        "",
        "How fast the transactions were charged, by 64 connections, and completed; the preparation of the",
        "requests and the wait for the last payments, of five seconds or more, are included. The first",
        "thousand are charged by 8 connections, and that wait is most of their time.",
        "",
        "| after | charged and completed a second | gateway MiB | mongod MiB |",
        "| --- | ---: | ---: | ---: |",
        *(
            f"| {name} | {figures['per_second']:,} | {figures['server'] / 2**20:.0f}"
            f" | {figures['mongod'] / 2**20:.0f} |"
            for name, figures in memory.items()
        ),
        "",
    ]
    text = "\n".join(lines)
    folder.joinpath("benchmarks.md").write_text(text)
    data = {
        "machine": about,
        "ratios": ratios,
        "side_by_side": _as_json(results),
        "with_data": _as_json(growth),
        "filling": memory,
    }
    folder.joinpath("benchmarks.json").write_text(json.dumps(data, indent=1) + "\n")
    return text


def _as_json(results: dict[Key, list[Measured]]) -> list[dict[str, Any]]:
    return [
        {"row": name, "connections": connections, "rounds": [asdict(measured) for measured in rounds]}
        for (name, connections), rounds in results.items()
    ]
