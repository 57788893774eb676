"""Metadata contracts of groups, and the metadata of versions."""

from typing import Any

from modelyard.aws.errors import ResourceNotFound, ValidationException
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.registry import events, governance_store, metadata, metadata_contract, pages
from modelyard.registry.governance_store import Rule
from modelyard.registry.group import GroupName
from modelyard.registry.operations import contracts, metadata_revisions
from modelyard.registry.operations.groups import existing as existing_group
from modelyard.registry.operations.packages import existing as existing_package
from modelyard.registry.operations.packages import reindex
from modelyard.registry.permissions import group_at, on_group, on_package, package_at

operation = operations_of("modelyard")
Request = dict[str, Any]
LIST = "modelyard:ListVersionMetadata"
NO_END = 2**62


@operation("PutMetadataContract", mode=Mode.WRITE, permissions=on_group("PutMetadataContract", service="modelyard"))
def put_metadata_contract(context: Context, request: Request) -> Request:
    """Let a group ask this of every version that is registered from now on."""
    found = existing_group(context, group_at(context, request["ModelPackageGroupName"]))
    try:
        metadata_contract.check(request["Schema"])
    except metadata_contract.MalformedContract as error:
        raise ValidationException(f"This schema cannot be a metadata contract: {error}") from None
    document = {"Schema": request["Schema"], "LastModifiedTime": context.now, "LastModifiedBy": context.principal.arn}
    governance_store.put_rule(context.tx, found.id, Rule.CONTRACT, document)
    events.group_changed(context.tx, found.at, "MetadataContractPut", context.now)
    return {"ModelPackageGroupArn": found.arn}


@operation("GetMetadataContract", mode=Mode.READ, permissions=on_group("GetMetadataContract", service="modelyard"))
def get_metadata_contract(context: Context, request: Request) -> Request:
    """The contract of a group, as it was given."""
    found = existing_group(context, group_at(context, request["ModelPackageGroupName"]))
    return {"ModelPackageGroupArn": found.arn, **_contract(context, found.id, found.arn)}


@operation("DeleteMetadataContract", mode=Mode.WRITE, permissions=on_group("DeleteMetadataContract", service="modelyard"))
def delete_metadata_contract(context: Context, request: Request) -> Request:
    """Let a group ask nothing."""
    found = existing_group(context, group_at(context, request["ModelPackageGroupName"]))
    _contract(context, found.id, found.arn)
    governance_store.delete_rule(context.tx, found.id, Rule.CONTRACT)
    events.group_changed(context.tx, found.at, "MetadataContractDeleted", context.now)
    return {}


def _contract(context: Context, group_id: int, arn: str) -> Request:
    document = governance_store.rules(context.tx, group_id).get(Rule.CONTRACT)
    if document is None:
        raise ResourceNotFound(f"{arn} has no metadata contract.")
    return document


@operation(
    "PutVersionMetadata", mode=Mode.WRITE, permissions=on_package("PutVersionMetadata", "ModelPackageArn", service="modelyard")
)
def put_version_metadata(context: Context, request: Request) -> Request:
    """Let a version, or an unversioned package, carry this document; the ones before stay as earlier revisions."""
    found = existing_package(context, package_at(context, request["ModelPackageArn"]))
    try:
        document = metadata.parse(request["Document"])
    except metadata.NotMetadata as error:
        raise ValidationException(str(error)) from None
    expected = request.get("ExpectedRevision", found.metadata_revision)
    if expected != found.metadata_revision:
        raise ValidationException(
            f"The metadata of {found.at.arn} is at revision {found.metadata_revision}, and not at {expected}: "
            "someone else has changed it."
        )
    if found.group_id is not None:
        contracts.check_metadata(context, governance_store.rules(context.tx, found.group_id), found, document)
    kept = metadata_revisions.keep_next(context, found, document)
    reindex(context, kept, found.document, found.document.get("LastModifiedTime", found.created))
    if found.group_id is not None:
        group = GroupName(found.at.account, found.at.region, found.document["ModelPackageGroupName"])
        events.group_changed(context.tx, group, "MetadataPut", context.now, ModelPackageArn=found.at.arn)
    return {"ModelPackageArn": found.at.arn, "Revision": kept.metadata_revision}


@operation(
    "GetVersionMetadata", mode=Mode.READ, permissions=on_package("GetVersionMetadata", "ModelPackageArn", service="modelyard")
)
def get_version_metadata(context: Context, request: Request) -> Request:
    """The newest document of a version, or an earlier revision."""
    found = existing_package(context, package_at(context, request["ModelPackageArn"]))
    number = request.get("Revision", found.metadata_revision)
    revision = governance_store.metadata(context.tx, found.id, number)
    if revision is None:
        what = f"no metadata of revision {number}" if found.metadata_revision else "no metadata"
        raise ResourceNotFound(f"{found.at.arn} has {what}.")
    return {
        "ModelPackageArn": found.at.arn,
        "Revision": revision.number,
        "Document": revision.document,
        "CreationTime": revision.created,
        "CreatedBy": revision.author,
    }


@operation(
    "ListVersionMetadata",
    mode=Mode.SLOW_READ,
    permissions=on_package("ListVersionMetadata", "ModelPackageArn", service="modelyard"),
)
def list_version_metadata(context: Context, request: Request) -> Request:
    """The revisions of a version's metadata, the newest first."""
    found = existing_package(context, package_at(context, request["ModelPackageArn"]))
    page = pages.page(context, LIST, request)
    before = NO_END if page.after is None else int(page.after[0])
    rows = governance_store.revisions(context.tx, found.id, before, page.size + 1)
    answer: Request = {
        "Revisions": [
            {"Revision": number, "CreationTime": created, "CreatedBy": author, "Size": size}
            for number, created, author, size in rows[: page.size]
        ]
    }
    if len(rows) > page.size:
        answer["NextToken"] = pages.token(context, LIST, request, [rows[page.size - 1][0]])
    return answer
