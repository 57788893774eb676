"""ListModelPackages: the versions of a group, or the packages of an account."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from modelyard.access.permission import Permission
from modelyard.aws.arns import Arn
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.dispatch.seeing import Seeing, filled
from modelyard.registry import pages, store
from modelyard.registry.operations.groups import existing as existing_group
from modelyard.registry.permissions import group_at, list_of, within_group
from modelyard.registry.store import Listed

operation = operations_of("sagemaker")
OPERATION = "ListModelPackages"


def _permission(context: Context, request: dict[str, Any]) -> Permission:
    if "ModelPackageGroupName" not in request:
        return list_of(context, OPERATION, "model-package")
    at = group_at(context, request["ModelPackageGroupName"])
    return Permission(f"sagemaker:{OPERATION}", within_group(context, at, "*"))


def _permissions(context: Context, request: dict[str, Any]) -> Iterable[Permission]:
    yield _permission(context, request)


def _seeing(context: Context, permission: Permission) -> Seeing:
    """A group is listed by who may list it as a whole; of its versions each may still be denied."""
    return Seeing(context, replace(permission, listing=permission.resource.arn.removesuffix("*")))


@operation(OPERATION, mode=Mode.SLOW_READ, permissions=_permissions)
def list_model_packages(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """One page. Without a group it lists unversioned packages, unless ModelPackageType says otherwise, as AWS does."""
    page, seeing = pages.page(context, OPERATION, request), _seeing(context, _permission(context, request))
    by_name = request.get("SortBy") == "Name"
    if "ModelPackageGroupName" in request:
        # All versions of a group have one name: in order of name they come in order of version, which is that of creation.
        group = existing_group(context, group_at(context, request["ModelPackageGroupName"]))
        wanted = request.get("NameContains", "").lower() in group.at.folded
        found, then = filled(
            page,
            seeing,
            lambda part: store.versions(context.tx, group.id, request, part) if wanted else [],
            _names,
            _last_version,
        )
    else:
        found, then = filled(
            page,
            seeing,
            lambda part: store.packages(context.tx, context.account, context.region, request, part, by_name=by_name),
            _names,
            _last_by_name if by_name else _last_by_time,
        )
    answer: dict[str, Any] = {"ModelPackageSummaryList": [package.summary for package in found]}
    if then is not None:
        answer["NextToken"] = pages.token(context, OPERATION, request, then)
    return answer


def _names(package: Listed) -> tuple[str, ...]:
    """The ARN of a package; for a version also that of its group, whose tags count before its own."""
    arn: str = package.summary["ModelPackageArn"]
    if not package.version:
        return (arn,)
    group = Arn.parse(arn)
    return arn, str(replace(group, resource=f"model-package-group/{package.summary['ModelPackageGroupName']}"))


def _last_version(package: Listed) -> list[Any]:
    return [package.created, package.version]


def _last_by_time(package: Listed) -> list[Any]:
    return [package.created, package.id]


def _last_by_name(package: Listed) -> list[Any]:
    return [package.folded, package.version]
