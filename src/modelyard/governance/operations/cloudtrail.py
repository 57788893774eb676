"""CloudTrail's LookupEvents, answered from the same audit trail."""

import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import orjson

from modelyard.access.permission import Permission, Resource
from modelyard.aws.errors import AwsError
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.events.audit_record import Record, digest
from modelyard.governance.audit_event import SUCCESS, Wanted
from modelyard.governance.lookup import find

operation = operations_of("cloudtrail")
Request = dict[str, Any]

DEFAULT_SIZE = 50
SUFFIX = ".amazonaws.com"


def _everything(context: Context, request: Request) -> Iterable[Permission]:
    yield Permission("cloudtrail:LookupEvents", Resource("*", context.account))


@operation("LookupEvents", mode=Mode.SLOW_READ, permissions=_everything)
def lookup_events(context: Context, request: Request) -> Request:
    """Management and data events of the caller's account, newest first."""
    attributes = request.get("LookupAttributes", [])
    if len(attributes) > 1 or any(one["AttributeKey"] == "AccessKeyId" for one in attributes):
        raise AwsError("Only one lookup attribute is taken, and AccessKeyId is none.", code="InvalidLookupAttributesException")
    if request.get("EventCategory") == "insight":
        raise AwsError("There are no Insights events in Modelyard.", code="InvalidEventCategoryException")
    if request.get("StartTime", 0.0) > request.get("EndTime", float("inf")):
        raise AwsError("The start of the time range is after its end.", code="InvalidTimeRangeException")
    asked = {one["AttributeKey"]: one["AttributeValue"] for one in attributes}
    fingerprint = {
        "operation": "cloudtrail:LookupEvents",
        "account": context.account,
        "asked": asked,
        "times": [request.get("StartTime"), request.get("EndTime")],
    }
    before = context.tokens.open(request["NextToken"], fingerprint)[0] if "NextToken" in request else None
    page = find(
        context.tx,
        _wanted(context.account, asked),
        start=request.get("StartTime"),
        end=request.get("EndTime"),
        before=before,
        size=request.get("MaxResults", DEFAULT_SIZE),
    )
    events = [_shown(record, document) for record, document in page.found]
    answer: Request = {"Events": [event for event in events if _has(event, asked)]}
    if page.before is not None:
        answer["NextToken"] = context.tokens.seal(fingerprint, [page.before])
    return answer


def _wanted(account: str, asked: dict[str, str]) -> Wanted:
    """What of the attributes the trail is looked up by; the others are held against what was found."""
    name = asked.get("ResourceName", "")
    source = asked.get("EventSource")
    return Wanted(
        account=account,
        operation=asked.get("EventName"),
        service=None if source is None else source.removesuffix(SUFFIX),
        resource=name if name.startswith("arn:") else None,
    )


def _has(event: Request, asked: dict[str, str]) -> bool:
    """Whether an event has the attributes that the trail is not looked up by."""
    for key in ("EventId", "ReadOnly", "Username"):
        if key in asked and event[key] != asked[key]:
            return False
    names = [resource["ResourceName"] for resource in event["Resources"]]
    name = asked.get("ResourceName")
    if name is not None and not name.startswith("arn:") and not any(_short(one) == name for one in names):
        return False
    kind = asked.get("ResourceType")
    return kind is None or any(resource["ResourceType"] == kind for resource in event["Resources"])


def _short(arn: str) -> str:
    return arn.split(":", 5)[-1].rpartition("/")[2]


_TYPES = {
    ("s3", ""): "AWS::S3::Bucket",
    ("s3", "/"): "AWS::S3::Object",
    ("sagemaker", "model-package-group"): "AWS::SageMaker::ModelPackageGroup",
    ("sagemaker", "model-package"): "AWS::SageMaker::ModelPackage",
    ("sagemaker", "model-card"): "AWS::SageMaker::ModelCard",
    ("iam", "user"): "AWS::IAM::User",
    ("iam", "role"): "AWS::IAM::Role",
    ("iam", "policy"): "AWS::IAM::Policy",
    ("kms", "key"): "AWS::KMS::Key",
    ("ecr", "repository"): "AWS::ECR::Repository",
}


def _type(arn: str) -> str:
    parts = arn.split(":", 5)
    if len(parts) < 6:
        return ""
    kind, slash, _ = parts[5].partition("/")
    return _TYPES.get((parts[2], slash if parts[2] == "s3" else kind), "")


def _shown(record: Record, document: str) -> Request:
    event_id = str(uuid.UUID(bytes=digest(document.encode())[:16], version=4))
    read_only = "true" if record["read_only"] else "false"
    return {
        "EventId": event_id,
        "EventName": record["operation"],
        "ReadOnly": read_only,
        "EventTime": record["time"],
        "EventSource": record["service"] + SUFFIX,
        "Username": record["principal"].rpartition("/")[2] if "/" in record["principal"] else "root",
        "Resources": [{"ResourceType": _type(arn), "ResourceName": arn} for arn in record["resources"]],
        "CloudTrailEvent": orjson.dumps(_cloudtrail_event(record, event_id)).decode(),
    }


def _cloudtrail_event(record: Record, event_id: str) -> Request:
    """The record in the words of CloudTrail (its user guide, "record contents")."""
    moment = datetime.fromtimestamp(record["time"], UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    event = {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": _identity_type(record["principal"]),
            "principalId": record["principal_id"],
            "arn": record["principal"],
            "accountId": record["account"],
        },
        "eventTime": moment,
        "eventSource": record["service"] + SUFFIX,
        "eventName": record["operation"],
        "awsRegion": record["region"],
        "sourceIPAddress": record["source"],
        "userAgent": record["agent"],
        "requestParameters": record["parameters"] or None,
        "responseElements": record.get("made"),
        "requestID": record["request"],
        "eventID": event_id,
        "readOnly": record["read_only"],
        "resources": [{"ARN": arn, "type": _type(arn)} for arn in record["resources"]],
        "eventType": "AwsApiCall",
        "recipientAccountId": record["account"],
    }
    if record["outcome"] != SUCCESS:
        event |= {"errorCode": record["outcome"], "errorMessage": record.get("message", "")}
    return event


def _identity_type(principal: str) -> str:
    if ":assumed-role/" in principal:
        return "AssumedRole"
    return "Root" if principal.endswith(":root") else "IAMUser"
