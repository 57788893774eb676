"""What a job reads and where it writes: the objects of its input, each with the key of its output."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from modelyard.aws.errors import AwsError
from modelyard.dispatch.context import Context
from modelyard.jobs.transform_job import MANIFEST, Document

LARGEST_MANIFEST = 16 * 1024 * 1024
SUFFIX = ".out"


class NoInput(Exception):
    """The input of a job cannot be had; the text says why, as AWS would."""


@dataclass(frozen=True, slots=True)
class Input:
    """An object that is read."""

    bucket: str
    key: str
    relative: str
    """Its key, below what the job reads."""

    @property
    def uri(self) -> str:
        """Its address."""
        return f"s3://{self.bucket}/{self.key}"


@dataclass(frozen=True, slots=True)
class Place:
    """A bucket and a key, or the beginning of keys."""

    bucket: str
    key: str


def place(uri: str) -> Place:
    """That of an `s3://` address."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return Place(bucket, key)


def output_of(one: Input, path: str) -> Place:
    """Where what a model makes of an input goes."""
    below = place(path)
    folder = below.key if not below.key or below.key.endswith("/") else f"{below.key}/"
    return Place(below.bucket, f"{folder}{one.relative}{SUFFIX}")


def inputs(context: Context, source: Document, role: str) -> list[Input]:
    """Every object of a data source, read as the role. Raises NoInput."""
    uri = source["S3Uri"]
    try:
        of_manifest = source["S3DataType"] == MANIFEST
        found = list(dict.fromkeys(_named(context, uri) if of_manifest else _below(context, place(uri))))
    except AwsError as error:
        raise NoInput(f"ClientError: {uri} cannot be read as {role}: {error.message}") from None
    if not found:
        bucket = place(uri).bucket
        raise NoInput(
            f'ClientError: No S3 objects found under S3 URL "{uri}" given in the input data source. Please ensure that the bucket'
            f' exists in the selected region, that objects exist under that S3 prefix, and that the role "{role}" has'
            f' "s3:ListBucket" permissions on bucket "{bucket}".'
        )
    return found


def _below(context: Context, start: Place) -> Iterator[Input]:
    asked: dict[str, Any] = {"Bucket": start.bucket, "Prefix": start.key}
    while True:
        page = context.call("s3", "ListObjectsV2", asked)
        for one in page.get("Contents", ()):
            if not one["Key"].endswith("/"):
                yield Input(start.bucket, one["Key"], relative(start.key, one["Key"]))
        if "NextContinuationToken" not in page:
            return
        asked["ContinuationToken"] = page["NextContinuationToken"]


def relative(prefix: str, key: str) -> str:
    """A key below the folder that a prefix names, or below the one that it ends in the middle of."""
    folder = prefix if not prefix or prefix.endswith("/") else f"{prefix}/"
    if not key.startswith(folder):
        folder = prefix[: prefix.rfind("/") + 1]
    return key.removeprefix(folder)


def _named(context: Context, uri: str) -> Iterator[Input]:
    """The objects that a manifest names: `[{"prefix": "s3://bucket/folder/"}, "one", "two"]`."""
    where = place(uri)
    answer = context.call("s3", "GetObject", {"Bucket": where.bucket, "Key": where.key})
    if answer["ContentLength"] > LARGEST_MANIFEST:
        raise NoInput(f"ClientError: The manifest {uri} has more than {LARGEST_MANIFEST} bytes.")
    body = answer["Body"]
    try:
        first, *names = orjson.loads(body if isinstance(body, bytes) else b"".join(body))
        prefix = first["prefix"]
        if not prefix.startswith("s3://") or not all(isinstance(name, str) for name in names):
            raise ValueError("addresses are texts, and begin with s3://")
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise NoInput(f"ClientError: {uri} is not a manifest: {error}") from None
    start = place(prefix)
    for name in names:
        yield Input(start.bucket, f"{start.key}{name}", name.lstrip("/"))
