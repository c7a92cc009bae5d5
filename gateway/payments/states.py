"""The states of a transaction and the moves between them, as data."""

from enum import StrEnum


class TransactionStatus(StrEnum):
    PENDING = "pending"
    COMPLETED = "completed"


MOVES: dict[TransactionStatus, frozenset[TransactionStatus]] = {
    TransactionStatus.PENDING: frozenset({TransactionStatus.COMPLETED}),
    TransactionStatus.COMPLETED: frozenset(),
}
"""Where each state may go; a state that leads nowhere is final."""


def sources_of(target: TransactionStatus) -> list[TransactionStatus]:
    """The states from which ``target`` may be reached."""
    return [source for source, targets in MOVES.items() if target in targets]
