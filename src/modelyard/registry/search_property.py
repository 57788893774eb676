"""Properties: what Search sees of a resource, a flat list of names and values made from its Describe document.

A property is named by its path: `ModelApprovalStatus`, `ModelLifeCycle.Stage`, `InferenceSpecification.Containers.Image`. The
elements of a list share one name, so a property can have several values. Maps continue with their keys:
`CustomerMetadataProperties.<key>`, `Tags.<key>`, and `Metrics.<name>` for the figures that a resource was measured by, as
SageMaker names them for training jobs.
"""

import base64
import hashlib
import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

Value = str | float
"""Text, or a number; times are numbers (epoch seconds), booleans the texts `true` and `false`."""

MODIFIED = "LastModifiedTime"
"""Every resource has it, even one that was never modified; it is kept beside the index, since most searches sort by it."""
CREATED = "CreationTime"
TAGS = "Tags."
METRICS = "Metrics."
"""Before the name of a figure. These, MODIFIED and CREATED are what the index knows exactly and the document may not have."""

LONGEST_NAME = 255
"""AWS's limit of a property's name in a filter: what is longer cannot be asked for."""
LONGEST_TEXT = 64
"""Bytes of a text that the index keeps; AWS's names of things have at most 63. A longer text is kept as its digest."""
_DIGEST = "!"
"""What a digest begins with: a character that few texts begin with and that JSON writes as one byte."""
AFTER_DIGESTS = '"'
"""Digests are less than this in the order of the index, and kept texts are not: one that would be is kept as its digest."""

_UNINDEXED = frozenset(
    {
        "CertifyForMarketplace",
        "ContentType",
        "PrincipalId",
        "SkipModelValidation",
        "SupportedContentTypes",
        "SupportedRealtimeInferenceInstanceTypes",
        "SupportedResponseMIMETypes",
        "SupportedTransformInstanceTypes",
        "CompressionType",
        "S3DataType",
    }
)
"""Last parts of names whose values nearly all resources share: an index entry would cost space and find nothing faster.
Filters on them are tried on the documents, newest first. A change of this set needs a migration that indexes anew."""
_HIDDEN = frozenset({"Content", "ModelCardContent", "Tags"})
"""Members that are no properties: AWS keeps the content of model cards encrypted, and tags are passed apart."""
_ELSEWHERE = _HIDDEN | {CREATED, MODIFIED}
"""Members of a document that do not go into the index from where they stand."""

Entry = tuple[str, Value]
"""A property's name and a value of it, in the form that the index keeps."""


@lru_cache(maxsize=4096)
def is_indexed(name: str) -> bool:
    """Whether the index holds the values of this property."""
    return len(name) <= LONGEST_NAME and name.rpartition(".")[2] not in _UNINDEXED and ".Environment." not in name


def kept(text: str) -> str:
    """The form in which the index keeps a text: itself, or a digest when it is long."""
    data = text.encode("utf-8", "surrogatepass")
    if len(data) <= LONGEST_TEXT and text >= AFTER_DIGESTS and "\x00" not in text:
        return text
    return _DIGEST + base64.b64encode(hashlib.blake2b(data, digest_size=9).digest()).decode()


def is_digest(value: Value) -> bool:
    """Whether this value of the index stands for a text that is not kept."""
    return isinstance(value, str) and value.startswith(_DIGEST)


def _scalar(value: Any) -> Value:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value  # type: ignore[no-any-return]  # JSON has only texts and numbers besides


def values_at(value: Any, name: str) -> list[Value]:
    """The values of one property of a document, or of a structure in one."""
    found: list[Value] = []
    _collect(value, name, found)
    return found


def _collect(value: Any, name: str, found: list[Value]) -> None:
    if isinstance(value, list):
        for inner in value:
            _collect(inner, name, found)
    elif not name:
        if not isinstance(value, dict):
            found.append(_scalar(value))
    elif isinstance(value, dict):
        # The keys of a map may have dots in them, so a name can be divided in more than one way.
        end = name.find(".")
        while end >= 0:
            if name[:end] in value and name[:end] not in _HIDDEN:
                _collect(value[name[:end]], name[end + 1 :], found)
            end = name.find(".", end + 1)
        if name in value and name not in _HIDDEN:
            _collect(value[name], "", found)


def structures_at(value: Any, path: str) -> list[dict[str, Any]]:
    """The structures in the lists at a path."""
    if isinstance(value, list):
        return [found for inner in value for found in structures_at(inner, path)]
    if not isinstance(value, dict):
        return []
    if not path:
        return [value]
    member, _, rest = path.partition(".")
    return structures_at(value.get(member), rest)


def entries(document: Mapping[str, Any], tags: Mapping[str, str], metrics: Mapping[str, float], created: float) -> set[Entry]:
    """What the index keeps of a resource: names, and values in the form they are kept in. MODIFIED is kept elsewhere."""
    found: set[Entry] = set()
    _gather("", {member: value for member, value in document.items() if member not in _ELSEWHERE}, found)
    found.update((TAGS + key, kept(text)) for key, text in tags.items() if is_indexed(TAGS + key))
    found.update((METRICS + name, float(number)) for name, number in metrics.items() if _is_figure(name, number))
    found.add((CREATED, float(created)))
    return found


def _is_figure(name: str, number: float) -> bool:
    return math.isfinite(number) and is_indexed(METRICS + name)


def _gather(path: str, structure: Mapping[str, Any], found: set[Entry]) -> None:
    """Add the entries of a structure at a path. Once a registration: it is written for speed."""
    for member, value in structure.items():
        if member in _HIDDEN:
            continue
        name = f"{path}.{member}" if path else member
        if isinstance(value, dict):
            _gather(name, value, found)
        elif isinstance(value, list):
            for inner in value:
                if isinstance(inner, dict):
                    _gather(name, inner, found)
                elif is_indexed(name):
                    found.add((name, _kept(inner)))
        elif is_indexed(name):
            found.add((name, _kept(value)))


def _kept(value: Any) -> Value:
    scalar = _scalar(value)
    return kept(scalar) if isinstance(scalar, str) else float(scalar)
