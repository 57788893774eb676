"""Resources by their ARN: how an operation that takes any ARN (AddTags) finds what another part keeps.

Each part says once how its kinds of resources are found; nobody imports that part for it.
"""

from collections.abc import Callable

from modelyard.access.permission import Resource
from modelyard.aws.arns import Arn
from modelyard.dispatch.context import Context

ANY_TYPE = "*"
"""For services whose ARNs name no type of resource, such as S3's."""
Find = Callable[[Context, Arn], Resource | None]
_finders: dict[tuple[str, str], Find] = {}


def finds(service: str, resource_type: str) -> Callable[[Find], Find]:
    """The decorator with which a part declares how `arn:aws:<service>:…:<resource_type>/…` is found."""

    def declare(find: Find) -> Find:
        _finders[service, resource_type] = find
        return find

    return declare


def find(context: Context, arn: Arn) -> Resource | None:
    """The resource that an ARN names, in the request's region or in none, or None."""
    finder = _finders.get((arn.service, arn.resource.partition("/")[0])) or _finders.get((arn.service, ANY_TYPE))
    if finder is None or arn.region not in ("", context.region):
        return None
    return finder(context, arn)
