"""Pages of the lists of hosting, newest first unless a request says otherwise."""

from typing import Any

from modelyard.dispatch.context import Context
from modelyard.dispatch.seeing import Seeing, filled
from modelyard.endpoints import store
from modelyard.endpoints.permissions import list_of
from modelyard.endpoints.store import Page

Request = dict[str, Any]

DEFAULT_SIZE = 100


def listed(context: Context, operation: str, kind: str, request: Request, member: str) -> Request:
    """The answer of a list: what of a kind the caller may see. Raises ValidationException for a NextToken from elsewhere."""
    asked = _page(context, operation, request)
    found, then = filled(
        asked,
        Seeing(context, list_of(context, operation, kind)),
        lambda page: store.page_of(context.tx, context.account, context.region, kind, request, page),
        lambda one: (next(value for name, value in one.summary.items() if name.endswith("Arn")),),
        lambda one: [one.folded if asked.by_name else one.created, one.id],
    )
    answer: Request = {member: [one.summary for one in found]}
    if then is not None:
        answer["NextToken"] = context.tokens.seal(_fingerprint(context, operation, request), then)
    return answer


def _page(context: Context, operation: str, request: Request) -> Page:
    after = None
    if "NextToken" in request:
        after = context.tokens.open(request["NextToken"], _fingerprint(context, operation, request))
    descending = request.get("SortOrder", "Descending") == "Descending"
    return Page(after, request.get("SortBy") == "Name", descending, request.get("MaxResults", DEFAULT_SIZE))


def _fingerprint(context: Context, operation: str, request: Request) -> Request:
    query = {name: value for name, value in request.items() if name not in ("NextToken", "MaxResults")}
    return {"operation": operation, "account": context.account, "region": context.region, **query}
