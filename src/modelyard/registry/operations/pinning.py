"""Pins what a version relies on, in the transaction that keeps the version, and takes down what it was."""

from collections.abc import Iterable
from typing import Any

from modelyard.dispatch import image_lookup
from modelyard.dispatch.artifacts import NotLookedUp, keeper
from modelyard.dispatch.context import Context
from modelyard.registry import governance_store, integrity
from modelyard.registry.integrity import Kind, Place
from modelyard.registry.operations.preparation import Finding, Prepared, key_of, look_up

Document = dict[str, Any]


def pin_new(context: Context, arn: str, document: Document, prepared: Prepared) -> list[Document]:
    """Pin what a new version names and fill its digests into the document; the records of its places, if they say anything."""
    records = [_pinned(context, arn, document, place, prepared) for place in integrity.places(document)]
    if all(record.get("Reason") == integrity.NO_IMAGE for record in records):
        return []  # most images are not kept here, and DescribeIntegrity says so without a record
    return records


def pin_changed(
    context: Context, arn: str, document: Document, prepared: Prepared, before: Iterable[Document], *, replaced: bool
) -> list[Document]:
    """The same for an update; what it leaves as it was stays pinned as it was. `replaced`: its InferenceSpecification is new."""
    kept = {
        record["Location"]: record
        for record in before
        if not (replaced and record["Location"].startswith("InferenceSpecification."))
    }
    records = [
        kept.get(place.location) or _pinned(context, arn, document, place, prepared) for place in integrity.places(document)
    ]
    keeps = keeper()
    if keeps is not None:
        keeps.unpin(context.tx, arn, context.now, but=integrity.pins_of(records))
    return records


def keep(context: Context, package_id: int, records: list[Document]) -> None:
    """Keep what was found."""
    if records:
        governance_store.put_integrity(context.tx, package_id, records, unhashed=integrity.unhashed(records))


def unpin(context: Context, arn: str) -> None:
    """Let go of what a version relied on."""
    keeps = keeper()
    if keeps is not None:
        keeps.unpin(context.tx, arn, context.now)


def _pinned(context: Context, arn: str, document: Document, place: Place, prepared: Prepared) -> Document:
    if place.kind is Kind.IMAGE:
        return _image(context, document, place)
    # What SourceUri brought in, only the transaction knows.
    finding = prepared.findings.get(key_of(place)) or look_up(context, context.tx, place)
    if finding.reason:
        return integrity.unverified(place, finding.reason)
    try:
        objects = [*_objects(context, arn, finding)]
    except NotLookedUp as error:
        return integrity.unverified(place, str(error))
    if place.kind is Kind.OBJECT:
        integrity.fill_in(document, place, finding.objects[0][0].etag)
    return integrity.verified(place, Objects=objects)


def _image(context: Context, document: Document, place: Place) -> Document:
    found = image_lookup.look_up(context, context.tx, place.uri)
    if found.digest is None:
        return integrity.unverified(place, found.reason or integrity.NO_IMAGE)
    digest = found.digest
    if place.expected not in (None, digest):
        return integrity.unverified(place, f"The registration says that its digest is {place.expected}, and it is {digest}.")
    integrity.fill_in(document, place, digest)
    return integrity.verified(place, ImageDigest=digest)


def _objects(context: Context, arn: str, finding: Finding) -> Iterable[Document]:
    keeps = keeper()
    assert keeps is not None, "what was found, a keeper found"
    for found, digest in finding.objects:
        record: Document = {"Bucket": found.bucket, "Key": found.key, "Size": found.size, "ETag": found.etag}
        if found.version_id is not None:
            record["VersionId"] = found.version_id
        if digest is not None:
            record["Sha256"] = digest.removeprefix("sha256:")
        yield {**record, "Pin": keeps.pin(context.tx, arn, found)}
