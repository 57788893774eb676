"""Search and its suggestions of property names."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import orjson

from modelyard.access.permission import Permission, Resource
from modelyard.aws.errors import ValidationException
from modelyard.aws.http import Document
from modelyard.aws.models import installed_models, read_model
from modelyard.aws.services import KNOWN
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, Permissions, operations_of
from modelyard.dispatch.tags import to_list
from modelyard.registry import metadata, search, search_store
from modelyard.registry.operations.search_permissions import found_by, on_found
from modelyard.registry.pages import DEFAULT_SIZE
from modelyard.registry.search import Query
from modelyard.registry.search_documents import group_documents, package_documents
from modelyard.registry.search_expression import SearchError, parse, unknown_property
from modelyard.registry.search_item import Item
from modelyard.registry.search_property import MODIFIED
from modelyard.registry.search_schema import PropertyType, Schema, schema_of

operation = operations_of("sagemaker")
Request = dict[str, Any]

MOST_SUGGESTIONS = 100

_RECORD_MEMBERS = {
    "ExperimentTrial": "Trial",
    "ExperimentTrialComponent": "TrialComponent",
}
"""Where the member of a search record is not named as the kind of resource."""
_MORE = {"ModelPackage": {metadata.PREFIX: PropertyType.ANY}}
"""Properties that AWS does not have."""

search.register("ModelPackageGroup", group_documents)
search.register("ModelPackage", package_documents)


def _on_everything(action: str) -> Permissions:
    """Suggestions tell of all resources: policies grant them on `*`."""

    def permissions(context: Context, request: Request) -> Iterable[Permission]:
        yield Permission(f"sagemaker:{action}", Resource("*", context.account))

    return permissions


@cache
def _schemas() -> Mapping[str, Schema]:
    """The schema of every kind of resource that the service model lets Search name."""
    service = next(known for known in KNOWN if known.name == "sagemaker")
    model = read_model(installed_models(), service)
    records = dict(model.members(model.shape({"shape": "SearchRecord"})))
    kinds = model.shape({"shape": "ResourceType"}).traits["enum"]
    members = {kind: _RECORD_MEMBERS.get(kind, kind) for kind in kinds}
    return {
        kind: schema_of(model, records[member].name, _MORE.get(kind, {})) for kind, member in members.items() if member in records
    }


def _schema(kind: str) -> Schema:
    if not search.is_searchable(kind) or kind not in _schemas():
        raise ValidationException(f"Resources of type {kind} are not searchable in this version of Modelyard.")
    return _schemas()[kind]


@operation("Search", mode=Mode.SLOW_READ, permissions=on_found)
def search_resources(context: Context, request: Request) -> Document:
    """One page of the resources that match an expression and that the caller may find."""
    kind = request["Resource"]
    schema = _schema(kind)
    try:
        query = _query(context, request, schema)
    except SearchError as error:
        raise ValidationException(str(error)) from None
    if request.get("CrossAccountFilterOption") == "CrossAccount":
        # Nothing is made discoverable to other accounts here: there is no resource share (RAM) to do it with.
        return Document(b'{"Results":[]}')
    found = search.find(context.tx, query)
    member = _RECORD_MEMBERS.get(kind, kind)
    answer: Request = {"Results": [{member: _result(item, document, schema)} for item, document in found.results]}
    if found.next is not None:
        answer["NextToken"] = context.tokens.seal(_fingerprint(context, request), found.next)
    return Document(orjson.dumps(answer))


def _query(context: Context, request: Request, schema: Schema) -> Query:
    sort_by = request.get("SortBy", MODIFIED)
    sort_type = schema.type_of(sort_by)
    if sort_type is None:
        raise unknown_property(sort_by)
    if sort_type is PropertyType.ANY:
        raise SearchError(f"Results cannot be sorted by {sort_by}, whose values may be texts and numbers.")
    return Query(
        kind=request["Resource"],
        account=context.account,
        region=context.region,
        expression=parse(request["SearchExpression"], schema) if "SearchExpression" in request else None,
        sort_by=sort_by,
        sort_type=sort_type,
        descending=request.get("SortOrder", "Descending") == "Descending",
        after=context.tokens.open(request["NextToken"], _fingerprint(context, request)) if "NextToken" in request else None,
        size=request.get("MaxResults", DEFAULT_SIZE),
        visible=_visible(request.get("VisibilityConditions", ())),
        permitted=found_by(context, request["Resource"]),
    )


def _visible(conditions: Sequence[Mapping[str, str]]) -> Callable[[Item], bool]:
    """Whether a resource passes the conditions: of the tags they name it has none, or has one of the values they give."""
    wanted: dict[str, set[str]] = {}
    for condition in conditions:
        key = condition.get("Key", "")
        if not key.startswith("Tags.") or key == "Tags.":
            raise SearchError(f"The key of a visibility condition must have the form Tags.<key>, not {key}.")
        wanted.setdefault(key.removeprefix("Tags."), set()).add(condition.get("Value", ""))
    if not wanted:
        return lambda item: True
    return lambda item: all(item.tags.get(key) in {None, *values} for key, values in wanted.items())


def _result(item: Item, document: Request, schema: Schema) -> Request:
    """A search result: what Describe answers, as far as the shape of the result has it, and the tags."""
    result = {member: value for member, value in document.items() if member in schema.members}
    if item.tags and "Tags" in schema.members:
        result["Tags"] = to_list(item.tags)
    return result


def _fingerprint(context: Context, request: Request) -> Request:
    """What has to be the same from page to page."""
    query = {name: value for name, value in request.items() if name not in ("NextToken", "MaxResults")}
    return {"operation": "Search", "account": context.account, "region": context.region, **query}


@operation("GetSearchSuggestions", mode=Mode.READ, permissions=_on_everything("GetSearchSuggestions"))
def get_search_suggestions(context: Context, request: Request) -> Request:
    """Names of properties that resources of a kind have, and that begin with the hint."""
    kind = request["Resource"]
    schema = _schema(kind)
    hint = request.get("SuggestionQuery", {}).get("PropertyNameQuery", {}).get("PropertyNameHint", "")
    space_id = search_store.find_space(context.tx, kind, context.account, context.region)
    names = search_store.names_that_begin(context.tx, space_id, hint, MOST_SUGGESTIONS)
    return {"PropertyNameSuggestions": [{"PropertyName": name} for name in names if schema.type_of(name)]}
