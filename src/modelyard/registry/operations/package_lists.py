"""ListModelPackages: the versions of a group, or the packages of an account."""

from collections.abc import Iterable
from typing import Any

from modelyard.access.permission import Permission, Resource
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.registry import pages, store
from modelyard.registry.operations.groups import existing as existing_group
from modelyard.registry.permissions import all_of, group_at, within_group
from modelyard.registry.store import Listed

operation = operations_of("sagemaker")
OPERATION = "ListModelPackages"


def _permissions(context: Context, request: dict[str, Any]) -> Iterable[Permission]:
    if "ModelPackageGroupName" in request:
        resource = within_group(context, group_at(context, request["ModelPackageGroupName"]), "*")
    else:
        resource = Resource(all_of(context, "model-package"), context.account)
    yield Permission("sagemaker:ListModelPackages", resource)


@operation(OPERATION, mode=Mode.SLOW_READ, permissions=_permissions)
def list_model_packages(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """One page. Without a group it lists unversioned packages, unless ModelPackageType says otherwise, as AWS does."""
    page = pages.page(context, OPERATION, request)
    by_name = request.get("SortBy") == "Name"
    if "ModelPackageGroupName" in request:
        # All versions of a group have one name: in order of name they come in order of version, which is that of creation.
        group = existing_group(context, group_at(context, request["ModelPackageGroupName"]))
        wanted = request.get("NameContains", "").lower() in group.at.folded
        found = store.versions(context.tx, group.id, request, page) if wanted else []
        last = _last_version
    else:
        found = store.packages(context.tx, context.account, context.region, request, page, by_name=by_name)
        last = _last_by_name if by_name else _last_by_time
    answer: dict[str, Any] = {
        "ModelPackageSummaryList": [package.summary for package in found[: page.size]],
    }
    if len(found) > page.size:
        answer["NextToken"] = pages.token(context, OPERATION, request, last(found[page.size - 1]))
    return answer


def _last_version(package: Listed) -> list[Any]:
    return [package.created, package.version]


def _last_by_time(package: Listed) -> list[Any]:
    return [package.created, package.id]


def _last_by_name(package: Listed) -> list[Any]:
    return [package.folded, package.version]
