"""Takes what waits in lines to their targets, at least once, in the order of each line.

To a queue it goes in the transaction that takes it out of the line: there, whatever happens, it arrives once. To any other
target the line is claimed for a while, the target is called, and then the delivery is taken out: a server that dies in between
leaves it to be made again when the claim is over.

What fails is tried again, at growing intervals, and holds up its line for the first attempts, so that a short trouble does not
change the order. Then it steps aside.
"""

import logging
from threading import Event

from modelyard.dispatch.recording import Journal
from modelyard.storage.interface import Transaction
from modelyard.triggers import store_deliveries as store
from modelyard.triggers.failure import Failure
from modelyard.triggers.pace import Pace
from modelyard.triggers.sending import House, Sender
from modelyard.triggers.store_deliveries import Delivery, Line
from modelyard.triggers.target import LONGEST_AGE, Kind, RetryPolicy, kind_of, pause

log = logging.getLogger("modelyard.triggers")

BATCH = 50
"""Messages that one transaction sends: others' writes wait for no more."""
CLAIM_SECONDS = 15.0
"""How long a line is claimed: longer than an attempt takes."""
HELD_ATTEMPTS = 3
"""Attempts for which a delivery holds up its line."""


class Deliverer:
    """Works lines off."""

    def __init__(self, house: House, stopping: Event) -> None:
        self._house = house
        self._sender = Sender(house, Pace(stopping.wait))
        self._stopping = stopping

    def work_off(self, line: Line) -> None:
        """Deliver what waits in a line, until it is empty or an attempt fails."""
        step = self._queue_step if kind_of(line.target["Arn"]) is Kind.QUEUE else self._claimed_step
        while not self._stopping.is_set() and step(line.id):
            pass

    def _queue_step(self, line_id: int) -> bool:
        """Send the next messages to a queue; whether there may be more to send now."""
        now = self._house.clock.now()
        refused: list[Journal] = []

        def work(tx: Transaction) -> bool:
            refused.clear()
            line = store.line_due(tx, line_id, now)
            if line is None or kind_of(line.target["Arn"]) is not Kind.QUEUE:
                return False
            for delivery in store.first(tx, line.id, BATCH):
                journal = Journal()
                failed = self._sender.within(tx, line, delivery, journal)
                if failed is not None:
                    if delivery.attempts == 0:
                        refused.append(journal)
                    return self._failed(tx, line, delivery, failed, now)
                store.delivered(tx, delivery.id)
            return not store.end_if_empty(tx, line.id)

        more = self._house.storage.write(work)
        for journal in refused:
            if journal.entries:
                self._house.dispatcher.recording.submit(journal.entries)
        return more

    def _claimed_step(self, line_id: int) -> bool:
        """Call a target with the next event; whether there may be more to do now."""
        now = self._house.clock.now()
        storage = self._house.storage
        line = storage.write(lambda tx: store.claim(tx, line_id, now, now + CLAIM_SECONDS))
        if line is None:
            return False
        with storage.read() as tx:
            waiting = store.first(tx, line.id, 1)
        failed = self._sender.outside(line, waiting[0]) if waiting else None
        later = self._house.clock.now()

        def settle(tx: Transaction) -> bool:
            if failed is not None:
                return self._failed(tx, line, waiting[0], failed, later)
            for delivery in waiting:
                store.delivered(tx, delivery.id)
            if store.end_if_empty(tx, line.id):
                return False
            store.set_due(tx, line.id, later)
            return True

        return storage.write(settle)

    def _failed(self, tx: Transaction, line: Line, delivery: Delivery, failed: Failure, now: float) -> bool:
        """Note a failed attempt: there is another one later, or the event is given up. Whether the line may go on now."""
        attempts = delivery.attempts + 1
        condition = RetryPolicy.of(line.target).exhausted(attempts, now - delivery.created)
        dead_letters = "DeadLetterConfig" in line.target and "Arn" in line.target["DeadLetterConfig"]
        over = bool(condition) or (failed.permanent and dead_letters)
        if over and self._given_up(tx, line, delivery, failed, condition, attempts, now):
            store.delivered(tx, delivery.id)
            store.set_due(tx, line.id, now)
            return not store.end_if_empty(tx, line.id)
        store.failed(tx, delivery.id, attempts, failed.text)
        due = now + max(pause(attempts, delivery.id), failed.retry_after)
        if attempts != HELD_ATTEMPTS:
            store.set_due(tx, line.id, due)
            return False
        store.step_aside(tx, line, delivery, due)
        store.set_due(tx, line.id, now)
        return not store.end_if_empty(tx, line.id)

    def _given_up(
        self, tx: Transaction, line: Line, delivery: Delivery, failed: Failure, condition: str, attempts: int, now: float
    ) -> bool:
        """Whether no more attempts are made: a dead-letter queue that cannot be reached is worth a day of further ones."""
        told = {"event": delivery.event_id, "rule": line.source, "target": line.target["Arn"], "attempts": attempts}
        if line.target.get("DeadLetterConfig", {}).get("Arn") is None:
            log.warning("an event is given up: %s", failed.text, extra=told)
            return True
        lost = self._sender.dead_letter(tx, line, delivery, failed, condition, attempts)
        if lost is None:
            log.warning("an event is dead-lettered: %s", failed.text, extra=told)
            return True
        if now - delivery.created < LONGEST_AGE:
            return False
        log.error("an event is given up, its dead-letter queue cannot be reached: %s", lost.text, extra=told)
        return True
