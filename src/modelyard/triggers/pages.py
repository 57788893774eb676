"""Paged answers: `NextToken` and how many in, `NextToken` out."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from modelyard.dispatch.context import Context

T = TypeVar("T")

USUAL = 100


def page(
    context: Context,
    operation: str,
    request: Mapping[str, Any],
    member: str,
    load: Callable[[str, int], Sequence[T]],
    cursor: Callable[[T], str],
    shape: Callable[[T], Any],
    limit: str = "Limit",
) -> dict[str, Any]:
    """One page. `load` gets the cursor (empty at first) and how many to load: one more than are shown."""
    query = {name: value for name, value in request.items() if name not in ("NextToken", limit)}
    fingerprint = {"account": context.account, "region": context.region, "operation": operation, "query": query}
    after = context.tokens.open(request["NextToken"], fingerprint)[0] if "NextToken" in request else ""
    size = request.get(limit, USUAL)
    found = load(after, size + 1)
    answer: dict[str, Any] = {member: [shape(each) for each in found[:size]]}
    if len(found) > size:
        answer["NextToken"] = context.tokens.seal(fingerprint, [cursor(found[size - 1])])
    return answer
