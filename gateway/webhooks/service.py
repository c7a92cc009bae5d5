"""Events and their deliveries: stored with the change they tell of, sent by the worker."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from gateway.kit import clock
from gateway.kit.ids import new_id
from gateway.store.bulk import Row
from gateway.webhooks.documents import Delivery, DeliveryStatus, Event


@dataclass(frozen=True, slots=True)
class Happening:
    """Something to tell: ``data`` is the event's payload, ``url`` who is told, if anybody."""

    type: str
    owner_id: str
    subject_id: str
    at: datetime
    data: Mapping[str, Any]
    url: str | None = None


def event_rows(happening: Happening) -> list[tuple[type[Event] | type[Delivery], Row]]:
    """An event, and a delivery where there is a receiver, to be inserted with what happened."""
    event_id = new_id("evt", happening.at)
    body = {
        "event": happening.type,
        "type": happening.type,
        "eventId": event_id,
        "id": happening.subject_id,
        "timestamp": clock.to_wire(happening.at),
        "data": happening.data,
    }
    event = {
        "_id": event_id,
        "type": happening.type,
        "owner_id": happening.owner_id,
        "subject_id": happening.subject_id,
        "created_at": happening.at,
        "body": _compact_ascii(body),
    }
    if happening.url is None:
        return [(Event, event)]
    delivery = {
        "_id": new_id("dlv", happening.at),
        "event_id": event_id,
        "owner_id": happening.owner_id,
        "url": happening.url,
        "status": DeliveryStatus.PENDING.value,
        "created_at": happening.at,
        "due_at": happening.at,
        "claim": None,
        "attempts": [],
    }
    return [(Event, event), (Delivery, delivery)]


def _compact_ascii(body: dict[str, Any]) -> bytes:
    """What most receivers get when they serialise the parsed body again to check its signature."""
    compact = orjson.dumps(body)
    return compact if compact.isascii() else json.dumps(body, separators=(",", ":")).encode()
