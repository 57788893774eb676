"""Multipart uploads: objects that come in parts, in any order, over any time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SMALLEST_PART = 5 * 1024**2
"""Bytes of every part but the last, at least."""
MOST_PARTS = 10_000
UPLOAD_ID_LENGTH = 64


@dataclass(frozen=True, slots=True)
class Upload:
    """A multipart upload that is neither completed nor aborted."""

    upload_id: str
    key: str
    initiated: float
    initiator: str
    """ARN of who began it."""
    storage_class: str
    checksum_algorithm: str
    """Empty when its creator named none: then the whole object gets the default checksum."""
    checksum_type: str
    wanted: Mapping[str, Any]
    """What the object will carry: headers, tags, lock, and how it is encrypted."""
    id: int = 0
    """The row; higher began later."""

    @property
    def sealed(self) -> Mapping[str, Any] | None:
        """How its parts are encrypted (sealing.py); None when they are kept as they come."""
        sealed: Mapping[str, Any] | None = self.wanted.get("sealed")
        return sealed


@dataclass(frozen=True, slots=True)
class UploadedPart:
    """A part that is here."""

    number: int
    size: int
    etag: str
    digest: str
    checksum_value: str
    modified: float


class PartsDoNotFit(Exception):
    """The list of parts that a caller wants to complete an upload from is wrong."""

    def __init__(self, code: str, **members: object) -> None:
        super().__init__(code)
        self.code = code
        self.members = members


@dataclass(frozen=True, slots=True)
class NamedPart:
    """A part as the caller names it when completing."""

    number: int
    etag: str
    checksum_value: str | None


def chosen(named: Sequence[NamedPart], uploaded: Mapping[int, UploadedPart]) -> list[UploadedPart]:
    """The parts that make the object, in order. Raises PartsDoNotFit as S3 does, with its code."""
    parts: list[UploadedPart] = []
    for one in named:
        if parts and one.number <= parts[-1].number:
            raise PartsDoNotFit("InvalidPartOrder")
        part = uploaded.get(one.number)
        differs = part is None or (one.etag and one.etag != part.etag)
        if part is None or differs or (one.checksum_value is not None and one.checksum_value != part.checksum_value):
            raise PartsDoNotFit("InvalidPart", PartNumber=one.number, ETag=one.etag)
        parts.append(part)
    for part in parts[:-1]:
        if part.size < SMALLEST_PART:
            raise PartsDoNotFit(
                "EntityTooSmall", ProposedSize=part.size, MinSizeAllowed=SMALLEST_PART, PartNumber=part.number, ETag=part.etag
            )
    return parts
