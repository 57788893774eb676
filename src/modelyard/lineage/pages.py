"""Pages of lineage's lists."""

from typing import Any

from modelyard.dispatch.context import Context
from modelyard.lineage.store import Page

DEFAULT_SIZE = 10
"""AWS's own, for all lists of lineage."""


def page(context: Context, operation: str, request: dict[str, Any], *, descending: bool = True) -> Page:
    """The page that a request asks for. Raises ValidationException for a token of another query, or of another server."""
    after = None
    if "NextToken" in request:
        after = context.tokens.open(request["NextToken"], fingerprint(context, operation, request))
    order = request.get("SortOrder")
    return Page(after, descending if order is None else order == "Descending", request.get("MaxResults", DEFAULT_SIZE))


def token(context: Context, operation: str, request: dict[str, Any], last: list[Any]) -> str:
    """The token with which the page after `last` is asked for."""
    return context.tokens.seal(fingerprint(context, operation, request), last)


def fingerprint(context: Context, operation: str, request: dict[str, Any]) -> dict[str, Any]:
    """What has to be the same from page to page; the size of a page may change."""
    query = {name: value for name, value in request.items() if name not in ("NextToken", "MaxResults")}
    return {"operation": operation, "account": context.account, "region": context.region, **query}
