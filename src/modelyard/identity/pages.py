"""Paged answers of IAM: `MaxItems` and `Marker` in, `IsTruncated` and `Marker` out."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from modelyard.aws.errors import ValidationException
from modelyard.dispatch.context import Context
from modelyard.identity.failures import invalid

T = TypeVar("T")
USUAL_PAGE = 100


def page(
    context: Context,
    operation: str,
    request: dict[str, Any],
    member: str,
    load: Callable[[list[Any], int], Sequence[T]],
    cursor: Callable[[T], list[Any]],
    shape: Callable[[T], Any],
) -> dict[str, Any]:
    """One page. `load` gets the cursor (empty at first) and how many to load: one more than are shown."""
    query = {name: value for name, value in request.items() if name not in {"Marker", "MaxItems"}}
    fingerprint = {"account": context.account, "operation": operation, "query": query}
    size = request.get("MaxItems", USUAL_PAGE)
    try:
        start = context.tokens.open(request["Marker"], fingerprint) if "Marker" in request else []
    except ValidationException:
        raise invalid("Invalid Marker.") from None
    found = load(start, size + 1)
    answer: dict[str, Any] = {member: [shape(each) for each in found[:size]], "IsTruncated": len(found) > size}
    if len(found) > size:
        answer["Marker"] = context.tokens.seal(fingerprint, cursor(found[size - 1]))
    return answer
