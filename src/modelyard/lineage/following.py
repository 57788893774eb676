"""Lineage learns from the outbox: what events tell is kept in one transaction with how far the outbox was read.

So every event counts once, whatever ends the process in between; and what an event tells is kept under names that the event
gives, so that reading it again would change nothing.
"""

import logging

from modelyard.events import outbox
from modelyard.events.outbox import Event
from modelyard.lineage import store, store_graph
from modelyard.lineage.told import Story, Told, told_by
from modelyard.storage.interface import Storage, Transaction

READER = "lineage"
BATCH = 100
"""Events that one transaction reads: others' writes wait for no more."""
MOST_BATCHES = 100
"""That one call waits for; a backlog beyond that is the worker's."""

log = logging.getLogger(__name__)


def catch_up(storage: Storage) -> None:
    """Read what was published before this call; a snapshot that is taken afterwards has it."""
    with storage.read() as tx:
        target, position = outbox.last_position(tx), outbox.position_of(tx, READER)
    for _ in range(MOST_BATCHES):
        if position >= target:
            return
        position = storage.write(follow)


def follow(tx: Transaction) -> int:
    """Read the next events; how far the outbox is read now."""
    position = outbox.position_of(tx, READER)
    events = outbox.read(tx, position, BATCH)
    if not events:
        return outbox.last_position(tx)
    for event in events:
        story = _understood(event)
        if story is not None:
            _keep(tx, event, story)
    outbox.done(tx, READER, events[-1].position)
    return events[-1].position


def _understood(event: Event) -> Story | None:
    try:
        return told_by(event)
    except (LookupError, TypeError, ValueError, AttributeError):
        # One event that is not as it should be must not hold up all that come after it.
        log.exception("lineage cannot read the event at position %s of the outbox, and goes on without it", event.position)
        return None


def _keep(tx: Transaction, event: Event, story: Story) -> None:
    numbers = [_number(tx, story, told) for told in story.entities]
    for source, destination, kind in story.joins:
        if numbers[source] != numbers[destination]:
            store_graph.associate(
                tx, event.account, event.region, numbers[source], numbers[destination], kind, story.by, story.time
            )


def _number(tx: Transaction, story: Story, told: Told) -> int:
    """The number of an entity that an event speaks of, kept now if it was not there."""
    at = told.entity.at
    if told.properties:
        kept = store.entity(tx, at)
        if kept is not None:
            _renew(tx, kept, story, told)
            return kept.id
    else:
        number = store.id_by_source(tx, at, told.entity.source_uri) if told.shared else store.entity_id(tx, at)
        if number is None and told.shared:
            number = store.entity_id(tx, at)
        if number is not None:
            return number
    return store.add(tx, told.entity)


def _renew(tx: Transaction, kept: store.Kept, story: Story, told: Told) -> None:
    before = kept.entity.document.get("Properties", {})
    properties = {**before, **told.properties}
    if properties != before:
        changed = {**kept.entity.document, "Properties": properties, "LastModifiedTime": story.time}
        store.update(tx, kept.id, {**changed, "LastModifiedBy": story.by})
