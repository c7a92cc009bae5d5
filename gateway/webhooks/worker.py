"""Sends due deliveries, several at once, and no more than a few of one owner at a time."""

import asyncio
import time
from collections import Counter
from datetime import timedelta
from typing import Any

import structlog

from gateway.config import Settings
from gateway.kit import clock
from gateway.metrics import DELIVERIES
from gateway.store import group_commit
from gateway.store.bulk import Row, Update
from gateway.store.due import Candidate, Claim, Worker, claim_due
from gateway.store.group_commit import Unit
from gateway.users import service as users
from gateway.webhooks import sender
from gateway.webhooks.documents import Attempt, Delivery, DeliveryStatus, Event
from gateway.webhooks.retry import wait_before_retry
from gateway.webhooks.signing import webhook_headers

log = structlog.get_logger(__name__)

_DRAIN_SECONDS = 2.0


class DeliveryWorker:
    """Claims what is due and runs its attempts side by side; ``stop`` ends it.

    An owner whose receiver hangs keeps at most ``WEBHOOK_CONCURRENCY_PER_OWNER`` attempts busy.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client = sender.http_client(settings.webhook_timeout_seconds, settings.webhook_concurrency)
        self._running: set[asyncio.Task[None]] = set()
        self._per_owner: Counter[str] = Counter()
        self._loop = Worker("deliveries", self.step, settings.worker_poll_seconds)
        self.start = self._loop.start
        self.wake = self._loop.wake

    async def step(self) -> bool:
        """Start attempts for due deliveries; return whether more of them could be started."""
        free = self._settings.webhook_concurrency - len(self._running)
        if free <= 0:
            return False
        limit = self._settings.webhook_concurrency_per_owner
        saturated = [owner for owner, count in self._per_owner.items() if count >= limit]
        claim = await claim_due(
            Delivery,
            limit=free,
            lease_seconds=self._settings.webhook_timeout_seconds + self._settings.worker_lease_seconds,
            where={"owner_id": {"$nin": saturated}} if saturated else None,
            choose=lambda candidates: self._fair_share(candidates, free),
        )
        deliveries = await _claimed(claim)
        events = {event["_id"]: event for event in await _events_of(deliveries)}
        for delivery in deliveries:
            self._start(delivery, events[delivery["event_id"]])
        return len(deliveries) == free

    async def stop(self) -> None:
        """Start no more, wait a moment for running ones; a cut off one is due again after its lease."""
        await self._loop.stop()
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=_DRAIN_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self._client.aclose()

    def _fair_share(self, candidates: list[Candidate], free: int) -> list[str]:
        taken = self._per_owner.copy()
        chosen = []
        for candidate in candidates:
            if taken[candidate["owner_id"]] < self._settings.webhook_concurrency_per_owner:
                taken[candidate["owner_id"]] += 1
                chosen.append(candidate["_id"])
        return chosen[:free]

    def _start(self, delivery: Row, event: Row) -> None:
        self._per_owner[delivery["owner_id"]] += 1
        task = asyncio.create_task(self._deliver(delivery, event))
        self._running.add(task)

        task.add_done_callback(lambda task: self._finished(task, delivery))

    def _finished(self, task: asyncio.Task[None], delivery: Row) -> None:
        self._running.discard(task)
        self._per_owner[delivery["owner_id"]] -= 1
        busy = self._per_owner[delivery["owner_id"]]
        if not busy:
            del self._per_owner[delivery["owner_id"]]
        # Claims are made for several at a time: not for each slot that falls free.
        if busy <= self._settings.webhook_concurrency_per_owner // 2:
            self.wake()
        if not task.cancelled() and (error := task.exception()):
            log.error("delivery_not_recorded", delivery=delivery["_id"], error=type(error).__name__)

    async def _deliver(self, delivery: Row, event: Row) -> None:
        secret = await users.webhook_secret(self._settings, delivery["owner_id"])
        headers = webhook_headers(secret, event["_id"], int(time.time()), event["body"])
        attempt = await sender.attempt(
            self._client, delivery["url"], event["body"], headers, self._settings.webhook_timeout_seconds
        )
        change = self._outcome(delivery, attempt)
        record = Update(
            {"_id": delivery["_id"], "claim": delivery["claim"]},
            {"$set": change, "$push": {"attempts": attempt.model_dump()}},
        )
        await group_commit.commit(Unit([(Delivery, record)]))
        result = "succeeded" if sender.succeeded(attempt) else "failed"
        DELIVERIES.labels(result).inc()
        log.info(
            "delivery_attempt",
            delivery=delivery["_id"],
            event_id=event["_id"],
            result=result,
            status=attempt.status_code,
            error=attempt.error,
            milliseconds=attempt.milliseconds,
        )

    def _outcome(self, delivery: Row, attempt: Attempt) -> dict[str, Any]:
        if sender.succeeded(attempt):
            return {"status": DeliveryStatus.SUCCEEDED.value, "due_at": None, "claim": None}
        wait = wait_before_retry(
            len(delivery["attempts"]) + 1,
            self._settings.webhook_retry_seconds,
            self._settings.webhook_retry_jitter,
        )
        if wait is None:
            return {"status": DeliveryStatus.FAILED.value, "due_at": None, "claim": None}
        return {"due_at": clock.now() + timedelta(seconds=wait), "claim": None}


async def _claimed(claim: Claim) -> list[Row]:
    if not claim.ids:
        return []
    return await Delivery.get_pymongo_collection().find(claim.filter).to_list()


async def _events_of(deliveries: list[Row]) -> list[Row]:
    ids = [delivery["event_id"] for delivery in deliveries]
    if not ids:
        return []
    return await Event.get_pymongo_collection().find({"_id": {"$in": ids}}).to_list()
