"""The embedded mongod: what is said when it can't run."""

from pathlib import Path

import psutil
import pytest

from gateway.errors import StartupError
from gateway.store.mongod import EmbeddedMongod
from tests.support.factories import make_settings


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("echo 'mongod: libcrypto.so.1.1: cannot open shared object file' >&2; exit 127", "libcrypto.so.1.1"),
        ("exit 100", "see .*mongod.log"),
    ],
)
async def test_a_mongod_that_does_not_start_is_told_with_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, told: str
) -> None:
    broken = tmp_path / "bin" / "mongod"
    broken.parent.mkdir()
    broken.write_text(f"#!/bin/sh\n{script}\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", str(broken.parent), prepend=":")
    mongod = EmbeddedMongod(make_settings(gateway_data_dir=tmp_path / "data", mongodb_url=""))
    with pytest.raises(StartupError, match=told):
        await mongod.start()


async def test_it_listens_on_its_own_socket_alone(tmp_path: Path) -> None:
    mongod = EmbeddedMongod(make_settings(gateway_data_dir=tmp_path / "data", mongodb_url=""))
    await mongod.start()
    try:
        process = psutil.Process(int((tmp_path / "data" / "mongod" / "mongod.lock").read_text()))
        assert {str(c.laddr) for c in process.net_connections("all") if c.laddr} == {"./mongod.sock"}
    finally:
        mongod.release()
