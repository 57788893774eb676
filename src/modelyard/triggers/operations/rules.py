"""Rules: put, described, listed, enabled, disabled, deleted."""

from collections.abc import Iterable
from typing import Any

from modelyard.access.permission import Permission
from modelyard.aws.errors import ValidationException
from modelyard.dispatch import tags
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.schedules import expression as schedule_expression
from modelyard.schedules.cron import ExpressionError
from modelyard.triggers import pages, store
from modelyard.triggers.failures import invalid, invalid_pattern, too_many
from modelyard.triggers.names import DEFAULT_BUS
from modelyard.triggers.pattern import compiled
from modelyard.triggers.pattern_values import PatternError
from modelyard.triggers.permissions import (
    EVENTS_PRINCIPAL,
    Request,
    check_bus,
    existing_rule,
    here,
    on_all,
    on_rule,
    passing,
    rule_resource,
    tag_conditions,
)
from modelyard.triggers.store import Rule

operation = operations_of("events")

MOST_RULES = 300
_KEPT = ("EventPattern", "ScheduleExpression", "Description", "RoleArn")
DISABLED = "DISABLED"


def _putting(context: Context, request: Request) -> Iterable[Permission]:
    given = tags.from_list(request.get("Tags", ()))
    resource = rule_resource(context, request["Name"])
    yield Permission("events:PutRule", resource, tag_conditions(given))
    if given:
        yield Permission("events:TagResource", resource, tag_conditions(given))
    if "RoleArn" in request:
        yield from passing(context, [request["RoleArn"]], EVENTS_PRINCIPAL)


@operation("PutRule", mode=Mode.WRITE, permissions=_putting)
def put_rule(context: Context, request: Request) -> Request:
    """Make a rule, or change one: for events that match a pattern, for times, or for both."""
    check_bus(context, request)
    place, name = here(context), request["Name"]
    if not request.get("EventPattern") and not request.get("ScheduleExpression"):
        raise ValidationException("Parameter(s) EventPattern or ScheduleExpression must be specified.")
    if request.get("EventPattern"):
        check_pattern(request["EventPattern"])
    existing = store.rule(context.tx, place, name)
    if existing is None and store.count_rules(context.tx, place) >= MOST_RULES:
        raise too_many()
    document = {member: request[member] for member in _KEPT if request.get(member)}
    enabled = request.get("State", "ENABLED") != DISABLED
    kept = existing is not None and existing.document.get("ScheduleExpression") == document.get("ScheduleExpression")
    origin = existing.origin if existing is not None and kept else context.now
    due = next_due(document.get("ScheduleExpression"), context.now, origin)
    store.put_rule(context.tx, place, name, enabled=enabled, due=due if enabled else None, origin=origin, document=document)
    if existing is None and request.get("Tags"):
        tags.put_tags(context.tx, place.rule(name), tags.from_list(request["Tags"]))
    return {"RuleArn": place.rule(name)}


def check_pattern(text: str) -> None:
    """Raise InvalidEventPatternException for what is no pattern."""
    try:
        compiled(text)
    except PatternError as error:
        raise invalid_pattern(str(error)) from None


def next_due(expression: str | None, now: float, origin: float) -> float | None:
    """When a rule with that expression is due after `now`; None for one without. Raises ValidationException.

    A rate counts from when it was set: the first time is one interval later.
    """
    if expression is None:
        return None
    try:
        if not expression.startswith(("rate(", "cron(")) or not schedule_expression.is_grammatical(expression):
            raise ExpressionError("it has to be rate(…) or cron(…)")
        return schedule_expression.parse(expression).after(now, origin)
    except ExpressionError as error:
        raise invalid("ScheduleExpression", f"{error}.") from None


def described(rule: Rule) -> dict[str, Any]:
    """A rule as it is listed."""
    state = "ENABLED" if rule.enabled else DISABLED
    return {"Name": rule.name, "Arn": rule.arn, "State": state, "EventBusName": DEFAULT_BUS, **rule.document}


@operation("DescribeRule", mode=Mode.READ, permissions=on_rule("DescribeRule"))
def describe_rule(context: Context, request: Request) -> Request:
    """What a rule is for, and whether it is enabled; its targets are listed apart."""
    rule = existing_rule(context, request)
    return {**described(rule), "CreatedBy": rule.place.account}


@operation("ListRules", mode=Mode.SLOW_READ, permissions=on_all("events", "ListRules"))
def list_rules(context: Context, request: Request) -> Request:
    """The rules by name."""
    check_bus(context, request)
    prefix = request.get("NamePrefix", "")

    def load(after: str, most: int) -> list[Rule]:
        return store.rules(context.tx, here(context), prefix, after, most)

    return pages.page(context, "ListRules", request, "Rules", load, lambda rule: rule.name, described)


@operation("EnableRule", mode=Mode.WRITE, permissions=on_rule("EnableRule"))
def enable_rule(context: Context, request: Request) -> None:
    """Let a rule match again, and its schedule run again."""
    rule = existing_rule(context, request)
    due = next_due(rule.document.get("ScheduleExpression"), context.now, rule.origin)
    store.set_state(context.tx, rule, enabled=True, due=due)


@operation("DisableRule", mode=Mode.WRITE, permissions=on_rule("DisableRule"))
def disable_rule(context: Context, request: Request) -> None:
    """Let a rule match nothing until it is enabled again."""
    store.set_state(context.tx, existing_rule(context, request), enabled=False, due=None)


@operation("DeleteRule", mode=Mode.WRITE, permissions=on_rule("DeleteRule"))
def delete_rule(context: Context, request: Request) -> None:
    """Delete a rule that has no targets any more; one that is not there is deleted already."""
    check_bus(context, request)
    rule = store.rule(context.tx, here(context), request["Name"])
    if rule is None:
        return
    if store.targets(context.tx, rule.id, most=1):
        raise ValidationException("Rule can't be deleted since it has targets.")
    store.delete_rule(context.tx, rule)
    tags.forget_tags(context.tx, rule.arn)
