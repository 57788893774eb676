"""Pages of the lists of hosting, newest first unless a request says otherwise."""

from collections.abc import Callable
from typing import Any

from modelyard.dispatch.context import Context
from modelyard.dispatch.seeing import Seeing, filled
from modelyard.endpoints import store
from modelyard.endpoints.permissions import list_of
from modelyard.endpoints.store import Listed, Page

Request = dict[str, Any]

DEFAULT_SIZE = 100


def listed(
    context: Context,
    operation: str,
    kind: str,
    request: Request,
    member: str,
    read: Callable[[Page], list[Listed]],
    key: Callable[[Page, Listed], Any],
    size: int = DEFAULT_SIZE,
) -> Request:
    """The answer of a list: what of a kind the caller may see, `size` at once unless the request says how many.

    `read` finds the rows of a page, and one more when more follow; `key` is what they are sorted by. Raises
    ValidationException for a NextToken of another query, or from elsewhere.
    """
    asked = _page(context, operation, request, size)
    found, then = filled(
        asked,
        Seeing(context, list_of(context, operation, kind)),
        read,
        lambda one: (next(value for name, value in one.summary.items() if name.endswith("Arn")),),
        lambda one: [key(asked, one), one.id],
    )
    answer: Request = {member: [one.summary for one in found]}
    if then is not None:
        answer["NextToken"] = context.tokens.seal(_fingerprint(context, operation, request), then)
    return answer


def rows_of(context: Context, kind: str, request: Request) -> Callable[[Page], list[Listed]]:
    """Reads models, or endpoint configurations, of the caller's account."""
    return lambda page: store.page_of(context.tx, context.account, context.region, kind, request, page)


def by_name_or_time(page: Page, one: Listed) -> Any:
    """What models and endpoint configurations are sorted by."""
    return one.folded if page.by_name else one.created


def _page(context: Context, operation: str, request: Request, size: int) -> Page:
    after = None
    if "NextToken" in request:
        after = context.tokens.open(request["NextToken"], _fingerprint(context, operation, request))
    descending = request.get("SortOrder", "Descending") == "Descending"
    return Page(after, request.get("SortBy") == "Name", descending, request.get("MaxResults", size))


def _fingerprint(context: Context, operation: str, request: Request) -> Request:
    query = {name: value for name, value in request.items() if name not in ("NextToken", "MaxResults")}
    return {"operation": operation, "account": context.account, "region": context.region, **query}
