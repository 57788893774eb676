"""What is asked for: an action on a resource, and the facts a condition may look at."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Grant:
    """What KMS has beside policies: it lets one principal do what is asked for, where no policy allows it."""

    id: str
    principal: tuple[str, str]
    """Kind and name, as a policy's Principal element has them: `("AWS", "arn:aws:iam::ACCOUNT:role/NAME")`."""


@dataclass(frozen=True, slots=True)
class Resource:
    """The thing an action is done to, as policies see it."""

    arn: str
    account: str
    """The account that owns it: decides between the rules of one account and those across accounts."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """`aws:ResourceTag/<key>`."""
    policy: str | None = None
    """The resource's own policy, the JSON text as it is stored."""
    grants: Callable[[], Iterable[Grant]] | None = None
    """Finds the grants on it that cover what is asked for; called only when no policy allows that."""


ConditionValues = Mapping[str, str | tuple[str, ...]]
"""Condition keys and their values, names as in AWS's service authorization reference; an absent key is absent here."""


@dataclass(frozen=True, slots=True)
class Permission:
    """One action on one resource: every permission an operation lists has to be granted."""

    action: str
    """`service:Action`, as in policies: `sagemaker:CreateModelPackage`, `s3:GetObject`."""
    resource: Resource
    conditions: ConditionValues = field(default_factory=dict)
    """Keys of this operation: `sagemaker:ModelApprovalStatus`, `aws:RequestTag/<key>`, `aws:TagKeys` …"""
    listing: str = ""
    """For what lists: how the ARN of everything that it may show begins. It is granted where some of that may be seen."""


@dataclass(frozen=True, slots=True)
class RequestFacts:
    """What every request has, for the global condition keys (`aws:SourceIp`, `aws:CurrentTime` …)."""

    now: float
    region: str
    source_ip: str
    secure_transport: bool
    user_agent: str = ""
    signature_version: str = "AWS4-HMAC-SHA256"
    via_service: str = ""
    """The service that makes this call on the caller's behalf: `s3.us-east-1.amazonaws.com`."""
    source_arn: str = ""
    """What has a service make this call: the rule of an event (`aws:SourceArn`); empty for calls of anybody else."""
    source_account: str = ""
    """Whose that is (`aws:SourceAccount`)."""
