"""What the uploader of an object wants it to carry: headers, metadata, encryption, storage class, tags, lock."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modelyard.object_store import tagging
from modelyard.object_store.errors import invalid_argument, s3_error
from modelyard.object_store.object_version import (
    ENCRYPTED,
    ENCRYPTION,
    HEADERS,
    KMS,
    MOST_METADATA_BYTES,
    STANDARD,
    metadata_size,
)
from modelyard.object_store.retention import Lock, default_lock

Request = Mapping[str, Any]

_OWNER_HAS_ALL = ("private", "bucket-owner-full-control", "bucket-owner-read")
_GRANTS = ("GrantFullControl", "GrantRead", "GrantReadACP", "GrantWriteACP")
_NOT_HERE = {
    "SSECustomerAlgorithm": "Server-side encryption with keys that the customer provides (SSE-C) is not available in Modelyard.",
    "CopySourceSSECustomerAlgorithm": "Server-side encryption with keys that the customer provides (SSE-C) is not available in "
    "Modelyard.",
    "WriteOffsetBytes": "Appending to objects is not available in Modelyard.",
    "ObjectLockEventHold": "Event holds are not available in Modelyard.",
}


@dataclass(frozen=True, slots=True)
class BucketDefaults:
    """What a bucket gives to objects whose uploader does not say."""

    encryption: Mapping[str, Any]
    """By botocore's names: ServerSideEncryption, SSEKMSKeyId, BucketKeyEnabled."""
    object_lock: bool
    lock_rule: Mapping[str, Any] | None
    """Mode, and Days or Years."""


def refuse_unavailable(request: Request) -> None:
    """Raise AwsError for what Modelyard's objects do not have: lists of grants, SSE-C, appending."""
    for member, sentence in _NOT_HERE.items():
        if member in request:
            raise s3_error("NotImplemented", sentence)
    if request.get("ACL", "private") not in _OWNER_HAS_ALL or any(grant in request for grant in _GRANTS):
        raise s3_error("AccessControlListNotSupported")


def headers_of(request: Request) -> dict[str, Any]:
    """What goes back with every read as it was given. Raises MetadataTooLarge."""
    headers = {name: request[name] for name in HEADERS if name in request}
    metadata = request.get("Metadata")
    if metadata:
        size = metadata_size(metadata)
        if size > MOST_METADATA_BYTES:
            raise s3_error("MetadataTooLarge", Size=size, MaxSizeAllowed=MOST_METADATA_BYTES)
        headers["Metadata"] = dict(metadata)
    return headers


def encryption_of(request: Request, defaults: BucketDefaults) -> dict[str, Any]:
    """What is said of the object's encryption: what was asked for, the bucket's default, or S3's."""
    if "ServerSideEncryption" not in request:
        if "SSEKMSKeyId" in request:
            raise invalid_argument(
                "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms",
                "x-amz-server-side-encryption",
                "null",
            )
        return dict(defaults.encryption) or {"ServerSideEncryption": ENCRYPTED}
    if request["ServerSideEncryption"] not in (ENCRYPTED, KMS):
        raise s3_error("NotImplemented", f"Encryption with {request['ServerSideEncryption']} is not available in Modelyard.")
    if request["ServerSideEncryption"] == ENCRYPTED and "SSEKMSKeyId" in request:
        raise invalid_argument(
            "x-amz-server-side-encryption-aws-kms-key-id header is only valid with aws:kms",
            "x-amz-server-side-encryption",
            ENCRYPTED,
        )
    return {name: request[name] for name in ENCRYPTION if name in request}


def storage_class_of(request: Request) -> str:
    """The storage class as it will be shown."""
    storage_class: str = request.get("StorageClass", STANDARD)
    return storage_class


def tags_of(header: str | None) -> dict[str, str]:
    """Tags from the `x-amz-tagging` header. Raises InvalidTag."""
    try:
        return tagging.from_header(header or "")
    except tagging.InvalidTags as error:
        raise s3_error("InvalidTag", str(error)) from None


def lock_of(request: Request, defaults: BucketDefaults, now: float) -> Lock:
    """The retention and legal hold of a new version. Raises AwsError for what the bucket does not allow."""
    mode, until = request.get("ObjectLockMode"), request.get("ObjectLockRetainUntilDate")
    hold = request.get("ObjectLockLegalHoldStatus") == "ON"
    if (mode is not None or until is not None or hold) and not defaults.object_lock:
        raise s3_error("InvalidRequest", "Bucket is missing Object Lock Configuration")
    if (mode is None) != (until is None):
        raise invalid_argument(
            "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied",
            "x-amz-object-lock-mode",
            mode or "",
        )
    if mode is not None and until is not None:
        check_future(until, now)
        return Lock(mode, until, hold)
    rule = defaults.lock_rule
    if rule is None:
        return Lock(legal_hold=hold)
    lock = default_lock(rule["Mode"], rule.get("Days", 0), rule.get("Years", 0), now)
    return Lock(lock.mode, lock.until, hold)


def check_future(until: float, now: float) -> None:
    """Raise InvalidArgument for a date until which nothing can be retained any more."""
    if until <= now:
        raise invalid_argument("The retain until date must be in the future!", "x-amz-object-lock-retain-until-date", until)
