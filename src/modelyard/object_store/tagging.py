"""Tags of objects and buckets: what S3 takes, and the two forms they come in."""

import re
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl, quote

MOST_OF_OBJECT, MOST_OF_BUCKET = 10, 50
_CHARACTERS = re.compile(r"[\w\s.:/=+\-@]*")


class InvalidTags(Exception):
    """S3 refuses these tags; the message says why in its words."""


def from_list(tags: Iterable[Mapping[str, str]], most: int) -> dict[str, str]:
    """Tags from a TagSet. Raises InvalidTags."""
    pairs = [(tag["Key"], tag["Value"]) for tag in tags]
    return _checked(pairs, most)


def from_header(header: str) -> dict[str, str]:
    """Tags of an object from the `x-amz-tagging` header, which has the form of a query string. Raises InvalidTags."""
    try:
        pairs = parse_qsl(header, keep_blank_values=True, strict_parsing=bool(header), max_num_fields=100)
    except ValueError:
        raise InvalidTags("The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters") from None
    return _checked(pairs, MOST_OF_OBJECT)


def to_header(tags: Mapping[str, str]) -> str:
    """Tags as the `x-amz-tagging` header has them."""
    return "&".join(f"{quote(key, safe='')}={quote(value, safe='')}" for key, value in tags.items())


def to_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as a TagSet."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _checked(pairs: list[tuple[str, str]], most: int) -> dict[str, str]:
    if len(pairs) > most:
        kind = "Object" if most == MOST_OF_OBJECT else "Bucket"
        raise InvalidTags(f"{kind} tags cannot be greater than {most}")
    tags: dict[str, str] = {}
    for key, value in pairs:
        if not 1 <= len(key) <= 128 or not _CHARACTERS.fullmatch(key):
            raise InvalidTags("The TagKey you have provided is invalid")
        if len(value) > 256 or not _CHARACTERS.fullmatch(value):
            raise InvalidTags("The TagValue you have provided is invalid")
        if key.lower().startswith("aws:"):
            raise InvalidTags("System tags cannot be added/updated by requester")
        if key in tags:
            raise InvalidTags("Cannot provide multiple Tags with the same key")
        tags[key] = value
    return tags
