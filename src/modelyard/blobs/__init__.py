"""Bytes by their digest: kept in a directory, or in a bucket of any S3."""

from pathlib import Path
from urllib.parse import urlsplit

from modelyard.blobs.directory import DirectoryBlobs
from modelyard.blobs.interface import BlobStore
from modelyard.settings import Settings

__all__ = ["open_blobs"]


def open_blobs(settings: Settings) -> BlobStore:
    """The place that the settings name: `<data>/blobs`, another directory, or `s3://bucket/prefix`."""
    if not settings.blobs:
        return DirectoryBlobs(settings.data / "blobs")
    address = urlsplit(settings.blobs)
    if address.scheme != "s3":
        return DirectoryBlobs(Path(settings.blobs))
    from modelyard.blobs.s3 import S3Blobs, s3_client  # loads botocore's client, which the directory does without

    return S3Blobs(
        s3_client(settings.blobs_endpoint, connections=settings.threads * 2),
        bucket=address.netloc,
        prefix=address.path.strip("/"),
        spool=settings.data / "spool",
    )
