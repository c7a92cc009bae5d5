"""Only a MongoDB that knows transactions and snapshots is taken as the store."""

from typing import Any

import pytest

from gateway.store.connection import lack_of


@pytest.mark.parametrize(
    ("hello", "lack"),
    [
        ({"setName": "rs0", "maxWireVersion": 13}, None),
        ({"msg": "isdbgrid", "maxWireVersion": 21}, None),
        ({"maxWireVersion": 21}, "standalone"),
        ({"setName": "rs0", "maxWireVersion": 9}, "too old"),
    ],
    ids=["replica set of 5.0", "sharded cluster", "standalone", "replica set of 4.4"],
)
def test_what_a_server_lacks_is_told(hello: dict[str, Any], lack: str | None) -> None:
    told = lack_of(hello)
    assert told is None if lack is None else told is not None and lack in told
