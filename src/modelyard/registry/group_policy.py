"""What a group's resource policy must be, beyond what every policy must be."""

import json
from typing import Any

from modelyard.access.policy import MalformedPolicy, PolicyKind, parse_policy
from modelyard.registry.group import GroupName


class InvalidPolicy(Exception):
    """The policy cannot be kept; the text is for the client."""


def check(text: str, at: GroupName) -> None:
    """Raise InvalidPolicy unless the text is a policy on this group and its versions alone, each principal named once."""
    try:
        parse_policy(text, PolicyKind.RESOURCE)
    except MalformedPolicy as error:
        raise InvalidPolicy(str(error)) from None
    statements = json.loads(text)["Statement"]
    for statement in statements if isinstance(statements, list) else [statements]:
        _check_principals(statement)
        for resource in _as_list(statement.get("Resource", [])) + _as_list(statement.get("NotResource", [])):
            if not _within(resource, at):
                raise InvalidPolicy(f"Resource {resource} is not the model package group {at.arn} or a version of it")


def _check_principals(statement: dict[str, Any]) -> None:
    principals = statement.get("Principal", {})
    for named in principals.values() if isinstance(principals, dict) else ():
        accounts = [_account_of(principal) for principal in _as_list(named)]
        if len(accounts) != len(set(accounts)):
            raise InvalidPolicy("Duplicate principal")


def _account_of(principal: str) -> str:
    """`arn:aws:iam::ACCOUNT:root` and the bare account are the same principal."""
    parts = principal.split(":")
    return parts[4] if len(parts) == 6 and parts[5] == "root" else principal


def _within(resource: str, at: GroupName) -> bool:
    parts = resource.split(":", 5)
    if len(parts) != 6 or parts[0] != "arn" or parts[2] != "sagemaker":
        return False
    if parts[3] not in (at.region, "*") or parts[4] not in (at.account, "*"):
        return False
    kind, _, path = parts[5].lower().partition("/")
    if kind == "model-package-group":
        return path == at.folded
    return kind == "model-package" and path.partition("/")[0] == at.folded


def _as_list(value: object) -> list[str]:
    return [value] if isinstance(value, str) else list(value)  # type: ignore[call-overload]
