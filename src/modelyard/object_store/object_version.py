"""A version of an object: what is known of it besides its bytes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from modelyard.object_store.checksum import Checksum
from modelyard.object_store.retention import UNLOCKED, Lock

NULL = "null"
"""The version id of what was put while the bucket kept no versions."""
VERSION_ID_LENGTH = 32
MOST_METADATA_BYTES = 2048
LARGEST = 5 * 1024**4
"""Bytes of an object, at most."""
LARGEST_PUT = 5 * 1024**3
"""Bytes in one request, at most."""
STANDARD = "STANDARD"
KMS = "aws:kms"
"""What S3 says of an object that is encrypted with a key of KMS."""
ENCRYPTED = "AES256"
"""What S3 says of an object whose uploader asked for no encryption."""
HEADERS = (
    "CacheControl",
    "ContentDisposition",
    "ContentEncoding",
    "ContentLanguage",
    "ContentType",
    "Expires",
    "WebsiteRedirectLocation",
)
"""What an object carries as it was given, besides its metadata."""
ENCRYPTION = ("ServerSideEncryption", "SSEKMSKeyId", "BucketKeyEnabled")
DEFAULT_CONTENT_TYPE = "binary/octet-stream"


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of an object that came in a multipart upload."""

    number: int
    size: int
    digest: str
    checksum_value: str


@dataclass(frozen=True, slots=True)
class ObjectVersion:
    """A version of an object, or a delete marker. With its bucket's versioning off, an object is its `null` version."""

    key: str
    version_id: str
    modified: float
    size: int = 0
    etag: str = ""
    """Without quotes."""
    digest: str | None = None
    """The blob; None for a delete marker, and for an object that is read from its parts."""
    part_count: int = 0
    """0 for an object that came whole."""
    delete_marker: bool = False
    storage_class: str = STANDARD
    checksum: Checksum | None = None
    headers: Mapping[str, Any] = field(default_factory=dict)
    """What goes back with every read, by botocore's names: content headers, Metadata, encryption."""
    tags: Mapping[str, str] = field(default_factory=dict)
    lock: Lock = UNLOCKED
    upload_id: str | None = None
    """The multipart upload it came from."""
    sealed: Mapping[str, Any] | None = None
    """How its bytes are encrypted (sealing.py); None when they are kept as they came."""
    id: int = 0
    """The row; higher is newer among the versions of a key."""
    pin: int = 0
    """For a version that is gone and whose bytes stay: the pin that keeps them."""

    @property
    def is_null(self) -> bool:
        """Whether this is the version that a bucket without versioning has of the key."""
        return self.version_id == NULL


@dataclass(frozen=True, slots=True)
class Listed:
    """What a listing shows of a version."""

    key: str
    version_id: str
    modified: float
    size: int
    etag: str
    storage_class: str
    checksum_algorithm: str
    checksum_type: str
    delete_marker: int
    """1 or 0."""
    id: int

    def members(self) -> dict[str, Any]:
        """The members that all listings of objects share."""
        members: dict[str, Any] = {
            "LastModified": self.modified,
            "ETag": f'"{self.etag}"',
            "Size": self.size,
            "StorageClass": self.storage_class,
        }
        if self.checksum_algorithm:
            members |= {"ChecksumAlgorithm": [self.checksum_algorithm], "ChecksumType": self.checksum_type}
        return members


def metadata_size(metadata: Mapping[str, str]) -> int:
    """Bytes of user metadata, as S3 counts them: names and values."""
    return sum(len(name.encode()) + len(value.encode("utf-8", "surrogatepass")) for name, value in metadata.items())
