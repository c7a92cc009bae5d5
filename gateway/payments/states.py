"""The states of a transaction and the moves between them, as data."""

from enum import StrEnum
from typing import Any


class TransactionStatus(StrEnum):
    PENDING = "pending"
    COMPLETED = "completed"


ACCEPTED = "accepted"
"""How a pending transaction is stored until the event of its creation has been written.

As a status, so that the index over these finds them: each further index would make every change of a
transaction dearer. It sorts before the others: so what completed stands behind the place where these
come and go. With nothing there, MongoDB's search would walk back over all that have gone lately.
"""


MOVES: dict[TransactionStatus, frozenset[TransactionStatus]] = {
    TransactionStatus.PENDING: frozenset({TransactionStatus.COMPLETED}),
    TransactionStatus.COMPLETED: frozenset(),
}
"""Where each state may go; a state that leads nowhere is final."""


def sources_of(target: TransactionStatus) -> list[TransactionStatus]:
    """The states from which ``target`` may be reached."""
    return [source for source, targets in MOVES.items() if target in targets]


def _stored_as(status: TransactionStatus) -> tuple[str, ...]:
    """The stored statuses that mean ``status``."""
    return (ACCEPTED, status.value) if status is TransactionStatus.PENDING else (status.value,)


def with_status(*statuses: TransactionStatus) -> dict[str, Any]:
    """The filter that finds transactions in one of ``statuses``."""
    stored = [form for status in statuses for form in _stored_as(status)]
    return {"status": {"$in": stored} if len(stored) > 1 else stored[0]}


def shown_as(stored: str) -> str:
    """The status that a stored one means."""
    return TransactionStatus.PENDING.value if stored == ACCEPTED else stored
