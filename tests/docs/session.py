"""Runs documented commands as a reader would: in order, in one bash session."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.docs.markdown import Example
from tests.support.live import ROOT

_SECONDS = 60

_PROLOGUE = """\
set -euo pipefail
trap 'kill $(jobs -p) 2>/dev/null || true' EXIT
curl() { command curl --write-out '%{stderr}status %{http_code}\\n' "$@"; }
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one example did: ``status`` is the last HTTP status that its curls got."""

    ran: bool
    output: str
    errors: str
    status: int | None


def run(
    examples: Sequence[Example], folder: Path, addresses: Mapping[str, str], **values: str
) -> list[Outcome]:
    """Run every example with the addresses replaced; ``values`` is the reader's environment.

    The session ends with the first command that fails, and what would follow has not ``ran``.
    """
    script = folder / "session.sh"
    script.write_text(_PROLOGUE + "".join(_step(i, e, addresses) for i, e in enumerate(examples)))
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    session = {**kept, "OUT": str(folder), "TMPDIR": str(folder), **values}
    subprocess.run(
        ["bash", str(script)],
        cwd=ROOT,
        env=session,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=_SECONDS,
        check=False,
    )
    return [_outcome(folder, number) for number in range(len(examples))]


def substitute(text: str, addresses: Mapping[str, str]) -> str:
    """``text`` with each documented address replaced by the one of this run."""
    for documented, real in addresses.items():
        text = text.replace(documented, real)
    return text


def _step(number: int, example: Example, addresses: Mapping[str, str]) -> str:
    commands = substitute(example.commands, {**addresses, ".venv/bin/python": sys.executable})
    return f'{{\n{commands}}} >"$OUT/{number}.out" 2>"$OUT/{number}.err"\ntouch "$OUT/{number}.done"\n'


def _outcome(folder: Path, number: int) -> Outcome:
    errors = _text(folder / f"{number}.err")
    statuses = [line.removeprefix("status ") for line in errors.splitlines() if line.startswith("status ")]
    return Outcome(
        ran=(folder / f"{number}.done").exists(),
        output=_text(folder / f"{number}.out"),
        errors=errors,
        status=int(statuses[-1]) if statuses else None,
    )


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""
