"""What the operations of lineage ask for, and how a request names entities."""

from collections.abc import Iterable, Mapping
from typing import Any

from modelyard.access.permission import Permission, Resource
from modelyard.aws.arns import Arn
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Permissions
from modelyard.dispatch.resources import finds
from modelyard.dispatch.tags import TagsOnDemand
from modelyard.lineage import store
from modelyard.lineage.entity import EntityName, Kind, artifact_at, named

Request = dict[str, Any]
KINDS = {kind.value: kind for kind in Kind}


def entity_at(context: Context, text: str, kind: Kind) -> EntityName:
    """The entity that a request names, by its name or its ARN."""
    if text.startswith("arn:"):
        return at_arn(Arn.parse(text)) or named(context.account, context.region, kind, text)
    return named(context.account, context.region, kind, text)


def at_arn(arn: Arn) -> EntityName | None:
    """The entity that an ARN names; None when it is that of something else."""
    kind, _, handle = arn.resource.partition("/")
    return EntityName(arn.account, arn.region, KINDS[kind], handle.lower()) if kind in KINDS else None


def resource(context: Context, at: EntityName) -> Resource:
    """An entity, with its tags."""
    return Resource(at.arn, at.account, TagsOnDemand(context.tx, at.arn))


def request_at(context: Context, kind: Kind, request: Request) -> EntityName:
    """The entity of a Describe, Update or Delete operation; an artifact also by its source."""
    if kind is not Kind.ARTIFACT:
        return entity_at(context, request[f"{kind.member}Name"], kind)
    if "ArtifactArn" in request:
        return entity_at(context, request["ArtifactArn"], kind)
    uri = request.get("Source", {}).get("SourceUri", "")
    found = [
        kept for kept in store.by_source(context.tx, context.account, context.region, uri, 10) if kept.entity.at.kind is kind
    ]
    return found[0].entity.at if found else artifact_at(context.account, context.region, uri)


def on_entity(action: str, kind: Kind) -> Permissions:
    """One action on the entity that a request names."""

    def permissions(context: Context, request: Request) -> Iterable[Permission]:
        yield Permission(f"sagemaker:{action}", resource(context, request_at(context, kind, request)))

    return permissions


def list_of(context: Context, action: str, kind: str) -> Permission:
    """Listing those of a kind in the caller's account that the caller may see."""
    listing = f"arn:aws:sagemaker:{context.region}:{context.account}:{kind}/"
    return Permission(f"sagemaker:{action}", Resource(f"{listing}*", context.account), listing=listing)


def on_all(action: str, kind: str) -> Permissions:
    """Listing those of a kind in the caller's account."""

    def permissions(context: Context, request: Request) -> Iterable[Permission]:
        yield list_of(context, action, kind)

    return permissions


def creation(kind: Kind) -> Permissions:
    """Making an entity: the action, and with tags also AddTags on what is made."""

    def permissions(context: Context, request: Request) -> Iterable[Permission]:
        if kind is Kind.ARTIFACT:
            at = artifact_at(context.account, context.region, request["Source"]["SourceUri"])
        else:
            at = named(context.account, context.region, kind, request[f"{kind.member}Name"])
        conditions = tag_conditions(request.get("Tags", []))
        action = f"Create{kind.member}"
        yield Permission(f"sagemaker:{action}", Resource(at.arn, at.account), conditions)
        if request.get("Tags"):
            yield Permission("sagemaker:AddTags", Resource(at.arn, at.account), {**conditions, "sagemaker:TaggingAction": action})

    return permissions


def tag_conditions(tags: Iterable[Mapping[str, str]]) -> dict[str, str | tuple[str, ...]]:
    """`aws:RequestTag/<key>` and `aws:TagKeys` of a request."""
    conditions: dict[str, str | tuple[str, ...]] = {f"aws:RequestTag/{tag['Key']}": tag["Value"] for tag in tags}
    if conditions:
        conditions["aws:TagKeys"] = tuple(tag["Key"] for tag in tags)
    return conditions


def on_arns(action: str, *members: str) -> Permissions:
    """One action on each entity whose ARN a request has, in these members."""

    def permissions(context: Context, request: Request) -> Iterable[Permission]:
        for member in members:
            given = request.get(member, [])
            for text in given if isinstance(given, list) else [given]:
                arn = Arn.parse(text)
                at = at_arn(arn)
                found = Resource(str(arn), arn.account) if at is None else resource(context, at)
                yield Permission(f"sagemaker:{action}", found)

    return permissions


def user_context(context: Context) -> dict[str, Any]:
    """The caller, as CreatedBy and LastModifiedBy show it."""
    identity = {"Arn": context.principal.arn, "PrincipalId": context.principal.unique_id}
    if context.principal.source_identity:
        identity["SourceIdentity"] = context.principal.source_identity
    return {"IamIdentity": identity}


def _find(context: Context, arn: Arn) -> Resource | None:
    """An entity by its ARN, for the operations that take any ARN."""
    at = at_arn(arn)
    return None if at is None or store.entity_id(context.tx, at) is None else resource(context, at)


for _kind in KINDS:
    finds("sagemaker", _kind)(_find)
