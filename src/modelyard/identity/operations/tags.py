"""Tags of users and roles."""

from dataclasses import replace
from typing import Any

from modelyard.access import store
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.identity.holders import HOLDERS, Holder, tag_conditions
from modelyard.identity.pages import page
from modelyard.identity.shapes import merged_tags, without_tags

operation = operations_of("iam")


def declare(holder: Holder) -> None:
    """Declare the three operations of users, or of roles."""
    tag, untag, list_all = f"Tag{holder.title}", f"Untag{holder.title}", f"List{holder.title}Tags"

    @operation(tag, mode=Mode.WRITE, permissions=holder.needs(tag, tag_conditions))
    def add_tags(context: Context, request: dict[str, Any]) -> None:
        """Add tags, overwriting those with the same keys."""
        identity = holder.find(context, request)
        store.update_identity(context.tx, replace(identity, tags=merged_tags(identity.tags, request["Tags"])))

    @operation(untag, mode=Mode.WRITE, permissions=holder.needs(untag, tag_conditions))
    def remove_tags(context: Context, request: dict[str, Any]) -> None:
        """Remove tags; keys that are not there are ignored."""
        identity = holder.find(context, request)
        store.update_identity(context.tx, replace(identity, tags=without_tags(identity.tags, request["TagKeys"])))

    @operation(list_all, mode=Mode.READ, permissions=holder.needs(list_all))
    def list_tags(context: Context, request: dict[str, Any]) -> dict[str, Any]:
        """The tags, by key."""
        identity = holder.find(context, request)

        def load(cursor: list[Any], limit: int) -> list[tuple[str, str]]:
            return sorted(each for each in identity.tags.items() if not cursor or each[0] > cursor[0])[:limit]

        return page(
            context, list_all, request, "Tags", load, lambda each: [each[0]], lambda each: {"Key": each[0], "Value": each[1]}
        )


for _holder in HOLDERS:
    declare(_holder)
