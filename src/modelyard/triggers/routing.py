"""Which targets get an event: rules are compared with what is new in the outbox.

Comparing takes a snapshot and no lock. What comes of it is written together with the position up to which the outbox was read,
unless another server was faster; so every event is routed exactly once.
"""

import logging
from collections.abc import Mapping
from typing import Any

import orjson

from modelyard.events import outbox
from modelyard.events.outbox import Event
from modelyard.storage.interface import Storage, Transaction
from modelyard.triggers import envelope, store, store_deliveries
from modelyard.triggers.names import Place
from modelyard.triggers.pattern import compiled
from modelyard.triggers.store import Rule
from modelyard.triggers.store_deliveries import Planned

log = logging.getLogger("modelyard.triggers")

READER = "triggers"
BATCH = 100
"""Events that are routed in one transaction: others' writes wait for no more."""


def route(storage: Storage, now: float) -> bool:
    """Route the next events; whether there were any."""
    with storage.read() as tx:
        position = outbox.position_of(tx, READER)
        events = outbox.read(tx, position, BATCH)
        planned = _Router(tx).planned(events)
    if not events:
        return False
    storage.write(lambda tx: _keep(tx, position, events[-1].position, planned, now))
    return True


def _keep(tx: Transaction, before: int, after: int, planned: list[Planned], now: float) -> None:
    if outbox.position_of(tx, READER) != before:
        return
    lines: dict[tuple[str, str, str], int] = {}
    for each in planned:
        store_deliveries.add(tx, each, now, lines)
    outbox.done(tx, READER, after)


class _Router:
    """Compares events with rules, as one snapshot has them."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._rules: dict[Place, list[Rule]] = {}
        self._targets: dict[int, list[dict[str, Any]]] = {}

    def planned(self, events: list[Event]) -> list[Planned]:
        """The deliveries that events make."""
        return [planned for event in events for planned in self._of(event)]

    def _of(self, event: Event) -> list[Planned]:
        place = Place(event.account, event.region)
        if place not in self._rules:
            self._rules[place] = store.matching_rules(self._tx, place)
        if not self._rules[place]:
            return []
        text = envelope.text(
            id=event.id,
            detail_type=event.detail_type,
            source=event.source,
            account=event.account,
            time=event.time,
            region=event.region,
            resources=event.resources,
            detail=event.detail,
        )
        document: Mapping[str, Any] = orjson.loads(text)
        return [
            Planned(place, rule.arn, target["Id"], event.group_key, target, event.id, text)
            for rule in self._rules[place]
            if rule.pattern is not None and _matches(rule, rule.pattern, document)
            for target in self._targets_of(rule)
        ]

    def _targets_of(self, rule: Rule) -> list[dict[str, Any]]:
        if rule.id not in self._targets:
            self._targets[rule.id] = store.targets(self._tx, rule.id)
        return self._targets[rule.id]


def _matches(rule: Rule, pattern: str, document: Mapping[str, Any]) -> bool:
    """Whether a rule is for an event. One that cannot be compared is not: all events of all accounts come through here."""
    try:
        return compiled(pattern).matches(document)
    except Exception:
        log.exception("the rule %s could not be compared with an event, which it does not get", rule.arn)
        return False
