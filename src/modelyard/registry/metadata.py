"""The metadata of a version: any JSON document, beside the 50 short strings that SageMaker has."""

import math
from collections.abc import Mapping
from typing import Any

import orjson

from modelyard.registry.search_property import LONGEST_NAME

MOST_BYTES = 1024 * 1024
DEEPEST = 64
MEMBER = "Metadata"
PREFIX = f"{MEMBER}."
"""What Search calls the values of the document: `Metadata.training_data.version`."""
MOST_SEARCHABLE = 500
"""Values of a document that Search finds: the first ones, in the order of the document."""
LONGEST_SEARCHABLE = 1024
"""Characters of a text that Search finds; longer ones are for reading."""
ADDRESS = "modelyard:metadata"
"""The CustomerMetadataProperties key by which a registration brings its document: the s3:// address of a JSON file."""

Json = Any


class NotMetadata(Exception):
    """A text that is no document of metadata; the sentence is for the client."""


def parse(text: str | bytes) -> dict[str, Json]:
    """The document. Raises NotMetadata."""
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    if len(data) > MOST_BYTES:
        raise NotMetadata(f"Metadata can have at most {MOST_BYTES} bytes, and this has {len(data)}.")
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise NotMetadata(f"Metadata must be a JSON document: {error}.") from None
    if not isinstance(document, dict):
        raise NotMetadata("Metadata must be a JSON object.")
    _check(document)
    return document


def _check(document: Json) -> None:
    """Refuse what is nested too deeply, and the null character, which not every database keeps."""
    level: list[Json] = [document]
    for _ in range(DEEPEST):
        if not level:
            return
        inner: list[Json] = []
        for value in level:
            if isinstance(value, dict):
                inner += value.keys()
                inner += value.values()
            elif isinstance(value, list):
                inner += value
            elif isinstance(value, str) and "\x00" in value:
                raise NotMetadata("Metadata cannot have the null character in a text.")
        level = inner
    if level:
        raise NotMetadata(f"Metadata can be nested at most {DEEPEST} levels deep.")


def written(document: Mapping[str, Json]) -> str:
    """The document as it is kept."""
    return orjson.dumps(document).decode()


def searchable(document: Mapping[str, Json]) -> dict[str, Json]:
    """What Search sees of a document: short texts, numbers and booleans, in as many places as the index takes."""
    left = [MOST_SEARCHABLE]
    found = _searchable(document, len(PREFIX), left)
    return found if isinstance(found, dict) else {}


def _searchable(value: Json, length: int, left: list[int]) -> Json:
    """The part of a value that can be found, None for nothing; `length` is that of the name that leads to it."""
    if isinstance(value, dict):
        members = {
            name: kept
            for name, inner in value.items()
            if name and (kept := _searchable(inner, length + len(name) + 1, left)) is not None
        }
        return members or None
    if isinstance(value, list):
        # The elements of a list share one name, and lists of lists have none of their own.
        single = [inner for inner in value if not isinstance(inner, list)]
        elements = [kept for inner in single if (kept := _searchable(inner, length, left)) is not None]
        return elements or None
    if left[0] <= 0 or length > LONGEST_NAME + 1 or value is None or not _can_be_found(value):
        return None
    left[0] -= 1
    return value


def _can_be_found(value: Json) -> bool:
    if isinstance(value, str):
        return len(value) <= LONGEST_SEARCHABLE
    return math.isfinite(value)
