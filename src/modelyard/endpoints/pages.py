"""Pages of the lists of hosting, newest first unless a request says otherwise."""

from collections.abc import Callable
from typing import Any

from modelyard.dispatch.context import Context
from modelyard.endpoints.store import Listed, Page

Request = dict[str, Any]

DEFAULT_SIZE = 100


def page(context: Context, operation: str, request: Request, size: int = DEFAULT_SIZE) -> Page:
    """The page that a request asks for, of `size` unless it says. Raises ValidationException for a NextToken of another query, or
    from elsewhere."""
    after = None
    if "NextToken" in request:
        after = context.tokens.open(request["NextToken"], _fingerprint(context, operation, request))
    descending = request.get("SortOrder", "Descending") == "Descending"
    return Page(after, request.get("SortBy") == "Name", descending, request.get("MaxResults", size))


def answer(
    context: Context,
    operation: str,
    request: Request,
    asked: Page,
    found: list[Listed],
    member: str,
    key: Callable[[Listed], Any] | None = None,
) -> Request:
    """The answer of a list, with the token of the next page when there is one; `key` is what it is sorted by."""
    shown: Request = {member: [one.summary for one in found[: asked.size]]}
    if len(found) > asked.size:
        last = found[asked.size - 1]
        sorted_by = key(last) if key is not None else last.folded if asked.by_name else last.created
        cursor = [sorted_by, last.id]
        shown["NextToken"] = context.tokens.seal(_fingerprint(context, operation, request), cursor)
    return shown


def _fingerprint(context: Context, operation: str, request: Request) -> Request:
    query = {name: value for name, value in request.items() if name not in ("NextToken", "MaxResults")}
    return {"operation": operation, "account": context.account, "region": context.region, **query}
