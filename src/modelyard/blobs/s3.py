"""Bytes by their digest, in a bucket of any S3.

`<prefix>/sha256/<64 hexadecimal digits>` is the key. Bytes are spooled to a local file first, since their digest is
known only at the end, and then sent; S3 shows an object only once it is whole.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session

from modelyard.blobs.incoming import IncomingFile, clear_left_over
from modelyard.blobs.interface import Blob, BlobsUnavailable

PIECE = 512 * 1024
"""The most that is read from the network at once, in bytes."""
PART = 64 * 1024 * 1024
"""Larger than this is sent in parts of this many bytes (or larger ones, as S3 takes at most 10,000)."""
MAX_PARTS = 10_000


def s3_client(endpoint: str, connections: int) -> Any:
    """A botocore client, with the credentials and region of the server's own environment."""
    session = Session()
    config = Config(
        max_pool_connections=connections,
        retries={"mode": "standard", "max_attempts": 5},
        s3={"addressing_style": "path"} if endpoint else None,
    )
    region = session.get_config_variable("region") or "us-east-1"
    return session.create_client("s3", region_name=region, endpoint_url=endpoint or None, config=config)


class S3Blobs:
    """A BlobStore in a bucket."""

    def __init__(self, client: Any, *, bucket: str, prefix: str, spool: Path) -> None:
        self.client = client
        self.bucket = bucket
        self._prefix = f"{prefix}/sha256/" if prefix else "sha256/"
        self._spool = spool
        spool.mkdir(parents=True, exist_ok=True, mode=0o700)
        clear_left_over(spool)

    def writer(self) -> "S3Writer":
        """Start to take in bytes, hashed as they come."""
        return S3Writer(self, IncomingFile(self._spool))

    def read(self, digest: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """The bytes from `start`, in pieces of at most `PIECE`. Raises FileNotFoundError at once when they are not here."""
        if length == 0:
            if self.size(digest) is None:
                raise FileNotFoundError(digest)
            return iter(())
        end = "" if length is None else str(start + length - 1)
        # An empty object has no range that could be asked for.
        wanted = {"Range": f"bytes={start}-{end}"} if start or end else {}
        try:
            answer = self.client.get_object(Bucket=self.bucket, Key=self.key(digest), **wanted)
        except ClientError as error:
            if _is_missing(error):
                raise FileNotFoundError(digest) from error
            if error.response["Error"]["Code"] == "InvalidRange":
                return iter(())
            raise
        pieces: Iterator[bytes] = answer["Body"].iter_chunks(PIECE)
        return pieces

    def size(self, digest: str) -> int | None:
        """The number of bytes, or None when they are not here."""
        try:
            size: int = self.client.head_object(Bucket=self.bucket, Key=self.key(digest))["ContentLength"]
        except ClientError as error:
            if _is_missing(error):
                return None
            raise
        return size

    def delete(self, digest: str) -> None:
        """Remove the bytes; harmless when they are not here."""
        self.client.delete_object(Bucket=self.bucket, Key=self.key(digest))

    def digests(self) -> Iterator[str]:
        """Every digest that is kept."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self._prefix)
        for page in pages:
            for entry in page.get("Contents", ()):
                yield f"sha256:{entry['Key'].removeprefix(self._prefix)}"

    def key(self, digest: str) -> str:
        """The key of the bytes of `digest`."""
        algorithm, _, name = digest.partition(":")
        if algorithm != "sha256" or len(name) != 64:
            raise ValueError(f"{digest!r} is not a digest")
        return f"{self._prefix}{name}"


class S3Writer:
    """Bytes on their way into an S3Blobs."""

    def __init__(self, blobs: S3Blobs, file: IncomingFile) -> None:
        self._blobs = blobs
        self._file = file

    def write(self, data: bytes) -> None:
        """Add bytes."""
        self._file.write(data)

    def digest(self) -> str:
        """The digest of the bytes so far."""
        return self._file.digest()

    def commit(self) -> Blob:
        """Send the bytes, unless S3 has them already; S3 answers once they are durable. Raises BlobsUnavailable."""
        blob = Blob(self._file.digest(), self._file.size)
        try:
            self._send(blob)
        except (BotoCoreError, ClientError) as error:
            raise BlobsUnavailable(f"the bytes cannot be sent: {error}") from error
        self._file.remove()
        return blob

    def _send(self, blob: Blob) -> None:
        if self._blobs.size(blob.digest) != blob.size:
            with self._file.path.open("rb") as source:
                if blob.size <= PART:
                    self._blobs.client.put_object(Bucket=self._blobs.bucket, Key=self._blobs.key(blob.digest), Body=source)
                else:
                    self._send_in_parts(blob, source)

    def discard(self) -> None:
        """Forget the bytes. Harmless after `commit`."""
        self._file.remove()

    def _send_in_parts(self, blob: Blob, source: BinaryIO) -> None:
        client = self._blobs.client
        target = {"Bucket": self._blobs.bucket, "Key": self._blobs.key(blob.digest)}
        target["UploadId"] = client.create_multipart_upload(**target)["UploadId"]
        size = max(PART, -(-blob.size // MAX_PARTS))
        try:
            parts: list[dict[str, object]] = []
            while data := source.read(size):
                number = len(parts) + 1
                etag = client.upload_part(**target, PartNumber=number, Body=data)["ETag"]
                parts.append({"PartNumber": number, "ETag": etag})
            client.complete_multipart_upload(**target, MultipartUpload={"Parts": parts})
        except BaseException:
            client.abort_multipart_upload(**target)
            raise


def _is_missing(error: ClientError) -> bool:
    return error.response["Error"]["Code"] in {"404", "NoSuchKey", "NotFound"}
