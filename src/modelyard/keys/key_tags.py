"""Tags as KMS has them: `TagKey` and `TagValue`, and errors of its own."""

from collections.abc import Iterable, Mapping

from modelyard.dispatch.tags import MOST_TAGS, tags_of
from modelyard.keys.failures import failure
from modelyard.storage.interface import Transaction


def read_tags(tx: Transaction, arn: str, given: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """The tags of a request, once the key may have them. Raises TagException, LimitExceededException."""
    tags: dict[str, str] = {}
    for tag in given:
        if tag["TagKey"] in tags:
            raise failure("TagException", "Duplicate tag keys")
        if tag["TagKey"].lower().startswith("aws:"):
            raise failure("TagException", "Tag keys starting with 'aws:' are reserved for system use.")
        tags[tag["TagKey"]] = tag["TagValue"]
    if len(tags_of(tx, arn).keys() | tags.keys()) > MOST_TAGS:
        raise failure("LimitExceededException", f"A key has at most {MOST_TAGS} tags.")
    return tags


def tag_conditions(given: Iterable[Mapping[str, str]]) -> dict[str, str | tuple[str, ...]]:
    """`aws:RequestTag/<key>` and `aws:TagKeys`."""
    conditions: dict[str, str | tuple[str, ...]] = {f"aws:RequestTag/{tag['TagKey']}": tag["TagValue"] for tag in given}
    if conditions:
        conditions["aws:TagKeys"] = tuple(tag["TagKey"] for tag in given)
    return conditions
