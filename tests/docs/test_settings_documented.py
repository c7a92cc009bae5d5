"""`.env.sample` and the README's table are the settings, no more and no less."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from gateway.config import Settings
from tests.docs.markdown import read, section, table
from tests.support.live import ROOT

SAMPLE = ROOT / ".env.sample"


@dataclass(frozen=True, slots=True)
class Sample:
    name: str
    value: str
    comment: str


def _sample() -> list[Sample]:
    made, comment = [], ""
    for line in SAMPLE.read_text(encoding="utf-8").splitlines():
        if line.startswith("# "):
            comment = line.removeprefix("# ")
        elif "=" in line:
            name, _, value = line.partition("=")
            made.append(Sample(name, value, comment))
            comment = ""
    return made


def _as_text(value: Any) -> str:
    """A default as one writes it in the environment."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, tuple):
        return ",".join(_as_text(item) for item in value)
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def _settings() -> dict[str, str]:
    return {name.upper(): _as_text(field.default) for name, field in Settings.model_fields.items()}


def test_the_sample_has_every_setting_with_its_default_and_nothing_else() -> None:
    assert {sample.name: sample.value for sample in _sample()} == _settings()


def test_the_sample_has_each_setting_once_with_a_comment() -> None:
    names = [sample.name for sample in _sample()]
    assert len(names) == len(set(names))
    assert [sample.name for sample in _sample() if not sample.comment] == []


def test_the_sample_read_as_env_file_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in _settings():
        monkeypatch.delenv(name, raising=False)
    assert Settings(_env_file=SAMPLE) == Settings(_env_file=None)


def test_the_sample_holds_no_secret() -> None:
    secrets = {n.upper() for n, f in Settings.model_fields.items() if f.annotation is SecretStr}
    assert {sample.value for sample in _sample() if sample.name in secrets} == {""}


def test_the_readmes_table_is_the_sample() -> None:
    documented = table(section(read("README.md"), "## Configuration"))
    assert documented == [[s.name, s.value or "(empty)", s.comment] for s in _sample()]


def test_a_difference_would_be_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = tmp_path / "sample"
    changed.write_text(SAMPLE.read_text(encoding="utf-8").replace("PORT=8000", "PORT=8001"))
    monkeypatch.setattr("tests.docs.test_settings_documented.SAMPLE", changed)
    assert {sample.name: sample.value for sample in _sample()} != _settings()
