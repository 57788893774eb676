"""Listing objects and their versions, a page at a time."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, Request, operations_of
from modelyard.object_store import store_objects
from modelyard.object_store.bucket import Bucket
from modelyard.object_store.errors import invalid_argument
from modelyard.object_store.listing import MOST, Page, Query, Start, page
from modelyard.object_store.object_key import url_encoded
from modelyard.object_store.object_version import Listed
from modelyard.object_store.operations.buckets import open_token, seal_token
from modelyard.object_store.permissions import bucket_of, on_bucket

operation = operations_of("s3")

Encode = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Asked:
    """What the listings have in common: how many entries, and how keys are written."""

    most: int
    encode: Encode
    shown: dict[str, Any]
    """The members of the request that the answer repeats."""


def asked(request: Request, limit: str = "MaxKeys") -> Asked:
    """Read the members that the listings share. Raises InvalidArgument."""
    most = request.get(limit, MOST)
    if most < 0:
        raise invalid_argument(f"Argument {limit} must be an integer between 0 and 2147483647", limit, most)
    encoding = request.get("EncodingType")
    if encoding not in (None, "url"):
        raise invalid_argument("Invalid Encoding Method specified in Request", "encoding-type", encoding)
    encode: Encode = url_encoded if encoding else str
    shown: dict[str, Any] = {limit: min(most, MOST), "Prefix": encode(request.get("Prefix", ""))}
    if request.get("Delimiter"):
        shown["Delimiter"] = encode(request["Delimiter"])
    if encoding:
        shown["EncodingType"] = encoding
    return Asked(min(most, MOST), encode, shown)


@operation("ListObjectsV2", mode=Mode.SLOW_READ, permissions=on_bucket("s3:ListBucket"), anonymous=True)
def list_objects_v2(context: Context, request: Request) -> dict[str, Any]:
    """Objects in order of their keys; goes on with a token."""
    wanted = asked(request)
    token, after = request.get("ContinuationToken"), request.get("StartAfter", "")
    if token is not None and not token:
        raise invalid_argument("The continuation token provided is incorrect", "continuation-token", token)
    found = _current(context, request, open_token(token) if token else after, wanted.most)
    answer = {"Name": request["Bucket"], **wanted.shown, "KeyCount": found.count} | _entries(found, wanted)
    if request.get("FetchOwner") and "Contents" in answer:
        owner = bucket_of(context, request).owner
        for entry in answer["Contents"]:
            entry["Owner"] = owner
    if token:
        answer["ContinuationToken"] = token
    if after:
        answer["StartAfter"] = wanted.encode(after)
    if found.truncated:
        answer["NextContinuationToken"] = seal_token(found.last)
    return answer


@operation("ListObjects", mode=Mode.SLOW_READ, permissions=on_bucket("s3:ListBucket"), anonymous=True)
def list_objects(context: Context, request: Request) -> dict[str, Any]:
    """Objects in order of their keys; goes on after a key."""
    wanted = asked(request)
    marker = request.get("Marker", "")
    found = _current(context, request, marker, wanted.most)
    answer = {"Name": request["Bucket"], **wanted.shown, "Marker": wanted.encode(marker)} | _entries(found, wanted)
    owner = bucket_of(context, request).owner
    for entry in answer.get("Contents", ()):
        entry["Owner"] = owner
    if found.truncated and request.get("Delimiter"):
        answer["NextMarker"] = wanted.encode(found.last)
    return answer


def _current(context: Context, request: Request, after: str, most: int) -> Page[Listed]:
    bucket = bucket_of(context, request)
    if most == 0:
        return Page()
    query = Query(request.get("Prefix", ""), request.get("Delimiter", ""), after, most)
    return page(query, lambda start, size: store_objects.current(context.tx, bucket, start, size))


def _entries(found: Page[Listed], wanted: Asked) -> dict[str, Any]:
    answer: dict[str, Any] = {"IsTruncated": found.truncated}
    if found.entries:
        answer["Contents"] = [{"Key": wanted.encode(entry.key), **entry.members()} for entry in found.entries]
    if found.common_prefixes:
        answer["CommonPrefixes"] = [{"Prefix": wanted.encode(prefix)} for prefix in found.common_prefixes]
    return answer


@operation("ListObjectVersions", mode=Mode.SLOW_READ, permissions=on_bucket("s3:ListBucketVersions"), anonymous=True)
def list_object_versions(context: Context, request: Request) -> dict[str, Any]:
    """Every version and delete marker, in order of keys, the newest of a key first."""
    wanted = asked(request)
    key_marker, version_marker = request.get("KeyMarker", ""), request.get("VersionIdMarker", "")
    if version_marker and not key_marker:
        raise invalid_argument(
            "A version-id marker cannot be specified without a key marker.", "version-id-marker", version_marker
        )
    found, newest = _versions(context, request, wanted.most)
    bucket = bucket_of(context, request)
    answer = {"Name": bucket.name, **wanted.shown, "KeyMarker": wanted.encode(key_marker), "IsTruncated": found.truncated}
    answer["VersionIdMarker"] = version_marker
    for entry in found.entries:
        shown = {"Key": wanted.encode(entry.key), "VersionId": entry.version_id, "IsLatest": entry.id in newest}
        shown |= {"Owner": bucket.owner, "LastModified": entry.modified}
        if entry.delete_marker:
            answer.setdefault("DeleteMarkers", []).append(shown)
        else:
            answer.setdefault("Versions", []).append(shown | entry.members())
    if found.common_prefixes:
        answer["CommonPrefixes"] = [{"Prefix": wanted.encode(prefix)} for prefix in found.common_prefixes]
    if found.truncated:
        answer["NextKeyMarker"] = wanted.encode(found.last)
        if found.entries and found.entries[-1].key == found.last:
            answer["NextVersionIdMarker"] = seal_marker(found.entries[-1].version_id, found.entries[-1].id)
    return answer


def _versions(context: Context, request: Request, most: int) -> tuple[Page[Listed], set[int]]:
    """A page of versions, and the rows among them that are the newest of their keys."""
    bucket, key = bucket_of(context, request), request.get("KeyMarker", "")
    if most == 0:
        return Page(), set()
    query = Query(request.get("Prefix", ""), request.get("Delimiter", ""), key, most)
    start = None
    if request.get("VersionIdMarker") and query.group(key) is None:
        start = Start(key, inclusive=False, within=_marked_row(context, bucket, key, request["VersionIdMarker"]))
    found = page(query, lambda start, size: store_objects.versions(context.tx, bucket, start, size), start)
    newest: set[int] = set()
    before = start.key if start else None
    for entry in found.entries:
        if entry.key != before:
            newest.add(entry.id)
        before = entry.key
    return found, newest


def _marked_row(context: Context, bucket: Bucket, key: str, marker: str) -> int:
    """The row that a version-id marker stands for."""
    row = open_marker(marker)
    if row:
        return row
    version = store_objects.version(context.tx, bucket, key, marker)
    if version is None:
        raise invalid_argument("Invalid version id specified", "version-id-marker", marker)
    return version.id


def seal_marker(name: str, row: int) -> str:
    """A marker in the midst of a key: it names the row, since what it stands for may be deleted before the next page."""
    return f"{name}:{row}"


def open_marker(marker: str) -> int:
    """The row of a marker of ours; 0 for any other."""
    _, _, row = marker.rpartition(":")
    return int(row) if ":" in marker and row.isascii() and row.isdigit() and len(row) < 19 else 0
