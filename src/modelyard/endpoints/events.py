"""What hosting tells the world: AWS's event of models, and one of our own to the account whose package a model is made of.

AWS documents that `SageMaker Model State Change` comes when a model is made and when it is deleted, and not what its detail says:
ours has what DescribeModel answers, without environments, since those may hold secrets.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from modelyard.endpoints.model import Name, Runnable
from modelyard.events import outbox
from modelyard.events.history import package_group_key
from modelyard.storage.interface import Transaction

MODEL_CHANGE = "SageMaker Model State Change"
USE_CHANGE = "Model Package Use Change"
CREATED, DELETED = "Created", "Deleted"
_PACKAGE = re.compile(r"arn:aws:sagemaker:([^:]*):([^:]*):model-package/([^/]+)(?:/[0-9]+)?")


def model_changed(
    tx: Transaction, at: Name, document: Mapping[str, Any], containers: Iterable[Runnable], change: str, by: str, now: float
) -> None:
    """A model was made or deleted, by somebody of this ARN."""
    packages = sorted({container.package_arn for container in containers if container.package_arn is not None})
    told = {"Change": change, "ChangedBy": by}
    detail = {**_shown(document), **told, "ModelPackageArns": packages}
    outbox.publish(
        tx,
        source="aws.sagemaker",
        detail_type=MODEL_CHANGE,
        account=at.account,
        region=at.region,
        resources=[at.arn],
        detail=detail,
        group_key=at.arn,
        now=now,
    )
    for package in packages:
        _tell_owner(tx, package, at, {**told, "ModelCreationTime": detail["CreationTime"]}, now)


def _tell_owner(tx: Transaction, package: str, at: Name, told: Mapping[str, Any], now: float) -> None:
    """Tell the account of a package, in the order of the changes of its group."""
    account, region, group_key = owner_of_package(package)
    outbox.publish(
        tx,
        source="modelyard",
        detail_type=USE_CHANGE,
        account=account,
        region=region,
        resources=[package, at.arn],
        detail={"ModelPackageArn": package, "ModelArn": at.arn, "ModelName": at.name, **told},
        group_key=group_key,
        now=now,
    )


def owner_of_package(package: str) -> tuple[str, str, str]:
    """Account and region of a package, and in whose order its events come."""
    found = _PACKAGE.fullmatch(package)
    assert found is not None, "packages are known by the ARNs that the registry gave them"
    region, account, name = found.groups()
    return account, region, package_group_key(account, region, name) if package.count("/") > 1 else package


def _shown(document: Mapping[str, Any]) -> dict[str, Any]:
    shown = dict(document)
    moment = datetime.fromtimestamp(shown["CreationTime"], UTC)
    shown["CreationTime"] = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if "PrimaryContainer" in shown:
        shown["PrimaryContainer"] = _without_environment(shown["PrimaryContainer"])
    if "Containers" in shown:
        shown["Containers"] = [_without_environment(container) for container in shown["Containers"]]
    return shown


def _without_environment(container: Mapping[str, Any]) -> dict[str, Any]:
    return {member: value for member, value in container.items() if member != "Environment"}
