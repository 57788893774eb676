"""Refusals in a sentence: which policy, of what, in which account, does not allow something, or denies it."""

from dataclasses import dataclass

from modelyard.access.evaluation import Decision, Reason
from modelyard.access.permission import Permission
from modelyard.access.principal import Principal


@dataclass(frozen=True, slots=True)
class Lacking:
    """The policy that a refusal came of."""

    account: str
    """Whose it is."""
    kind: str
    """`identity`, `resource`, `trust`, `boundary` or `session`."""
    attached_to: str
    """What it is the policy of."""
    sentence: str


_NOT_ALLOWED = {
    Reason.NO_IDENTITY_ALLOW: ("identity", "No policy of {whom} in account {account} allows"),
    Reason.NO_RESOURCE_ALLOW: ("resource", "The policy of {whom} in account {account} does not allow"),
    Reason.NO_TRUST_ALLOW: ("trust", "The trust policy of {whom} in account {account} does not allow"),
    Reason.NO_BOUNDARY_ALLOW: ("boundary", "The permissions boundary of {whom} in account {account} does not allow"),
    Reason.NO_SESSION_ALLOW: ("session", "The session policies of {whom} in account {account} do not allow"),
}
_DENIED = {
    Reason.IDENTITY_DENY: ("identity", "A policy of {whom} in account {account} denies"),
    Reason.RESOURCE_DENY: ("resource", "The policy of {whom} in account {account} denies"),
    Reason.TRUST_DENY: ("trust", "The trust policy of {whom} in account {account} denies"),
    Reason.BOUNDARY_DENY: ("boundary", "The permissions boundary of {whom} in account {account} denies"),
    Reason.SESSION_DENY: ("session", "A session policy of {whom} in account {account} denies"),
}


def lacking(principal: Principal, permission: Permission, decision: Decision) -> Lacking | None:
    """The policy that would have to allow what was refused; None where one denies it, or nothing was refused."""
    words = _NOT_ALLOWED.get(decision.reason)
    return None if words is None else _told(principal, permission, *words)


def why_refused(principal: Principal, permission: Permission, decision: Decision) -> str:
    """The sentence for a decision that was no."""
    return _told(principal, permission, *{**_NOT_ALLOWED, **_DENIED}[decision.reason]).sentence


def holder(arn: str) -> str:
    """What carries the policy that a resource stands under: objects have that of their bucket, versions that of their group."""
    service, _, resource = arn.removeprefix("arn:aws:").partition(":")
    if service == "s3":
        return arn.partition("/")[0]
    if service == "sagemaker" and ":model-package/" in resource and arn.count("/") > 1:
        return arn.rpartition("/")[0].replace(":model-package/", ":model-package-group/")
    return arn


def _told(principal: Principal, permission: Permission, kind: str, words: str) -> Lacking:
    resource = permission.resource
    on_resource = kind in ("resource", "trust")
    account = resource.account if on_resource else principal.account
    attached_to = holder(resource.arn) if on_resource else principal.role_arn or principal.arn
    beginning = words.format(whom=attached_to, account=account)
    granted = kind == "resource" and words.endswith("not allow") and resource.grants is not None
    end = ", and no grant does." if granted else "."
    return Lacking(account, kind, attached_to, f"{beginning} {permission.action} on {resource.arn}{end}")
