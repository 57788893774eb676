"""Paged answers: `NextToken` and `MaxResults` in, `NextToken` out."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from modelyard.aws.errors import ValidationException
from modelyard.dispatch.context import Context
from modelyard.scaling.dimension import NAMESPACE
from modelyard.scaling.failures import invalid, invalid_token

MOST = 50


T = TypeVar("T")


def page(
    context: Context,
    operation: str,
    request: Mapping[str, Any],
    member: str,
    load: Callable[[int | None, int], Sequence[T]],
    number: Callable[[T], int],
    shape: Callable[[T], Any],
) -> dict[str, Any]:
    """One page. `load` gets the number to go on behind (None at first) and how many to load: one more than are shown."""
    size = request.get("MaxResults", MOST)
    if not 1 <= size <= MOST:
        raise invalid(f"MaxResults must be between 1 and {MOST}, and is {size}.")
    if "ScalableDimension" in request and "ResourceId" not in request and "ResourceIds" not in request:
        raise invalid("ScalableDimension cannot be specified without a resource ID.")
    query = {name: value for name, value in request.items() if name not in ("NextToken", "MaxResults")}
    fingerprint = {"account": context.account, "region": context.region, "operation": operation, "query": query}
    after: int | None = None
    if "NextToken" in request:
        try:
            after = context.tokens.open(request["NextToken"], fingerprint)[0]
        except ValidationException:
            raise invalid_token() from None
    found = load(after, size + 1) if request["ServiceNamespace"] == NAMESPACE else []
    answer: dict[str, Any] = {member: [shape(each) for each in found[:size]]}
    if len(found) > size:
        answer["NextToken"] = context.tokens.seal(fingerprint, [number(found[size - 1])])
    return answer
