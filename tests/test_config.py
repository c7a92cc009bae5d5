"""Settings: what is read, what is refused, and what is made up."""

import json
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr

from gateway.config import Settings, ensure_data_dir
from gateway.errors import StartupError
from tests.support.live import ROOT, environment

STRONG = {
    "JWT_SECRET": "0123456789abcdef0123456789abcdef",
    "ENCRYPTION_KEY": "fedcba9876543210fedcba9876543210",
}


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting is inherited, and no ``.env`` is found."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def set_all(monkeypatch: pytest.MonkeyPatch, values: dict[str, str]) -> None:
    for name, value in values.items():
        monkeypatch.setenv(name, value)


def refusal() -> str:
    """The one line with which these settings are refused."""
    with pytest.raises(StartupError) as caught:
        Settings.load()
    line = str(caught.value)
    assert "\n" not in line
    return line


# Production.


@pytest.mark.parametrize("name", sorted(STRONG))
@pytest.mark.parametrize("value", ["", "weak-secret", "0123456789abcdef0123456789abcde", "ab" * 40, "x" * 64])
def test_production_refuses_missing_and_weak_secrets_by_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    set_all(monkeypatch, {"ENVIRONMENT": "production", **STRONG, name: value})
    line = refusal()
    assert line.startswith(f"{name} is missing or weak")
    assert not value or value not in line


def test_production_takes_strong_secrets_and_makes_no_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    set_all(monkeypatch, {"ENVIRONMENT": "production", **STRONG})
    settings = Settings.load()
    assert settings.jwt_secret.get_secret_value() == STRONG["JWT_SECRET"]
    assert settings.encryption_key.get_secret_value() == STRONG["ENCRYPTION_KEY"]
    assert list(tmp_path.iterdir()) == []


def test_production_is_asked_for_by_its_very_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVIRONMENT", "prod")
    assert refusal().startswith("ENVIRONMENT: ")


# Values.


@pytest.mark.parametrize(
    ("text", "expected"),
    [("5", (5.0,)), ("0.5,1,2", (0.5, 1.0, 2.0)), (" 1 , 2.5 ", (1.0, 2.5))],
)
def test_a_list_is_written_with_commas(
    monkeypatch: pytest.MonkeyPatch, text: str, expected: tuple[float, ...]
) -> None:
    monkeypatch.setenv("WEBHOOK_RETRY_SECONDS", text)
    assert Settings().webhook_retry_seconds == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "eighty"),
        ("PORT", "65536"),
        ("PORT", "-1"),
        ("PORT", ""),
        ("WORKERS", "0"),
        ("WORKERS", "1.5"),
        ("LOG_LEVEL", "verbose"),
        ("LOG_FORMAT", "xml"),
        ("MONGODB_DATABASE", "a/b"),
        ("MONGODB_DATABASE", ""),
        ("MONGOD_CACHE_MB", "1"),
        ("ADMIN_PASSWORD", "shorter"),
        ("ADMIN_PASSWORD", "longer-" * 10),
        ("PASSWORD_HASH_ROUNDS", "3"),
        ("PASSWORD_HASH_ROUNDS", "31"),
        ("IDEMPOTENCY_RETENTION_SECONDS", "3600"),
        ("IDEMPOTENCY_RETENTION_SECONDS", "9" * 20),
        ("JWT_LIFETIME_SECONDS", "0"),
        ("JWT_LIFETIME_SECONDS", "9" * 20),
        ("SIGNATURE_TOLERANCE_SECONDS", "9" * 20),
        ("PAYMENT_DELAY_SECONDS", "-1"),
        ("PAYMENT_DELAY_SECONDS", "nan"),
        ("STORE_TIMEOUT_SECONDS", "0"),
        ("STORE_TIMEOUT_SECONDS", "inf"),
        ("WORKER_LEASE_SECONDS", "1e300"),
        ("WEBHOOK_RETRY_JITTER", "0.6"),
        ("WEBHOOK_RETRY_SECONDS", ""),
        ("WEBHOOK_RETRY_SECONDS", "1,,2"),
        ("WEBHOOK_RETRY_SECONDS", "1;2"),
        ("WEBHOOK_RETRY_SECONDS", "1,-2"),
        ("WEBHOOK_RETRY_SECONDS", "1,inf"),
        ("WEBHOOK_RETRY_SECONDS", "1,1e300"),
    ],
)
def test_a_value_that_cannot_be_used_is_told_by_name_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    line = refusal()
    assert line.startswith(f"{name}: ")
    assert len(value) < 4 or value not in line


def test_a_file_that_is_no_text_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"ADMIN_EMAIL=\xff\xfe\n")
    assert refusal().startswith(".env can't be read")


def test_the_file_is_read_and_the_environment_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PORT=9001\nWORKERS=3\nSOMETHING_ELSE=1\n")
    monkeypatch.setenv("WORKERS", "2")
    settings = Settings()
    assert (settings.port, settings.workers) == (9001, 2)


def test_only_this_machine_is_served_unless_it_is_said_otherwise() -> None:
    assert Settings().host == "127.0.0.1"


# Made-up secrets.


def test_development_makes_its_secrets_once_and_for_its_owner_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GATEWAY_DATA_DIR", str(tmp_path / "deep" / "data"))
    first, second = Settings.load(), Settings.load()
    path = tmp_path / "deep" / "data" / "secrets.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert first.jwt_secret == second.jwt_secret
    assert first.encryption_key == second.encryption_key
    assert first.jwt_secret != first.encryption_key
    assert len(first.jwt_secret.get_secret_value()) >= 32
    assert [entry.name for entry in path.parent.iterdir()] == ["secrets.json"], "no draft is left"


def test_a_given_secret_is_used_beside_a_made_up_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("JWT_SECRET", "given")
    settings = Settings.load()
    stored = json.loads((tmp_path / "data" / "secrets.json").read_text())
    assert settings.jwt_secret.get_secret_value() == "given"
    assert settings.encryption_key.get_secret_value() == stored["encryption_key"]


def test_in_memory_the_secrets_last_as_long_as_the_process(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MONGODB_URL", "memory://")
    assert Settings.load().jwt_secret != Settings.load().jwt_secret
    assert list(tmp_path.iterdir()) == []


_EIGHT_STARTS = """
from multiprocessing import get_context
from gateway.config import Settings

def load(barrier, queue):
    barrier.wait()
    made = Settings.load()
    queue.put((made.jwt_secret.get_secret_value(), made.encryption_key.get_secret_value()))

fork = get_context("fork")
barrier, queue = fork.Barrier(8), fork.Queue()
started = [fork.Process(target=load, args=(barrier, queue)) for _ in range(8)]
for process in started:
    process.start()
for _ in started:
    print(*queue.get(timeout=20))
for process in started:
    process.join()
    assert process.exitcode == 0
"""


def test_eight_first_starts_at_once_agree_on_the_secrets(tmp_path: Path) -> None:
    data = tmp_path / "data"
    ended = subprocess.run(
        [sys.executable, "-c", _EIGHT_STARTS],
        cwd=tmp_path,
        env=environment(data, PYTHONPATH=str(ROOT)),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    stored = json.loads((data / "secrets.json").read_text())
    assert ended.stdout == f"{stored['jwt_secret']} {stored['encryption_key']}\n" * 8
    assert stat.S_IMODE((data / "secrets.json").stat().st_mode) == 0o600
    assert [entry.name for entry in data.iterdir()] == ["secrets.json"]


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '"text"', '{"jwt_secret": "only"}', "\xff"])
def test_a_damaged_secrets_file_is_told_and_never_replaced(tmp_path: Path, content: str) -> None:
    path = tmp_path / "data" / "secrets.json"
    path.parent.mkdir()
    path.write_text(content, encoding="latin-1")
    assert f"{path.relative_to(tmp_path)} is damaged" in refusal()
    assert path.read_text(encoding="latin-1") == content


@pytest.mark.parametrize("deeper", ["", "data", "data/deeper"])
def test_a_data_folder_below_a_file_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, deeper: str
) -> None:
    (tmp_path / "file").touch()
    folder = tmp_path / "file" / deeper
    monkeypatch.setenv("GATEWAY_DATA_DIR", str(folder))
    assert refusal().startswith(f"the data folder {folder} can't be written: ")
    with pytest.raises(StartupError):
        ensure_data_dir(folder)


# Nothing secret in a text.


def test_nothing_secret_is_in_the_settings_text() -> None:
    settings = Settings(
        mongodb_url="mongodb://me:mongodb-password-1@db.example/?replicaSet=rs",
        jwt_secret=SecretStr("jwt-secret-1"),
        encryption_key=SecretStr("encryption-key-1"),
        admin_password=SecretStr("admin-password-1"),
    )
    assert settings.secret_box is not None
    for text in (repr(settings), str(settings)):
        assert not re.search("(jwt-secret|encryption-key|admin-password|mongodb-password)-1", text)
