"""Targets of rules: put, listed, removed."""

from collections.abc import Iterable
from typing import Any

from modelyard.access.permission import Permission
from modelyard.aws.errors import ValidationException
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.triggers import pages, store, store_deliveries
from modelyard.triggers.failures import too_many
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
)
from modelyard.triggers.target import TargetError, check_target

operation = operations_of("events")

MOST_TARGETS = 5
"""Of one rule."""


def _putting(context: Context, request: Request) -> Iterable[Permission]:
    arns = tuple(sorted({target["Arn"] for target in request["Targets"]}))
    yield Permission("events:PutTargets", rule_resource(context, request["Rule"]), {"events:TargetArn": arns})
    roles = [target["RoleArn"] for target in request["Targets"] if "RoleArn" in target]
    yield from passing(context, roles, EVENTS_PRINCIPAL)


@operation("PutTargets", mode=Mode.WRITE, permissions=_putting)
def put_targets(context: Context, request: Request) -> Request:
    """Add targets to a rule, or change those with the same ids; what waits for one is delivered to it as it is now."""
    rule = existing_rule(context, request, "Rule")
    given = request["Targets"]
    try:
        for target in given:
            check_target(target)
    except TargetError as error:
        raise ValidationException(str(error)) from None
    there = {target["Id"] for target in store.targets(context.tx, rule.id)}
    if len(there | {target["Id"] for target in given}) > MOST_TARGETS:
        raise too_many()
    for target in given:
        store.put_target(context.tx, rule.id, target)
        if target["Id"] in there:
            store_deliveries.change_target(context.tx, rule.arn, target)
    return {"FailedEntryCount": 0, "FailedEntries": []}


@operation("RemoveTargets", mode=Mode.WRITE, permissions=on_rule("RemoveTargets", "Rule"))
def remove_targets(context: Context, request: Request) -> Request:
    """Take targets from a rule; what waits for them is not delivered any more."""
    rule = existing_rule(context, request, "Rule")
    failed: list[dict[str, Any]] = []
    for name in request["Ids"]:
        if not store.remove_target(context.tx, rule.id, name):
            message = f"Rule '{rule.name}' does not have a target with the Id '{name}'."
            failed.append({"TargetId": name, "ErrorCode": "ResourceNotFoundException", "ErrorMessage": message})
        store_deliveries.abandon(context.tx, rule.arn, name)
    return {"FailedEntryCount": len(failed), "FailedEntries": failed}


@operation("ListTargetsByRule", mode=Mode.READ, permissions=on_rule("ListTargetsByRule", "Rule"))
def list_targets_by_rule(context: Context, request: Request) -> Request:
    """The targets of a rule by id."""
    rule = existing_rule(context, request, "Rule")

    def load(after: str, most: int) -> list[dict[str, Any]]:
        return store.targets(context.tx, rule.id, after, most)

    return pages.page(context, "ListTargetsByRule", request, "Targets", load, lambda target: str(target["Id"]), dict)


@operation("ListRuleNamesByTarget", mode=Mode.READ, permissions=on_all("events", "ListRuleNamesByTarget"))
def list_rule_names_by_target(context: Context, request: Request) -> Request:
    """The rules that have a target."""
    check_bus(context, request)

    def load(after: str, most: int) -> list[str]:
        return store.rule_names_of_target(context.tx, here(context), request["TargetArn"], after, most)

    return pages.page(context, "ListRuleNamesByTarget", request, "RuleNames", load, str, str)
