"""Paged answers of ECR: `maxResults` and `nextToken` in, `nextToken` out."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from modelyard.aws.errors import ValidationException
from modelyard.dispatch.context import Context
from modelyard.images.failures import invalid

T = TypeVar("T")
USUAL_PAGE = 100


def page(
    context: Context,
    operation: str,
    request: Mapping[str, Any],
    member: str,
    load: Callable[[list[Any] | None, int], Sequence[T]],
    cursor: Callable[[T], list[Any]],
    shape: Callable[[T], Any],
) -> dict[str, Any]:
    """One page. `load` gets the cursor (None at first) and how many to load: one more than are shown."""
    query = {name: value for name, value in request.items() if name not in ("nextToken", "maxResults")}
    fingerprint = {"account": context.account, "region": context.region, "operation": operation, "query": query}
    try:
        after = context.tokens.open(request["nextToken"], fingerprint) if "nextToken" in request else None
    except ValidationException:
        raise invalid("nextToken", "Invalid token") from None
    size = request.get("maxResults", USUAL_PAGE)
    found = load(after, size + 1)
    answer: dict[str, Any] = {member: [shape(each) for each in found[:size]]}
    if len(found) > size:
        answer["nextToken"] = context.tokens.seal(fingerprint, cursor(found[size - 1]))
    return answer
