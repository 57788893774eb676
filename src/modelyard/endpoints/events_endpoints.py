"""What endpoints tell the world: AWS's two events, and one of our own to the accounts whose versions are deployed.

In the details of AWS's events, statuses are in capitals and times are epoch milliseconds.
"""

import re
from collections.abc import Mapping
from typing import Any

from modelyard.dispatch.tags import tags_of
from modelyard.endpoints import description
from modelyard.endpoints.deployment import Deployment, Stored
from modelyard.endpoints.events import owner_of_package
from modelyard.endpoints.model import Document
from modelyard.events import outbox
from modelyard.storage.interface import Transaction

STATE_CHANGE = "SageMaker Endpoint State Change"
DEPLOYMENT_CHANGE = "SageMaker Endpoint Deployment State Change"
DEPLOYED = "Model Package Deployment Change"
_TIMES = ("CreationTime", "LastModifiedTime", "StartTime", "ResolutionTime")
_INNER_CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z])")


def state_changed(
    tx: Transaction,
    stored: Stored,
    serving: Deployment | None,
    pending: Deployment | None,
    now: float,
    *,
    status: str | None = None,
) -> None:
    """An endpoint has another status."""
    _publish(tx, STATE_CHANGE, stored, description.described(stored, serving, pending), now, status)


def deployment_changed(tx: Transaction, stored: Stored, serving: Deployment | None, pending: Deployment, now: float) -> None:
    """A deployment has come to another stage."""
    _publish(tx, DEPLOYMENT_CHANGE, stored, description.described(stored, serving, pending), now, None)


def _publish(tx: Transaction, detail_type: str, stored: Stored, shown: Document, now: float, status: str | None) -> None:
    at = stored.endpoint.at
    detail = _in_milliseconds(shown)
    detail["EndpointStatus"] = status or _capitals(shown["EndpointStatus"])
    detail["Tags"] = tags_of(tx, at.arn)
    outbox.publish(
        tx,
        source="aws.sagemaker",
        detail_type=detail_type,
        account=at.account,
        region=at.region,
        resources=[at.arn],
        detail=detail,
        group_key=at.arn,
        now=now,
    )


def _capitals(status: str) -> str:
    """`InService` as `IN_SERVICE`."""
    return _INNER_CAPITAL.sub("_", status).upper()


def _in_milliseconds(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            name: round(one * 1000) if name in _TIMES else _capitals(one) if name == "Status" else _in_milliseconds(one)
            for name, one in value.items()
        }
    return [_in_milliseconds(one) for one in value] if isinstance(value, list) else value


def deployed(tx: Transaction, stored: Stored, deployment: Deployment, change: str, now: float) -> None:
    """Versions are served by an endpoint from now on (`Deployed`), or not any more (`Withdrawn`)."""
    at = stored.endpoint.at
    shadows = [one.name for one in deployment.variants if one.shadow]
    for variant, hosted in deployment.hosted.items():
        for package in hosted.packages:
            account, region, group_key = owner_of_package(package)
            outbox.publish(
                tx,
                source="modelyard",
                detail_type=DEPLOYED,
                account=account,
                region=region,
                resources=[package, at.arn],
                detail={
                    "ModelPackageArn": package,
                    "EndpointArn": at.arn,
                    "EndpointName": at.name,
                    "VariantName": variant,
                    **({"Shadow": True} if variant in shadows else {}),
                    "ModelName": hosted.model_name,
                    "ModelArn": hosted.model_arn,
                    "EndpointConfigName": deployment.config_name,
                    "DeploymentNumber": deployment.number,
                    "EndpointCreationTime": stored.created,
                    "DeploymentStartTime": deployment.started,
                    "ChangedBy": deployment.started_by,
                    "Change": change,
                },
                group_key=group_key,
                now=now,
            )
