"""Rules of approval of a group, and the decisions on its versions."""

from typing import Any

from modelyard.aws.errors import ResourceNotFound, ValidationException
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.registry import approval_rule, events, governance_store, pages, store
from modelyard.registry.approval_rule import MalformedRules
from modelyard.registry.governance_store import Decision, Rule
from modelyard.registry.operations.groups import existing as existing_group
from modelyard.registry.permissions import group_at, on_group, on_package, package_at

operation = operations_of("modelyard")
Request = dict[str, Any]
LIST = "modelyard:ListApprovalDecisions"


@operation("PutApprovalRules", mode=Mode.WRITE, permissions=on_group("PutApprovalRules", service="modelyard"))
def put_approval_rules(context: Context, request: Request) -> Request:
    """Let a group have these rules in place of those before. Approvals that wait are counted under the new ones."""
    found = existing_group(context, group_at(context, request["ModelPackageGroupName"]))
    try:
        approval_rule.check(request["Rules"])
    except MalformedRules as error:
        raise ValidationException(str(error)) from None
    document = {"Rules": request["Rules"], "LastModifiedTime": context.now, "LastModifiedBy": context.principal.arn}
    governance_store.put_rule(context.tx, found.id, Rule.APPROVAL, document)
    events.group_changed(context.tx, found.at, "ApprovalRulesPut", context.now)
    return {"ModelPackageGroupArn": found.arn}


@operation("GetApprovalRules", mode=Mode.READ, permissions=on_group("GetApprovalRules", service="modelyard"))
def get_approval_rules(context: Context, request: Request) -> Request:
    """The rules of a group."""
    found = existing_group(context, group_at(context, request["ModelPackageGroupName"]))
    return {"ModelPackageGroupArn": found.arn, **_rules(context, found.id, found.arn)}


@operation("DeleteApprovalRules", mode=Mode.WRITE, permissions=on_group("DeleteApprovalRules", service="modelyard"))
def delete_approval_rules(context: Context, request: Request) -> Request:
    """Let a group have no rules."""
    found = existing_group(context, group_at(context, request["ModelPackageGroupName"]))
    _rules(context, found.id, found.arn)
    governance_store.delete_rule(context.tx, found.id, Rule.APPROVAL)
    events.group_changed(context.tx, found.at, "ApprovalRulesDeleted", context.now)
    return {}


def _rules(context: Context, group_id: int, arn: str) -> Request:
    document = governance_store.rules(context.tx, group_id).get(Rule.APPROVAL)
    if document is None:
        raise ResourceNotFound(f"{arn} has no approval rules.")
    return document


@operation(
    "ListApprovalDecisions",
    mode=Mode.SLOW_READ,
    permissions=on_package("ListApprovalDecisions", "ModelPackageArn", service="modelyard"),
)
def list_approval_decisions(context: Context, request: Request) -> Request:
    """Who decided what on a version, when and why, the oldest decision first; also of a version that is gone."""
    at = package_at(context, request["ModelPackageArn"])
    page = pages.page(context, LIST, request)
    found = store.package(context.tx, at)
    after = 0 if page.after is None else int(page.after[0])
    made = governance_store.decisions(
        context.tx, at.arn, after, page.size + 1, package_id=None if found is None else found.id, descending=page.descending
    )
    if found is None and not made and not after:
        raise ResourceNotFound(f"ModelPackage {at.arn} does not exist.")
    answer: Request = {"Decisions": [_shown(one) for one in made[: page.size]]}
    if len(made) > page.size:
        answer["NextToken"] = pages.token(context, LIST, request, [made[page.size - 1].id])
    return answer


def _shown(made: Decision) -> Request:
    shown = {
        "Time": made.decided,
        "PrincipalArn": made.principal,
        "Subject": made.subject,
        "From": made.before,
        "To": made.after,
        "Reason": made.reason,
        "Effective": made.effective,
        "Approvals": made.approvals,
        "RequiredApprovals": made.required,
    }
    return {name: value for name, value in shown.items() if value is not None}
