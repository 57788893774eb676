"""Small words for the tests of S3's operations."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import pytest

from modelyard.access.principal import Principal
from modelyard.aws.errors import AwsError


class S3(Protocol):
    """Calls an operation of S3: `s3("PutObject", Bucket=…)`, as `by` (the administrator unless given)."""

    def __call__(self, operation: str, *, by: Principal | None = None, region: str = "us-east-1", **request: Any) -> Any: ...


@contextmanager
def refused(code: str, status: int | None = None, match: str = "") -> Iterator[None]:
    """The block ends in this error of S3."""
    with pytest.raises(AwsError, match=match or None) as caught:
        yield
    assert caught.value.code == code
    if status is not None:
        assert caught.value.status == status


def body(answer: dict[str, Any]) -> bytes:
    """The bytes of a read."""
    found = answer["Body"]
    return found if isinstance(found, bytes) else b"".join(found)


def read(s3: S3, key: str, bucket: str = "bucket", **more: Any) -> bytes:
    """The bytes of an object."""
    return body(s3("GetObject", Bucket=bucket, Key=key, **more))


def keys(answer: dict[str, Any]) -> list[str]:
    """The keys of a listing."""
    return [entry["Key"] for entry in answer.get("Contents", [])]


def upload(
    s3: S3, key: str, parts: list[bytes], bucket: str = "bucket", complete: dict[str, Any] | None = None, **wanted: Any
) -> Any:
    """Upload an object in parts."""
    upload_id = s3("CreateMultipartUpload", Bucket=bucket, Key=key, **wanted)["UploadId"]
    where = {"Bucket": bucket, "Key": key, "UploadId": upload_id}
    listed = [
        {"PartNumber": number, "ETag": s3("UploadPart", **where, PartNumber=number, Body=part)["ETag"]}
        for number, part in enumerate(parts, 1)
    ]
    return s3("CompleteMultipartUpload", **where, MultipartUpload={"Parts": listed}, **(complete or {}))
