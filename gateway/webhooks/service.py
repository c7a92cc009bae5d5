"""Events and their deliveries: recorded with the change they tell of, sent by the worker."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.kit import clock
from gateway.kit.ids import new_id
from gateway.store.unit_of_work import Session
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


async def record_events(happenings: Sequence[Happening], session: Session) -> None:
    """Store an event each, and a delivery where there is a receiver, in the caller's unit of work."""
    if not happenings:
        return
    events = [_event(happening) for happening in happenings]
    await Event.insert_many(events, session=session)
    deliveries = [
        _delivery(event, happening.url)
        for event, happening in zip(events, happenings, strict=True)
        if happening.url is not None
    ]
    if deliveries:
        await Delivery.insert_many(deliveries, session=session)


def _event(happening: Happening) -> Event:
    event_id = new_id("evt", happening.at)
    body = {
        "event": happening.type,
        "type": happening.type,
        "eventId": event_id,
        "id": happening.subject_id,
        "timestamp": clock.to_wire(happening.at),
        "data": happening.data,
    }
    return Event(
        id=event_id,
        type=happening.type,
        owner_id=happening.owner_id,
        subject_id=happening.subject_id,
        created_at=happening.at,
        # Compact ASCII: what most receivers get when they serialise the parsed body again.
        body=json.dumps(body, separators=(",", ":")).encode(),
    )


def _delivery(event: Event, url: str) -> Delivery:
    return Delivery(
        id=new_id("dlv", event.created_at),
        event_id=event.id,
        owner_id=event.owner_id,
        url=url,
        status=DeliveryStatus.PENDING,
        created_at=event.created_at,
        due_at=event.created_at,
    )
