"""Pages of the registry's lists."""

from typing import Any

from modelyard.dispatch.context import Context
from modelyard.registry.store import Page

DEFAULT_SIZE = 100
"""The page of a request without MaxResults. AWS does not say what it uses here; the most a page may hold serves people best."""


def page(context: Context, operation: str, request: dict[str, Any], *, descending: bool = False) -> Page:
    """The page that a request asks for; `descending` is the operation's default order.

    Raises ValidationException for a NextToken that was not issued here, or for another query.
    """
    after = None
    if "NextToken" in request:
        after = context.tokens.open(request["NextToken"], _fingerprint(context, operation, request))
    order = request.get("SortOrder")
    return Page(after, descending if order is None else order == "Descending", request.get("MaxResults", DEFAULT_SIZE))


def token(context: Context, operation: str, request: dict[str, Any], last: list[Any]) -> str:
    """The token with which the page after `last` is asked for."""
    return context.tokens.seal(_fingerprint(context, operation, request), last)


def _fingerprint(context: Context, operation: str, request: dict[str, Any]) -> dict[str, Any]:
    """What has to be the same from page to page; the size of a page may change."""
    query = {name: value for name, value in request.items() if name not in ("NextToken", "MaxResults")}
    return {"operation": operation, "account": context.account, "region": context.region, **query}
