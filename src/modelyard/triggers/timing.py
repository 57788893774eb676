"""Starts what is due: rules with a schedule, and schedules. What was missed while no server ran is made up for once."""

from modelyard.dispatch.tags import forget_tags
from modelyard.ids import Ids
from modelyard.storage.interface import Storage, Transaction
from modelyard.triggers import envelope, schedule, store, store_deliveries, store_schedules
from modelyard.triggers.names import Place
from modelyard.triggers.operations.rules import next_due
from modelyard.triggers.store import Rule
from modelyard.triggers.store_deliveries import Planned
from modelyard.triggers.store_schedules import Schedule

BATCH = 100
_RULE_SOURCE, _SCHEDULE_SOURCE = "aws.events", "aws.scheduler"


def is_due(tx: Transaction, now: float) -> bool:
    """Whether anything is."""
    return bool(store.due_rules(tx, now, 1) or store_schedules.due_schedules(tx, now, 1))


def start_due(storage: Storage, ids: Ids, now: float) -> None:
    """Make the deliveries of what is due, and say when it is due again, in one transaction."""

    def work(tx: Transaction) -> None:
        for rule in store.due_rules(tx, now, BATCH):
            _start_rule(tx, ids, rule, now)
        for due in store_schedules.due_schedules(tx, now, BATCH):
            _start_schedule(tx, ids, due, now)

    storage.write(work)


def _event(ids: Ids, place: Place, source: str, resource: str, time: float) -> tuple[str, str]:
    """Id and JSON of the event of a time."""
    number = ids.request_id()
    text = envelope.text(
        id=number,
        detail_type=envelope.SCHEDULED,
        source=source,
        account=place.account,
        time=time,
        region=place.region,
        resources=[resource],
        detail="{}",
    )
    return number, text


def _start_rule(tx: Transaction, ids: Ids, rule: Rule, now: float) -> None:
    assert rule.due is not None
    number, text = _event(ids, rule.place, _RULE_SOURCE, rule.arn, rule.due)
    lines: dict[tuple[str, str, str], int] = {}
    for target in store.targets(tx, rule.id):
        store_deliveries.add(tx, Planned(rule.place, rule.arn, target["Id"], rule.arn, target, number, text), now, lines)
    store.set_due(tx, rule.id, next_due(rule.document.get("ScheduleExpression"), now, rule.origin))


def _start_schedule(tx: Transaction, ids: Ids, due: Schedule, now: float) -> None:
    assert due.due is not None
    number, text = _event(ids, due.place, _SCHEDULE_SOURCE, due.arn, due.due)
    store_deliveries.add(tx, Planned(due.place, due.arn, "", due.arn, due.document["Target"], number, text), now, {})
    following = schedule.next_due(due.document, due.due, now)
    if schedule.is_over(due.document, following) and due.document["ActionAfterCompletion"] == "DELETE":
        store_schedules.delete(tx, due.id)
        forget_tags(tx, due.arn)
    else:
        store_schedules.set_due(tx, due.id, following)
