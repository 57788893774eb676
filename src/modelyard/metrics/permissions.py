"""What CloudWatch's operations ask for.

Metrics have no ARNs: actions on them are decided on `*`, writing them also by the condition key `cloudwatch:namespace`. Alarms
have ARNs; lists of alarms are decided on the one whose name is `*`, as AWS has it.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from modelyard.access.permission import Permission, Resource
from modelyard.access.principal import PrincipalKind
from modelyard.aws.arns import Arn
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Permissions
from modelyard.dispatch.resources import ANY_TYPE, finds
from modelyard.dispatch.tags import TagsOnDemand
from modelyard.metrics import store_alarms
from modelyard.metrics.metric import AWS_PREFIX

Request = dict[str, Any]

SERVICE_NAMESPACES = (AWS_PREFIX, "/aws/")
"""Namespaces that services publish to."""
SERVICES = ("sagemaker.amazonaws.com", "lambda.amazonaws.com", "events.amazonaws.com", "application-autoscaling.amazonaws.com")
"""The services of this server that publish metrics of their own."""
_OF_SERVICES = orjson.dumps(
    {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": {"Service": list(SERVICES)},
            "Action": "cloudwatch:PutMetricData",
            "Resource": "*",
            "Condition": {"StringLike": {"cloudwatch:namespace": [f"{prefix}*" for prefix in SERVICE_NAMESPACES]}},
        },
    }
).decode()
"""What the namespaces of services allow: services have no policies of their own."""


def owner(context: Context) -> str:
    """Whose metrics these are: the caller's account, or the one for which a service calls."""
    return context.account or context.facts.source_account


def is_service(context: Context) -> bool:
    """Whether a part of this server calls, as the service that it is."""
    return context.principal.kind is PrincipalKind.SERVICE


def on_metrics(action: str) -> Permissions:
    """One action on all metrics."""

    def permissions(context: Context, _request: Request) -> Iterable[Permission]:
        yield Permission(f"cloudwatch:{action}", Resource("*", owner(context)))

    return permissions


def on_namespace(action: str) -> Permissions:
    """One action on the namespace of the request."""

    def permissions(context: Context, request: Request) -> Iterable[Permission]:
        policy = _OF_SERVICES if is_service(context) else None
        resource = Resource("*", owner(context), policy=policy)
        yield Permission(f"cloudwatch:{action}", resource, {"cloudwatch:namespace": request["Namespace"]})

    return permissions


def alarm_arn(context: Context, name: str) -> str:
    """The ARN of an alarm of the caller."""
    return f"arn:aws:cloudwatch:{context.region}:{owner(context)}:alarm:{name}"


def alarm_resource(context: Context, name: str) -> Resource:
    """An alarm as policies see it."""
    arn = alarm_arn(context, name)
    return Resource(arn, owner(context), TagsOnDemand(context.tx, arn))


def tag_conditions(tags: Mapping[str, str]) -> dict[str, str | tuple[str, ...]]:
    """`aws:RequestTag/<key>` and `aws:TagKeys` of a request."""
    if not tags:
        return {}
    return {**{f"aws:RequestTag/{key}": value for key, value in tags.items()}, "aws:TagKeys": tuple(tags)}


def on_alarm(action: str) -> Permissions:
    """One action on the alarm of the request."""

    def permissions(context: Context, request: Request) -> Iterable[Permission]:
        yield Permission(f"cloudwatch:{action}", alarm_resource(context, request["AlarmName"]))

    return permissions


def on_named_alarms(action: str) -> Permissions:
    """One action on each of the alarms of the request."""

    def permissions(context: Context, request: Request) -> Iterable[Permission]:
        for name in dict.fromkeys(request["AlarmNames"]):
            yield Permission(f"cloudwatch:{action}", alarm_resource(context, name))

    return permissions


def on_listed_alarms(action: str) -> Permissions:
    """One action on all alarms."""

    def permissions(context: Context, _request: Request) -> Iterable[Permission]:
        yield Permission(f"cloudwatch:{action}", Resource(alarm_arn(context, "*"), owner(context)))

    return permissions


@finds("cloudwatch", ANY_TYPE)
def find_alarm(context: Context, arn: Arn) -> Resource | None:
    """An alarm by its ARN, for those who ask what may be done with it."""
    kind, _, name = arn.resource.partition(":")
    if kind != "alarm" or store_alarms.alarm(context.tx, arn.account, arn.region, name) is None:
        return None
    return Resource(str(arn), arn.account, TagsOnDemand(context.tx, str(arn)))
