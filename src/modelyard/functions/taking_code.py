"""Taking in the code of a function: from the request, or from a bucket as the caller."""

import base64
import hashlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

from modelyard.aws.errors import AwsError
from modelyard.dispatch import kept_blobs
from modelyard.dispatch.context import Context
from modelyard.dispatch.kept_blobs import Kept
from modelyard.functions.code_package import LARGEST_UNPACKED, LARGEST_ZIP, PIECE, check_archive
from modelyard.functions.failures import invalid, not_here

Request = dict[str, Any]
IN_MEMORY = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Code:
    """A zip that is safe to unpack, and durable."""

    kept: Kept
    sha256: str
    """In base64."""
    size: int


def take(context: Context, code: Request) -> Code:
    """Take in what a request says of its code (`FunctionCode`). Raises AwsError."""
    if "ImageUri" in code:
        raise not_here("A function from a container image")
    if "ZipFile" not in code and not ("S3Bucket" in code and "S3Key" in code):
        raise invalid("Please provide a source for function code.")
    digest = hashlib.sha256()
    with tempfile.SpooledTemporaryFile(IN_MEMORY) as file:
        size = 0
        for piece in _pieces(context, code):
            size += len(piece)
            if size > (LARGEST_ZIP if "ZipFile" in code else LARGEST_UNPACKED):
                raise invalid(f"Zipped size must be smaller than {LARGEST_ZIP} bytes")
            digest.update(piece)
            file.write(piece)
        file.seek(0)
        check_archive(file)
        file.seek(0)
        kept = kept_blobs.keep(context.storage, context.blobs, _read(file))
    return Code(kept, base64.b64encode(digest.digest()).decode("ascii"), size)


def _read(file: IO[bytes]) -> Iterator[bytes]:
    while piece := file.read(PIECE):
        yield piece


def _pieces(context: Context, code: Request) -> Iterator[bytes]:
    if "ZipFile" in code:
        yield code["ZipFile"]
        return
    request = {"Bucket": code["S3Bucket"], "Key": code["S3Key"]}
    if "S3ObjectVersion" in code:
        request["VersionId"] = code["S3ObjectVersion"]
    try:
        body = context.within(None).call("s3", "GetObject", request)["Body"]
    except AwsError as error:
        raise invalid(
            f"Error occurred while GetObject. S3 Error Code: {error.code}. S3 Error Message: {error.message}"
        ) from error
    if isinstance(body, bytes):
        yield body
    else:
        yield from body
