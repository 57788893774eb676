"""Model packages: register, describe, update (approve, reject, annotate), delete."""

from collections.abc import Iterable
from typing import Any

import orjson

from modelyard.access.evaluation import decide
from modelyard.access.permission import Permission, Resource
from modelyard.access.roles import pass_role
from modelyard.aws.arns import Arn
from modelyard.aws.errors import ConflictException, ValidationException
from modelyard.aws.http import Document
from modelyard.dispatch import version_use
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.dispatch.recording import note_refusal
from modelyard.dispatch.resources import finds
from modelyard.dispatch.tags import forget_tags, from_list, put_tags, tags_of
from modelyard.registry import events, governance_store, metadata, model_package, search_store, store
from modelyard.registry.group import Group
from modelyard.registry.model_package import Package, PackageName, RuleBroken
from modelyard.registry.names import NotAName, package_name
from modelyard.registry.operations import contracts, decisions, metadata_revisions, pinning, preparation, validated
from modelyard.registry.operations.decisions import Settled
from modelyard.registry.operations.groups import existing as existing_group
from modelyard.registry.operations.preparation import Prepared
from modelyard.registry.permissions import (
    created_by,
    creation,
    group_at,
    on_package,
    package_at,
    package_resource,
    within_group,
)

operation = operations_of("sagemaker")
KIND = "ModelPackage"
Request = dict[str, Any]


def existing(context: Context, at: PackageName) -> Package:
    """The package, or AWS's error that there is none."""
    found = store.package(context.tx, at)
    if found is None:
        raise ValidationException(f"ModelPackage {at.arn} does not exist.")
    return found


def _creation(context: Context, request: Request) -> Iterable[Permission]:
    if "ModelPackageGroupName" in request and "ModelPackageName" in request:
        raise ValidationException(
            "Both ModelPackageName and ModelPackageGroupName are provided in the input. Cannot determine which one to use."
        )
    if "ModelPackageGroupName" in request:
        at = group_at(context, request["ModelPackageGroupName"])
        # Not the number that the version will have: a refusal would tell other accounts how many there are.
        resource = within_group(context, at, "*")
    elif "ModelPackageName" in request:
        package = package_at(context, request["ModelPackageName"])
        resource = Resource(package.arn, package.account)
    else:
        raise ValidationException("Missing ARN.")
    yield from creation(context, "CreateModelPackage", resource, request)
    if "ValidationSpecification" in request:
        yield pass_role(context.tx, request["ValidationSpecification"]["ValidationRole"], "sagemaker.amazonaws.com")


@operation(
    "CreateModelPackage",
    mode=Mode.WRITE,
    permissions=_creation,
    prepare=preparation.prepare,
    prepares=preparation.needed,
)
def create_model_package(context: Context, request: Request) -> Request:
    """Register the next version of a group, or an unversioned package."""
    request = _with_source(context, request)
    if "ModelPackageGroupName" in request:
        group = existing_group(context, group_at(context, request["ModelPackageGroupName"]))
        return {"ModelPackageArn": _register_version(context, request, group)}
    return {"ModelPackageArn": _register_unversioned(context, request)}


def _register_version(context: Context, request: Request, group: Group) -> str:
    if request.get("Tags"):
        raise ValidationException(
            "Tags cannot be specified for a model package that belongs to a model package group: it uses the tags of the group."
        )
    version, created = store.take_next_version(context.tx, group.id, context.now)
    at = PackageName(group.at.account, group.at.region, group.at.folded, version)
    return _keep(context, request, at, group, created)


def _register_unversioned(context: Context, request: Request) -> str:
    at = package_at(context, request["ModelPackageName"])
    if store.package(context.tx, at) is not None:
        raise ValidationException(f"ModelPackage already exists: {at.arn}")
    for container in request.get("InferenceSpecification", {}).get("Containers", []):
        if container.get("Environment"):
            raise ValidationException(
                "1 validation errors detected:Environment variable map cannot be specified when using non-versioned ModelPackages"
            )
    return _keep(context, request, at, None, context.now)


def _keep(context: Context, request: Request, at: PackageName, group: Group | None, created: float) -> str:
    found = preparation.prepared(context, request)
    rules = governance_store.rules(context.tx, group.id) if group is not None and group.governed else {}
    settled = Settled(request)
    if group is not None:
        settled = decisions.of_registration(context, group.at.name, rules, request, found.figures)
    document = _new_document(context, settled, at, None if group is None else group.at.name, created)
    records = pinning.pin_new(context, at.arn, document, found)
    contracts.check_registration(rules, document, found.metadata, found.figures)
    tags = from_list(request.get("Tags", []))
    package_id = store.add_package(context.tx, at, None if group is None else group.id, document, found.figures)
    if tags:
        put_tags(context.tx, at.arn, tags)
    pinning.keep(context, package_id, records)
    validated.begin(context, package_id, at.arn, document)
    decisions.keep(context, package_id, at.arn, settled)
    searchable = metadata_revisions.keep_first(context, package_id, found.metadata)
    _index(context, at, document, found.figures, tags, created, searchable)
    events.package_changed(context.tx, at, document, context.now)
    return at.arn


def _new_document(context: Context, settled: Settled, at: PackageName, group: str | None, created: float) -> Request:
    try:
        document = model_package.new_document(at, group, settled.request, created_by(context), created)
    except RuleBroken as error:
        raise ValidationException(str(error)) from None
    if settled.description is not None:
        document["ApprovalDescription"] = settled.description
    return document


def _with_source(context: Context, request: Request) -> Request:
    """Take over what the package or model behind SourceUri says; any other text is kept as it is."""
    source = request.get("SourceUri", "")
    if not source.startswith("arn:") or "InferenceSpecification" in request:
        return request
    resource = source.split(":", 5)[-1]
    if resource.startswith("model/"):
        containers = _containers_of_model(context, source, resource)
        return {**request, "InferenceSpecification": {"Containers": containers}} if containers else request
    try:
        package_name(source, context.account, context.region)
    except NotAName:
        return request
    document = context.call("sagemaker", "DescribeModelPackage", {"ModelPackageName": source})
    return model_package.clone(document, request)


def _containers_of_model(context: Context, arn: str, resource: str) -> list[Request]:
    """What a model of the caller's account runs, without packages in it: in their place are the containers that these have."""
    if not arn.startswith(f"arn:aws:sagemaker:{context.region}:{context.account}:"):
        return []
    model = context.call("sagemaker", "DescribeModel", {"ModelName": resource.removeprefix("model/")})
    found: list[Request] = []
    for container in model.get("Containers") or [model["PrimaryContainer"]]:
        name = container.get("ModelPackageName")
        if name is None:
            found.append(model_package.of_model(container))
        else:
            package = context.call("sagemaker", "DescribeModelPackage", {"ModelPackageName": name})
            specified = model_package.specified(package, container.get("InferenceSpecificationName"))
            found += [model_package.of_model(container, one) for one in specified]
    return found


@operation("DescribeModelPackage", mode=Mode.READ, permissions=on_package("DescribeModelPackage"))
def describe_model_package(context: Context, request: Request) -> Document:
    """One package, by its name or ARN."""
    at = package_at(context, request["ModelPackageName"])
    document = store.package_document(context.tx, at)
    if document is None:
        raise ValidationException(f"ModelPackage {at.arn} does not exist.")
    if request.get("IncludedData") == "MetadataOnly":
        document = orjson.dumps(model_package.without_card_content(orjson.loads(document))).decode()
    if at.version:
        # The service model requires a name in this answer, and sagemaker-core deletes and refreshes by it: the ARN serves both.
        document = f'{{"ModelPackageName":"{at.arn}",{document[1:]}'
    return Document(document.encode())


@operation(
    "UpdateModelPackage",
    mode=Mode.WRITE,
    permissions=on_package("UpdateModelPackage", "ModelPackageArn"),
    prepare=preparation.prepare,
    prepares=preparation.needed,
)
def update_model_package(context: Context, request: Request) -> Request:
    """Approve, reject, annotate or extend a version."""
    found = existing(context, package_at(context, request["ModelPackageArn"]))
    if found.group_id is None:
        raise ValidationException(
            f"Unversioned model package {found.at.arn} cannot be updated: only versions of a model package group can."
        )
    prepared = preparation.prepared(context, request)
    if request.get("SourceUri") and "InferenceSpecification" not in found.document:
        request = _with_source(context, request)
    rules = governance_store.rules(context.tx, found.group_id)
    settled = decisions.of_update(context, rules, found, request)
    try:
        document = model_package.updated(found.document, settled.request, created_by(context), context.now)
    except RuleBroken as error:
        raise ValidationException(str(error)) from None
    _pin_changed(context, found, request, document, prepared)
    contracts.check_update(context, rules, found, request, document, prepared.metadata)
    store.update_package(context.tx, found.id, document)
    if prepared.metadata is not None:
        found = metadata_revisions.keep_next(context, found, prepared.metadata)
    decisions.keep(context, found.id, found.at.arn, settled)
    reindex(context, found, document, context.now)
    events.package_changed(context.tx, found.at, document, context.now, settled.request)
    return {"ModelPackageArn": found.at.arn}


def _pin_changed(context: Context, found: Package, request: Request, document: Request, prepared: Prepared) -> None:
    """Pin what an update lets a version name from now on."""
    replaced = "InferenceSpecification" in request
    if replaced or "AdditionalInferenceSpecificationsToAdd" in request:
        before = governance_store.integrity(context.tx, found.id)
        records = pinning.pin_changed(context, found.at.arn, document, prepared, before, replaced=replaced)
        pinning.keep(context, found.id, records)


@operation("DeleteModelPackage", mode=Mode.WRITE, permissions=on_package("DeleteModelPackage"))
def delete_model_package(context: Context, request: Request) -> Request:
    """Remove a package that nothing serves. The number of a version is never given again."""
    found = existing(context, package_at(context, request["ModelPackageName"]))
    users = version_use.serving(context.tx, found.at.arn)
    if users:
        own = [arn for arn in users if Arn.parse(arn).account == context.account]
        what = ", ".join(own[:5]) if own else "an endpoint of another account"
        raise ConflictException(
            f"ModelPackage {found.at.arn} cannot be deleted because it is served by {what}. Update or delete that first;"
            " `modelyard endpoints delete-version` deletes it all the same."
        )
    return _deleted(context, found)


def _deleted(context: Context, found: Package) -> Request:
    pinning.unpin(context, found.at.arn)
    validated.abandon(context, found.id)
    store.delete_package(context.tx, found.id)
    forget_tags(context.tx, found.at.arn)
    search_store.forget(context.tx, KIND, found.at.account, found.at.region, found.at.arn)
    events.package_deleted(context.tx, found.at, found.document, context.now)
    return {}


def _deletion(context: Context, request: Request) -> Iterable[Permission]:
    resource = package_resource(context, package_at(context, request["ModelPackageArn"]))
    yield Permission("modelyard:DeleteServingVersion", resource)
    yield Permission("sagemaker:DeleteModelPackage", resource)


@operations_of("modelyard")("DeleteServingVersion", mode=Mode.WRITE, permissions=_deletion)
def delete_serving_version(context: Context, request: Request) -> Request:
    """Remove a package, whatever serves it: what does holds on to its bytes by itself."""
    return _deleted(context, existing(context, package_at(context, request["ModelPackageArn"])))


def _nothing(context: Context, request: Request) -> Iterable[Permission]:
    return ()


@operation("BatchDescribeModelPackage", mode=Mode.SLOW_READ, permissions=_nothing)
def batch_describe_model_package(context: Context, request: Request) -> Request:
    """Up to a hundred versions; what cannot be shown is told by its ARN, and each is authorised for itself."""
    answer: Request = {"ModelPackageSummaries": {}, "BatchDescribeModelPackageErrorMap": {}}
    for arn in request["ModelPackageArnList"]:
        refusal = _describe_in_batch(context, arn, answer["ModelPackageSummaries"])
        if refusal is not None:
            answer["BatchDescribeModelPackageErrorMap"][arn] = {"ErrorCode": refusal[0], "ErrorResponse": refusal[1]}
    return answer


def _describe_in_batch(context: Context, arn: str, summaries: Request) -> tuple[str, str] | None:
    """Add one summary, or say with code and text why not."""
    try:
        at = package_name(arn, context.account, context.region)
    except NotAName as error:
        return "ValidationException", str(error)
    permission = Permission("sagemaker:BatchDescribeModelPackage", package_resource(context, at))
    decision = decide(context.principal, permission, context.facts)
    if not decision.allowed:
        note_refusal(context, {"ModelPackageArnList": [arn]}, permission, decision)
        return "AccessDeniedException", decision.message
    found = store.package(context.tx, at)
    if found is None:
        return "ValidationException", f"ModelPackage {at.arn} does not exist."
    if found.group_id is None:
        return "ValidationException", f"{at.arn} is not a version of a model package group."
    summaries[arn] = model_package.summary(found.document, model_package.BATCH_SUMMARY)
    return None


def _index(
    context: Context,
    at: PackageName,
    document: Request,
    figures: dict[str, float],
    tags: dict[str, str],
    modified: float,
    searchable: Request,
) -> None:
    search_store.index(
        context.tx,
        KIND,
        at.account,
        at.region,
        at.arn,
        {**document, metadata.MEMBER: searchable} if searchable else document,
        tags,
        metrics=figures,
        created=document["CreationTime"],
        modified=modified,
    )


def reindex(context: Context, found: Package, document: Request, modified: float) -> None:
    """Let Search see a package as it now is."""
    tags = tags_of(context.tx, found.at.arn)
    searchable = {}
    if found.metadata_revision:
        searchable = governance_store.searchable_metadata(context.tx, found.id, found.metadata_revision)
    _index(context, found.at, document, dict(found.metrics), tags, modified, searchable)


def reindex_tags(context: Context, at: PackageName) -> None:
    """Let Search see the tags of a package as they now are."""
    found = existing(context, at)
    reindex(context, found, found.document, found.document.get("LastModifiedTime", found.created))


@finds("sagemaker", "model-package")
def find_package(context: Context, arn: Arn) -> Resource | None:
    """A package by its ARN, for the operations that take any ARN."""
    at = package_at(context, str(arn))
    return package_resource(context, at) if store.package_document(context.tx, at) else None
