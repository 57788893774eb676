"""What artifacts, actions and contexts have in common: make, describe, update, delete, list."""

from typing import Any

from modelyard.aws.errors import ResourceNotFound, ValidationException
from modelyard.dispatch.context import Context
from modelyard.dispatch.seeing import Seeing, filled
from modelyard.dispatch.tags import forget_tags, from_list, put_tags
from modelyard.lineage import entity, pages, store, store_graph
from modelyard.lineage.entity import EntityName, Kind
from modelyard.lineage.following import follow
from modelyard.lineage.permissions import list_of, request_at, user_context
from modelyard.lineage.store import Kept

Request = dict[str, Any]


def existing(context: Context, at: EntityName) -> Kept:
    """The entity, or AWS's error that there is none."""
    found = store.entity(context.tx, at) if at.region == context.region else None
    if found is None:
        raise ResourceNotFound(f"{at.kind.member} '{at.arn}' does not exist.")
    return found


def to_change(context: Context, at: EntityName) -> Kept:
    """The entity that a WRITE is about, which an event may tell of that was not read yet."""
    if store.entity_id(context.tx, at) is None:
        follow(context.tx)
    return existing(context, at)


def create(context: Context, at: EntityName, request: Request, name: str | None) -> Request:
    """Make an entity. Raises ValidationException when there is one already."""
    follow(context.tx)
    kind = at.kind
    if kind is Kind.ARTIFACT:
        uri = request["Source"]["SourceUri"]
        number = store.id_by_source(context.tx, at, uri)
        if number is not None:
            raise ValidationException(
                "There can be only one artifact with a unique SourceUri within an AWS account and region."
                f" Artifact with SourceUri ({uri}) already exists."
            )
    elif store.entity_id(context.tx, at) is not None:
        raise ValidationException(
            f"{kind.member} names must be unique within an AWS account and region."
            f" {kind.member} with name ({name}) already exists."
        )
    made = entity.new(at, request[f"{kind.member}Type"], request, user_context(context), context.now, name)
    store.add(context.tx, made)
    put_tags(context.tx, at.arn, from_list(request.get("Tags", [])))
    return {f"{kind.member}Arn": at.arn}


def describe(context: Context, kind: Kind, request: Request) -> Request:
    """One entity."""
    return existing(context, request_at(context, kind, request)).entity.document


def update(context: Context, kind: Kind, request: Request) -> Request:
    """Change what may change of an entity."""
    found = to_change(context, request_at(context, kind, request))
    document = entity.updated(found.entity.document, request, user_context(context), context.now)
    store.update(context.tx, found.id, document)
    return {f"{kind.member}Arn": found.entity.at.arn}


def delete(context: Context, kind: Kind, request: Request) -> Request:
    """Remove an entity that is not associated with others."""
    found = to_change(context, request_at(context, kind, request))
    arn = found.entity.at.arn
    if store_graph.is_associated(context.tx, found.id):
        raise ValidationException(f"{kind.member} '{arn}' cannot be deleted because it has associations: delete those first.")
    store.delete(context.tx, found.id)
    forget_tags(context.tx, arn)
    return {f"{kind.member}Arn": arn}


def listed(context: Context, kind: Kind, request: Request) -> Request:
    """A page of the entities that the caller may list, newest first unless asked for otherwise."""
    name = f"List{kind.member}s"
    page = pages.page(context, name, request)
    by_name = request.get("SortBy") == "Name"
    filters = dict(request)
    if f"{kind.member}Type" in request:
        filters["Type"] = request[f"{kind.member}Type"]
    found, then = filled(
        page,
        Seeing(context, list_of(context, name, kind)),
        lambda part: store.entities(context.tx, context.account, context.region, kind, filters, part, by_name=by_name),
        lambda kept: (kept.entity.at.arn,),
        lambda kept: [kept.entity.at.handle if by_name else kept.entity.document["CreationTime"], kept.id],
    )
    answer: Request = {f"{kind.member}Summaries": [entity.summary(kept.entity) for kept in found]}
    if then is not None:
        answer["NextToken"] = pages.token(context, name, request, then)
    return answer
