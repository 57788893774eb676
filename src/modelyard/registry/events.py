"""What the registry tells the world: the events that AWS sends through EventBridge, and one of our own for groups.

Sources: "Amazon SageMaker AI events" of the SageMaker developer guide for model packages and model cards. Times in details are
ISO-8601 texts. AWS has no event for groups; ours is of the source `modelyard`.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from modelyard.events import history, outbox
from modelyard.registry.group import GroupName
from modelyard.registry.model_card import CardName
from modelyard.registry.model_package import PackageName
from modelyard.storage.interface import Transaction

AWS_SOURCE = "aws.sagemaker"
OUR_SOURCE = "modelyard"
PACKAGE_CHANGE = "SageMaker Model Package State Change"
CARD_CHANGE = "SageMaker Model Card State Change"
GROUP_CHANGE = "Model Package Group State Change"
TIMES = ("CreationTime", "LastModifiedTime")
UPDATED_FIELDS = {
    "ModelApprovalStatus": "ModelApprovalStatus",
    "ApprovalDescription": "ApprovalDescription",
    "SourceUri": "sourceUri",
    "CustomerMetadataProperties": "CustomerMetadataProperties",
    "CustomerMetadataPropertiesToRemove": "CustomerMetadataProperties",
    "InferenceSpecification": "InferenceSpecification",
    "ModelLifeCycle": "ModelLifeCycle",
}
"""Members of UpdateModelPackage, and what `UpdatedModelPackageFields` calls them; AWS names no others."""
STATE = (
    "ModelPackageStatus",
    "ModelApprovalStatus",
    "ApprovalDescription",
    "ModelLifeCycle",
    "CustomerMetadataProperties",
)
"""What is remembered of a version for every past time."""

Document = Mapping[str, Any]


def package_changed(tx: Transaction, at: PackageName, document: Document, now: float, request: Document | None = None) -> None:
    """A package was registered, or updated by `request`."""
    detail = _detail(document)
    if request is not None:
        updated = dict.fromkeys(name for member, name in UPDATED_FIELDS.items() if member in request)
        detail["UpdatedModelPackageFields"] = list(updated)
    _publish_package(tx, at, detail, now)
    if at.version:
        by = document.get("LastModifiedBy", document["CreatedBy"])
        state = {member: document[member] for member in STATE if member in document}
        history.keep(tx, _key(at), at.version, now, {**state, "By": by["IamIdentity"]["Arn"]})


def package_deleted(tx: Transaction, at: PackageName, document: Document, now: float) -> None:
    """A package is gone."""
    _publish_package(tx, at, {**_detail(document), "ModelPackageStatus": "Deleting"}, now)
    if at.version:
        history.keep(tx, _key(at), at.version, now, None)


def card_changed(tx: Transaction, at: CardName, document: Document, now: float, status: str | None = None) -> None:
    """A model card was made, edited, or deleted; its content stays out of events, since it may be confidential."""
    detail = _detail({name: value for name, value in document.items() if name != "Content"})
    outbox.publish(
        tx,
        source=AWS_SOURCE,
        detail_type=CARD_CHANGE,
        account=at.account,
        region=at.region,
        resources=[at.arn],
        detail=detail if status is None else {**detail, "ModelCardStatus": status},
        group_key=at.arn,
        now=now,
    )


def group_changed(tx: Transaction, at: GroupName, change: str, now: float, **more: Any) -> None:
    """A group was created or deleted, or its tags or policy changed."""
    outbox.publish(
        tx,
        source=OUR_SOURCE,
        detail_type=GROUP_CHANGE,
        account=at.account,
        region=at.region,
        resources=[at.arn],
        detail={"ModelPackageGroupName": at.name, "ModelPackageGroupArn": at.arn, "Change": change, **more},
        group_key=history.package_group_key(at.account, at.region, at.folded),
        now=now,
    )


def _key(at: PackageName) -> str:
    return history.package_group_key(at.account, at.region, at.folded) if at.version else at.arn


def _publish_package(tx: Transaction, at: PackageName, detail: Document, now: float) -> None:
    outbox.publish(
        tx,
        source=AWS_SOURCE,
        detail_type=PACKAGE_CHANGE,
        account=at.account,
        region=at.region,
        resources=[at.arn],
        detail=detail,
        group_key=_key(at),
        now=now,
    )


def _detail(document: Document) -> dict[str, Any]:
    """The answer of Describe with its times as texts."""
    detail = dict(document)
    for member in TIMES:
        if member in detail:
            moment = datetime.fromtimestamp(detail[member], UTC)
            detail[member] = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return detail
