"""When a failed delivery is tried again."""

import random
from collections.abc import Sequence


def wait_before_retry(
    attempts_made: int, schedule: Sequence[float], jitter: float, random_unit: float | None = None
) -> float | None:
    """Seconds until the next attempt, or ``None`` when the schedule is used up.

    ``jitter`` 0.1 spreads the wait evenly over ±10 %, so that deliveries that failed together
    do not come back together.
    """
    if attempts_made > len(schedule):
        return None
    spread = 2 * (random.random() if random_unit is None else random_unit) - 1
    return schedule[attempts_made - 1] * (1 + jitter * spread)
