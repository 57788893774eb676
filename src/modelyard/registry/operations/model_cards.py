"""Model cards: create, describe, edit, approve, list, delete."""

from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from modelyard.access.permission import Permission, Resource
from modelyard.aws.arns import Arn
from modelyard.aws.errors import ConflictException, ResourceNotFound, ValidationException
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, Permissions, operations_of
from modelyard.dispatch.resources import finds
from modelyard.dispatch.seeing import Seeing, filled
from modelyard.dispatch.tags import TagsOnDemand, forget_tags, from_list, put_tags, tags_of
from modelyard.registry import events, model_card, model_card_content, pages, search, search_store
from modelyard.registry import model_card_store as store
from modelyard.registry.model_card import Card, CardName, NotACard, card_name
from modelyard.registry.model_card_content import ContentError
from modelyard.registry.permissions import created_by, creation, list_of, on_all
from modelyard.storage.interface import Transaction

operation = operations_of("sagemaker")
Request = dict[str, Any]
KIND = "ModelCard"
ARN_KIND = "model-card"
LIST = "ListModelCards"


def card_at(context: Context, text: str) -> CardName:
    """The card that a request names. Raises ValidationException for what is no card's name."""
    try:
        return card_name(text, context.account, context.region)
    except NotACard as error:
        raise ValidationException(str(error)) from None


def card_resource(context: Context, at: CardName) -> Resource:
    """A card, with its tags."""
    return Resource(at.arn, at.account, TagsOnDemand(context.tx, at.arn))


def on_card(action: str) -> Permissions:
    """One action on the card that a request names."""

    def permissions(context: Context, request: Request) -> Iterable[Permission]:
        yield Permission(f"sagemaker:{action}", card_resource(context, card_at(context, request["ModelCardName"])))

    return permissions


def existing(context: Context, at: CardName) -> Card:
    """The card, or the error that there is none."""
    found = store.card(context.tx, at)
    if found is None:
        raise ResourceNotFound(f"ModelCard {at.arn} does not exist.")
    return found


def version_of(tx: Transaction, found: Card, request: Request) -> Request:
    """The version of a card that a request asks for, the newest unless it says which."""
    wanted = request.get("ModelCardVersion", found.version)
    if wanted == found.version:
        return found.document
    document = store.version(tx, found.id, wanted)
    if document is None:
        raise ResourceNotFound(f"ModelCard {found.at.arn} does not have a version {wanted}.")
    return document


def _check(content: str) -> None:
    try:
        model_card_content.check(content)
    except ContentError as error:
        raise ValidationException(str(error)) from None


def _creation(context: Context, request: Request) -> Iterable[Permission]:
    at = card_at(context, request["ModelCardName"])
    return creation(context, "CreateModelCard", Resource(at.arn, at.account), request)


@operation("CreateModelCard", mode=Mode.WRITE, permissions=_creation)
def create_model_card(context: Context, request: Request) -> Request:
    """Make a card; its content is version 1."""
    at = card_at(context, request["ModelCardName"])
    if store.card(context.tx, at) is not None:
        raise ConflictException(f"ModelCard {at.arn} already exists.")
    _check(request["Content"])
    document = model_card.new_document(at, request, created_by(context), context.now)
    tags = from_list(request.get("Tags", []))
    store.add_card(context.tx, at, document)
    put_tags(context.tx, at.arn, tags)
    _index(context, at, document, tags)
    events.card_changed(context.tx, at, document, context.now)
    return {"ModelCardArn": at.arn}


@operation("DescribeModelCard", mode=Mode.READ, permissions=on_card("DescribeModelCard"))
def describe_model_card(context: Context, request: Request) -> Request:
    """A version of a card, the newest unless the request says which."""
    found = existing(context, card_at(context, request["ModelCardName"]))
    document = version_of(context.tx, found, request)
    if request.get("IncludedData") == "MetadataOnly":
        return {**document, "Content": model_card_content.metadata_only(document["Content"])}
    return document


@operation("UpdateModelCard", mode=Mode.WRITE, permissions=on_card("UpdateModelCard"))
def update_model_card(context: Context, request: Request) -> Request:
    """Edit a card, which makes its next version, or change its status, which does not."""
    found = existing(context, card_at(context, request["ModelCardName"]))
    if ("Content" in request) == ("ModelCardStatus" in request):
        raise ValidationException("Exactly one of Content and ModelCardStatus can be updated in a single call.")
    if "Content" in request:
        if found.archived:
            raise ConflictException("Model Card is in Archived state")
        _check(request["Content"])
        document = model_card.edited(found.document, request["Content"], created_by(context), context.now)
        store.add_version(context.tx, found.id, document, context.now)
    else:
        document = model_card.with_status(found.document, request["ModelCardStatus"], created_by(context), context.now)
        store.update_version(context.tx, found.id, document)
    _index(context, found.at, document, tags_of(context.tx, found.at.arn))
    events.card_changed(context.tx, found.at, document, context.now)
    return {"ModelCardArn": found.at.arn}


@operation("DeleteModelCard", mode=Mode.WRITE, permissions=on_card("DeleteModelCard"))
def delete_model_card(context: Context, request: Request) -> Request:
    """Remove a card with all its versions."""
    found = existing(context, card_at(context, request["ModelCardName"]))
    store.delete_card(context.tx, found.id)
    forget_tags(context.tx, found.at.arn)
    search_store.forget(context.tx, KIND, found.at.account, found.at.region, found.at.name)
    events.card_changed(context.tx, found.at, found.document, context.now, "Deleting")
    return {}


@operation(LIST, mode=Mode.SLOW_READ, permissions=on_all(LIST, ARN_KIND))
def list_model_cards(context: Context, request: Request) -> Request:
    """Cards of the account that the caller may list."""
    by_name = request.get("SortBy") == "Name"
    found, then = filled(
        pages.page(context, LIST, request, descending=True),
        Seeing(context, list_of(context, LIST, ARN_KIND)),
        lambda page: store.cards(context.tx, context.account, context.region, request, page, by_name=by_name),
        lambda one: (one.at.arn,),
        lambda one: [one.at.name if by_name else one.created, one.id],
    )
    answer: Request = {"ModelCardSummaries": [model_card.summary(one.document) for one in found]}
    if then is not None:
        answer["NextToken"] = pages.token(context, LIST, request, then)
    return answer


@operation("ListModelCardVersions", mode=Mode.SLOW_READ, permissions=on_card("ListModelCardVersions"))
def list_model_card_versions(context: Context, request: Request) -> Request:
    """The versions of a card."""
    found = existing(context, card_at(context, request["ModelCardName"]))
    page = pages.page(context, "ListModelCardVersions", request, descending=True)
    versions = store.versions(context.tx, found.id, request, page)
    shown = versions[: page.size]
    answer: Request = {"ModelCardVersionSummaryList": [model_card.version_summary(document, made) for made, document in shown]}
    if len(versions) > page.size:
        answer["NextToken"] = pages.token(context, "ListModelCardVersions", request, [shown[-1][1]["ModelCardVersion"]])
    return answer


def _index(context: Context, at: CardName, document: Request, tags: dict[str, str]) -> None:
    search_store.index(
        context.tx,
        KIND,
        at.account,
        at.region,
        at.name,
        _searched(document),
        tags,
        created=document["CreationTime"],
        modified=document["LastModifiedTime"],
    )


def reindex_card_tags(context: Context, at: CardName) -> None:
    """Let Search see the tags of a card as they now are."""
    _index(context, at, existing(context, at).document, tags_of(context.tx, at.arn))


@finds("sagemaker", ARN_KIND)
def find_card(context: Context, arn: Arn) -> Resource | None:
    """A card by its ARN, for the operations that take any ARN."""
    at = card_at(context, str(arn))
    return card_resource(context, at) if store.card(context.tx, at) else None


def _documents(tx: Transaction, account: str, region: str, names: Sequence[str]) -> dict[str, bytes]:
    """What Search shows of cards: what Describe answers, and some members out of the content."""
    found = store.documents(tx, account, region, names)
    return {name: orjson.dumps(_searched(document)) for name, document in found.items()}


def _searched(document: Request) -> Request:
    return {**document, **model_card_content.searchable(document["Content"])}


search.register(KIND, _documents)
