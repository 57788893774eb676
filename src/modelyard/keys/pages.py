"""Paged answers of KMS: `Limit` and `Marker` in, `Truncated` and `NextMarker` out."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from modelyard.aws.errors import ValidationException
from modelyard.dispatch.context import Context
from modelyard.keys.failures import failure

T = TypeVar("T")


def page(
    context: Context,
    operation: str,
    request: Mapping[str, Any],
    member: str,
    load: Callable[[Any, int], Sequence[T]],
    cursor: Callable[[T], Any],
    shape: Callable[[T], Any],
    usual: int = 50,
) -> dict[str, Any]:
    """One page. `load` gets the cursor (None at first) and how many to load: one more than are shown."""
    query = {name: value for name, value in request.items() if name not in ("Marker", "Limit")}
    fingerprint = {"account": context.account, "region": context.region, "operation": operation, "query": query}
    try:
        after = context.tokens.open(request["Marker"], fingerprint)[0] if "Marker" in request else None
    except ValidationException:
        raise failure("InvalidMarkerException", "Could not deserialize marker") from None
    size = request.get("Limit", usual)
    found = load(after, size + 1)
    answer: dict[str, Any] = {member: [shape(each) for each in found[:size]], "Truncated": len(found) > size}
    if len(found) > size:
        answer["NextMarker"] = context.tokens.seal(fingerprint, [cursor(found[size - 1])])
    return answer
