"""Condition keys: what a request says under `aws:SourceIp`, `aws:PrincipalTag/team`, `sagemaker:ModelApprovalStatus` …

A key is turned into a function once, when a policy is read; its value is worked out only when a condition asks for it.
Names of keys, and of the tags after the slash, are compared without regard to case, as AWS does.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache

from modelyard.access.permission import ConditionValues, Permission, RequestFacts
from modelyard.access.principal import Principal, PrincipalKind

KeyValue = str | tuple[str, ...] | None
"""One value, several of them, or None when the request has no such key."""

PRINCIPAL_TYPES = {
    PrincipalKind.ROOT: "Account",
    PrincipalKind.USER: "User",
    PrincipalKind.ASSUMED_ROLE: "AssumedRole",
    PrincipalKind.SERVICE: "Service",
    PrincipalKind.ANONYMOUS: "Anonymous",
}


class RequestContext:
    """One permission asked for by one caller: what statements are matched against."""

    __slots__ = ("_arn", "_conditions", "_folds", "facts", "permission", "principal")

    def __init__(self, principal: Principal, permission: Permission, facts: RequestFacts) -> None:
        self.principal = principal
        self.permission = permission
        self.facts = facts
        self._arn: str | None = None
        self._folds = False
        self._conditions: dict[str, str | tuple[str, ...]] | None = None

    @property
    def arn(self) -> str:
        """The resource's ARN, as patterns are compared with it: with the resource part in lower case when `folds`."""
        if self._arn is None:
            self._arn, self._folds = comparable_arn(self.permission.resource.arn)
        return self._arn

    @property
    def folds(self) -> bool:
        """Whether the resource part is compared without regard to case."""
        if self._arn is None:
            self._arn, self._folds = comparable_arn(self.permission.resource.arn)
        return self._folds

    @property
    def conditions(self) -> Mapping[str, str | tuple[str, ...]]:
        """The keys of the operation, names in lower case."""
        if self._conditions is None:
            self._conditions = _folded(self.permission.conditions)
        return self._conditions


@lru_cache(maxsize=4096)
def comparable_arn(arn: str) -> tuple[str, bool]:
    """The ARN to match patterns against, and whether its resource part was put in lower case.

    SageMaker writes the names of packages in lower case into ARNs, while people write the case they know into policies.
    """
    parts = arn.split(":", 5)
    if len(parts) == 6 and parts[2] == "sagemaker":
        return ":".join((*parts[:5], parts[5].lower())), True
    return arn, False


def _folded(values: ConditionValues) -> dict[str, str | tuple[str, ...]]:
    folded: dict[str, str | tuple[str, ...]] = {}
    for name, value in values.items():
        if value == ():
            continue
        key = name.lower()
        folded[key] = _joined(folded[key], value) if key in folded else value
    return folded


def _joined(one: str | tuple[str, ...], other: str | tuple[str, ...]) -> tuple[str, ...]:
    """Both values, for names that differ in case alone: neither may hide the other."""
    return (*(one if isinstance(one, tuple) else (one,)), *(other if isinstance(other, tuple) else (other,)))


def tag_value(tags: Mapping[str, str], folded_key: str) -> KeyValue:
    """The value of a tag, its key given in lower case. Tags that differ in case alone all count: one may not hide another."""
    found = tuple(value for key, value in tags.items() if key.lower() == folded_key)
    return found[0] if len(found) == 1 else found or None


ReadKey = Callable[[RequestContext], KeyValue]


def _principal_arn(context: RequestContext) -> KeyValue:
    principal = context.principal
    if principal.kind is PrincipalKind.ANONYMOUS:
        return None
    return principal.role_arn or principal.arn


def _principal_account(context: RequestContext) -> KeyValue:
    principal = context.principal
    return "anonymous" if principal.kind is PrincipalKind.ANONYMOUS else principal.account or None


def _user_id(context: RequestContext) -> KeyValue:
    principal = context.principal
    return "anonymous" if principal.kind is PrincipalKind.ANONYMOUS else principal.unique_id


def _user_name(context: RequestContext) -> KeyValue:
    principal = context.principal
    return principal.name if principal.kind is PrincipalKind.USER else None


def _date(epoch_seconds: float) -> str:
    return datetime.fromtimestamp(epoch_seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _token_issue_time(context: RequestContext) -> KeyValue:
    issued = context.principal.issued_at
    return None if issued is None else _date(issued)


def _multi_factor(context: RequestContext) -> KeyValue:
    """Nobody signs in with a second factor here; AWS has the key for temporary credentials alone."""
    return None if context.principal.issued_at is None else "false"


def _service_name(context: RequestContext) -> KeyValue:
    principal = context.principal
    return principal.name if principal.kind is PrincipalKind.SERVICE else None


def _truth(value: bool) -> str:
    return "true" if value else "false"


_GLOBAL_KEYS: dict[str, ReadKey] = {
    "aws:currenttime": lambda context: _date(context.facts.now),
    "aws:epochtime": lambda context: str(int(context.facts.now)),
    "aws:multifactorauthpresent": _multi_factor,
    "aws:principalaccount": _principal_account,
    "aws:principalarn": _principal_arn,
    "aws:principalisawsservice": lambda context: _truth(context.principal.kind is PrincipalKind.SERVICE),
    "aws:principalservicename": _service_name,
    "aws:principaltype": lambda context: PRINCIPAL_TYPES[context.principal.kind],
    "aws:requestedregion": lambda context: context.facts.region,
    "aws:resourceaccount": lambda context: context.permission.resource.account or None,
    "aws:securetransport": lambda context: _truth(context.facts.secure_transport),
    "aws:sourceidentity": lambda context: context.principal.source_identity,
    "aws:sourceip": lambda context: context.facts.source_ip or None,
    "aws:tokenissuetime": _token_issue_time,
    "aws:useragent": lambda context: context.facts.user_agent,
    "aws:userid": _user_id,
    "aws:username": _user_name,
    "aws:viaawsservice": lambda _context: "false",
    "s3:signatureversion": lambda context: context.facts.signature_version or None,
}


def key_reader(key: str) -> ReadKey:
    """The function that finds the value of condition key `key` in a request."""
    name = key.lower()
    known = _GLOBAL_KEYS.get(name)
    if known is not None:
        return known
    prefix, slash, tag = name.partition("/")
    if slash and prefix == "aws:principaltag":
        return lambda context: tag_value(context.principal.tags, tag)
    if slash and prefix.endswith(":resourcetag"):
        return lambda context: tag_value(context.permission.resource.tags, tag)
    return lambda context: context.conditions.get(name)
