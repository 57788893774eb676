"""What is asked for: an action on a resource, and the facts a condition may look at."""

from collections.abc import Mapping
from dataclasses import dataclass, field


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


@dataclass(frozen=True, slots=True)
class RequestFacts:
    """What every request has, for the global condition keys (`aws:SourceIp`, `aws:CurrentTime` …)."""

    now: float
    region: str
    source_ip: str
    secure_transport: bool
    user_agent: str = ""
    signature_version: str = "AWS4-HMAC-SHA256"
