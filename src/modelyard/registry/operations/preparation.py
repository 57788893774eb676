"""What a registration looks at before its transaction: metric files, its metadata document, the artifacts it names."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from modelyard.aws.errors import AwsError, ValidationException
from modelyard.dispatch.artifacts import FoundObject, Keeper, NotLookedUp, keeper
from modelyard.dispatch.context import Context
from modelyard.registry import integrity, metadata, metrics
from modelyard.registry.hashing import hashed
from modelyard.registry.integrity import Kind, Place
from modelyard.storage.interface import Transaction

Request = dict[str, Any]
Key = tuple[Kind, str, str | None]
"""A place without its path, which may change until the version is kept: kind, address, expected ETag or digest."""

HASHED_AT_ONCE = 512 * 1024**2
"""Bytes of objects that came in parts, and so have no digest as a whole yet, that a registration waits for: about a second.
What is larger is hashed by the worker, from the bytes that are pinned."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found at a place, or why nothing was."""

    objects: tuple[tuple[FoundObject, str | None], ...] = ()
    """With the SHA-256 of all its bytes, None where that is still to be worked out."""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a registration found."""

    figures: dict[str, float] = field(default_factory=dict)
    metadata: dict[str, Any] | None = None
    findings: Mapping[Key, Finding] = field(default_factory=dict)


NOTHING = Prepared()


def key_of(place: Place) -> Key:
    """By what a finding is kept."""
    return place.kind, place.uri, place.expected


def needed(request: Request) -> bool:
    """Whether a registration, or an update, has anything to look at."""
    return (
        metadata.ADDRESS in request.get("CustomerMetadataProperties", ())
        or metrics.names_files(request)
        or integrity.names_artifacts(_named(request))
    )


def prepare(context: Context, request: Request) -> Prepared:
    """Look at all of it, as the caller. Raises ValidationException for a metadata document that cannot be read."""
    return _looked(context, request, HASHED_AT_ONCE)


def prepared(context: Context, request: Request) -> Prepared:
    """What was prepared; for a call from within a transaction, which nothing was prepared for, what rows alone tell."""
    if isinstance(context.prepared, Prepared):
        return context.prepared
    return _looked(context, request, 0) if needed(request) else NOTHING


def look_up(context: Context, tx: Transaction, place: Place) -> Finding:
    """What is at a place in S3, from rows alone."""
    return _Lookup(context, tx).at(place)


def _looked(context: Context, request: Request, budget: int) -> Prepared:
    with context.read() as tx:
        lookup = _Lookup(context, tx)
        places = [place for place in integrity.places(_named(request)) if place.kind is not Kind.IMAGE]
        findings = {key_of(place): lookup.at(place) for place in places}
    return Prepared(
        figures=metrics.read_files(context, request),
        metadata=_metadata(context, request.get("CustomerMetadataProperties", {}).get(metadata.ADDRESS)),
        findings=_all_hashed(context, findings, budget),
    )


def _named(request: Request) -> Request:
    """The request with the specifications that an update adds, where a registration has them."""
    if "AdditionalInferenceSpecificationsToAdd" not in request:
        return request
    return {**request, "AdditionalInferenceSpecifications": request["AdditionalInferenceSpecificationsToAdd"]}


class _Lookup:
    """Looks places up, as one caller."""

    def __init__(self, context: Context, tx: Transaction) -> None:
        self._context = context
        self._tx = tx

    def at(self, place: Place) -> Finding:
        """What is at a place, or why nothing is."""
        try:
            return self._objects(place)
        except (NotLookedUp, ValueError) as error:
            return Finding(reason=str(error))

    def _objects(self, place: Place) -> Finding:
        keeps = _keeper()
        bucket, key = integrity.address(place)
        if place.kind is Kind.PREFIX:
            found = keeps.find_below(self._context, self._tx, bucket, key, integrity.MOST_OBJECTS)
        else:
            found = [keeps.find(self._context, self._tx, bucket, key)]
            if not integrity.agrees(place, found[0].etag):
                raise NotLookedUp(f"The registration says that its ETag is {place.expected}, and it is {found[0].etag}.")
        return Finding(objects=tuple((one, one.digest) for one in found))


def _all_hashed(context: Context, findings: dict[Key, Finding], budget: int) -> dict[Key, Finding]:
    """The findings with the SHA-256 of objects that came in parts, as far as so many bytes go."""
    hashed_findings = {}
    for key, finding in findings.items():
        parted = [found for found, digest in finding.objects if digest is None]
        size = sum(found.size for found in parted)
        if parted and size <= budget:
            budget -= size
            hashed_findings[key] = _hashed(context, finding)
        else:
            hashed_findings[key] = finding
    return hashed_findings


def _hashed(context: Context, finding: Finding) -> Finding:
    try:
        return Finding(
            tuple((found, digest or hashed(_keeper().read_found(context, found))) for found, digest in finding.objects)
        )
    except NotLookedUp as error:
        return Finding(reason=str(error))


def _keeper() -> Keeper:
    found = keeper()
    if found is None:
        raise NotLookedUp("This server keeps no objects.")
    return found


def _metadata(context: Context, uri: str | None) -> dict[str, Any] | None:
    """The document that a registration brings, read as the caller. Raises ValidationException."""
    if uri is None:
        return None
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    if not uri.startswith("s3://") or not bucket or not key:
        raise ValidationException(f"{metadata.ADDRESS} must be the s3:// address of a JSON file, and not {uri}.")
    try:
        answer = context.call("s3", "GetObject", {"Bucket": bucket, "Key": key})
        if answer["ContentLength"] > metadata.MOST_BYTES:
            raise metadata.NotMetadata(f"it has more than {metadata.MOST_BYTES} bytes.")
        body = answer["Body"]
        return metadata.parse(body if isinstance(body, bytes) else b"".join(body))
    except metadata.NotMetadata as error:
        raise ValidationException(f"The metadata document {uri} cannot be used: {error}") from None
    except AwsError as error:
        raise ValidationException(f"The metadata document {uri} cannot be read: {error.message}") from None
