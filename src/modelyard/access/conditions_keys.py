"""Condition keys: what a request says under `aws:SourceIp`, `aws:PrincipalTag/team`, `sagemaker:ModelApprovalStatus` …

A key is turned into a function once, when a policy is read; its value is worked out only when a condition asks for it.
Names of keys, and of the tags after the slash, are compared without regard to case, as AWS does.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

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


Values = Mapping[str, str | tuple[str, ...]]
"""What a request says by names in lower case."""


class RequestContext:
    """One permission asked for by one caller: what statements are matched against."""

    __slots__ = ("_conditions", "_principal_tags", "_resource_tags", "arn", "facts", "folds", "permission", "principal")

    def __init__(self, principal: Principal, permission: Permission, facts: RequestFacts) -> None:
        self.principal = principal
        self.permission = permission
        self.facts = facts
        self.arn, self.folds = comparable_arn(permission.resource.arn)
        """The resource's ARN as patterns are compared with it, and whether its resource part is in lower case for that."""
        self._conditions: Values | None = None
        self._principal_tags: Values | None = None
        self._resource_tags: Values | None = None

    @property
    def conditions(self) -> Values:
        """The keys of the operation."""
        if self._conditions is None:
            self._conditions = _folded(self.permission.conditions)
        return self._conditions

    @property
    def principal_tags(self) -> Values:
        """The caller's tags."""
        if self._principal_tags is None:
            self._principal_tags = _folded(self.principal.tags)
        return self._principal_tags

    @property
    def resource_tags(self) -> Values:
        """The resource's tags."""
        if self._resource_tags is None:
            self._resource_tags = _folded(self.permission.resource.tags)
        return self._resource_tags


def comparable_arn(arn: str) -> tuple[str, bool]:
    """The ARN to match patterns against, and whether its resource part was put in lower case.

    SageMaker writes the names of packages in lower case into ARNs, while people write the case they know into policies.
    """
    parts = arn.split(":", 5)
    if len(parts) == 6 and parts[2] == "sagemaker":
        resource = parts[5]
        return arn[: len(arn) - len(resource)] + resource.lower(), True
    return arn, False


def _folded(values: ConditionValues) -> Values:
    """Names in lower case. Of names that differ in case alone all values count: one may not hide another."""
    folded: dict[str, str | tuple[str, ...]] = {}
    for name, value in values.items():
        if value == ():
            continue
        key = name.lower()
        folded[key] = _joined(folded[key], value) if key in folded else value
    return folded


def _joined(one: str | tuple[str, ...], other: str | tuple[str, ...]) -> tuple[str, ...]:
    return (*(one if isinstance(one, tuple) else (one,)), *(other if isinstance(other, tuple) else (other,)))


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
    "aws:sourceaccount": lambda context: context.facts.source_account or None,
    "aws:sourcearn": lambda context: context.facts.source_arn or None,
    "aws:sourceidentity": lambda context: context.principal.source_identity,
    "aws:sourceip": lambda context: context.facts.source_ip or None,
    "aws:tokenissuetime": _token_issue_time,
    "aws:useragent": lambda context: context.facts.user_agent,
    "aws:userid": _user_id,
    "aws:username": _user_name,
    "aws:viaawsservice": lambda context: _truth(bool(context.facts.via_service)),
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
        return lambda context: context.principal_tags.get(tag)
    if slash and prefix.endswith(":resourcetag"):
        return lambda context: context.resource_tags.get(tag)
    return lambda context: context.conditions.get(name)
