"""The README's figures are those that were measured last."""

import json
import statistics

from tests.docs.markdown import read, section, table

_TEXT = section(read("README.md"), "## How fast")
_MEASURED = json.loads(read("docs/benchmarks.json"))


def test_the_readme_shows_what_was_measured() -> None:
    rounds = {row["row"]: row["rounds"] for row in _MEASURED["side_by_side"] if row["connections"] == 64}
    shown = table(_TEXT)
    assert len(shown) > 5
    for name, *figures in shown:
        medians = [
            statistics.median(each[figure] for each in rounds[name])
            for figure in ("per_second", "p50", "p99")
        ]
        assert figures == [f"{medians[0]:,.0f}", f"{medians[1]:.0f}", f"{medians[2]:.0f}"], name


def test_the_readme_tells_the_sustained_rate() -> None:
    most = max(_MEASURED["filling"].values(), key=lambda filled: filled["mongod"])
    assert f"at {most['per_second']:,} a second" in _TEXT


def test_the_readme_tells_the_machine() -> None:
    assert _MEASURED["machine"]["cores"] == 2
    assert "two cores" in _TEXT
