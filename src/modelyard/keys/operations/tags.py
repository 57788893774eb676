"""Tags of keys."""

from collections.abc import Iterable

from modelyard.access.permission import Permission
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, Request, operations_of
from modelyard.dispatch.tags import put_tags, remove_tags, tags_of
from modelyard.keys import pages
from modelyard.keys.failures import check_not_pending
from modelyard.keys.key_tags import read_tags, tag_conditions
from modelyard.keys.permissions import Values, customer_key, existing, find, on_key, permission, refuse_across

operation = operations_of("kms")


def _tagging(context: Context, request: Request) -> Iterable[Permission]:
    found = find(context, request["KeyId"])
    refuse_across(context, found, "TagResource")
    yield permission(context, "TagResource", found, tag_conditions(request["Tags"]))


@operation("TagResource", mode=Mode.WRITE, permissions=_tagging)
def tag_resource(context: Context, request: Request) -> None:
    """Add tags to a key, overwriting those with the same keys."""
    key = customer_key(context, request)
    check_not_pending(key)
    put_tags(context.tx, key.arn, read_tags(context.tx, key.arn, request["Tags"]))


def _untagging(context: Context, request: Request) -> Iterable[Permission]:
    found = find(context, request["KeyId"])
    refuse_across(context, found, "UntagResource")
    values: Values = {"aws:TagKeys": tuple(request["TagKeys"])}
    yield permission(context, "UntagResource", found, values)


@operation("UntagResource", mode=Mode.WRITE, permissions=_untagging)
def untag_resource(context: Context, request: Request) -> None:
    """Remove tags; keys that are not there are ignored."""
    key = customer_key(context, request)
    check_not_pending(key)
    remove_tags(context.tx, key.arn, request["TagKeys"])


@operation("ListResourceTags", mode=Mode.READ, permissions=on_key("ListResourceTags"))
def list_resource_tags(context: Context, request: Request) -> Request:
    """The tags of a key, in order of their keys."""
    tags = tags_of(context.tx, existing(context, request).arn)

    def load(after: str | None, most: int) -> list[tuple[str, str]]:
        return [item for item in sorted(tags.items()) if item[0] > (after or "")][:most]

    return pages.page(
        context,
        "ListResourceTags",
        request,
        "Tags",
        load,
        lambda item: item[0],
        lambda item: {"TagKey": item[0], "TagValue": item[1]},
    )
