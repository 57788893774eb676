"""Whether the bytes that versions were registered with are still those bytes, and their signatures those that were put."""

from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import chain
from typing import Any

from modelyard.blobs.interface import BlobStore
from modelyard.cli.copies import PAGE
from modelyard.object_store import store_pins
from modelyard.object_store.encryption import sealed_size
from modelyard.object_store.object_version import Part
from modelyard.registry import dsse, governance_store, signature_bundle, store, store_signatures
from modelyard.registry.hashing import hashed
from modelyard.registry.integrity import UNVERIFIED
from modelyard.registry.model_package import PackageName
from modelyard.registry.signature_bundle import NotASignature
from modelyard.registry.store_signatures import Signature
from modelyard.storage.interface import Storage

Document = dict[str, Any]


@dataclass(slots=True)
class Registered:
    """What was looked at, and what is wrong."""

    versions: int = 0
    """Versions of which something is kept."""
    unverified: int = 0
    """Those of them of which something could not be looked up when they were registered."""
    problems: list[str] = field(default_factory=list)


def verify_versions(storage: Storage, blobs: BlobStore, damaged: Container[str]) -> Registered:
    """Compare every version's record of its artifacts with the bytes that are kept; `damaged` are digests known to be broken.

    An object that came in parts is read once more, since its digest is that of all parts together.
    """
    found = Registered()
    for at, records in _versions(storage):
        found.versions += 1
        found.unverified += any(record["Status"] == UNVERIFIED for record in records)
        problems = [
            f"{at.arn}: s3://{kept['Bucket']}/{kept['Key']} {problem}"
            for record in records
            for kept in record.get("Objects", ())
            if (problem := _problem(storage, blobs, kept, damaged)) is not None
        ]
        if problems and _is_there(storage, at):
            found.problems += problems
    return found


def recorded_images(storage: Storage) -> frozenset[str]:
    """The digests of the images that versions were registered with."""
    return frozenset(record["ImageDigest"] for _, records in _versions(storage) for record in records if "ImageDigest" in record)


def verify_signatures(storage: Storage) -> list[str]:
    """What is wrong with the signatures of versions: each is verified anew with the key that it was taken with."""
    problems: list[str] = []
    last = 0
    while True:
        with storage.read() as tx:
            page = store_signatures.after(tx, last, PAGE)
        if not page:
            return problems
        for number, at, kept, bundle in page:
            problem = _signature_problem(kept, bundle)
            if problem is not None and _is_there(storage, at):
                problems.append(f"{at.arn}: the signature {kept.id} {problem}")
            last = number


def _signature_problem(kept: Signature, bundle: bytes) -> str | None:
    if sha256(bundle).hexdigest() != kept.id:
        return "was changed."
    try:
        verified = signature_bundle.verify(bundle, kept.public_key)
    except NotASignature as error:
        return f"does not hold: {error}"
    if dsse.fingerprint(verified.key) != kept.fingerprint or verified.files != kept.files:
        return "is not what the registry says of it: another key, or other files."
    return None


def _is_there(storage: Storage, at: PackageName) -> bool:
    """Whether a version is there still: while a server runs it may have been deleted just now."""
    with storage.read() as tx:
        return store.package_document(tx, at) is not None


def _versions(storage: Storage) -> Iterator[tuple[PackageName, list[Document]]]:
    last = 0
    while True:
        with storage.read() as tx:
            page = governance_store.integrity_after(tx, last, PAGE)
        if not page:
            return
        for row, at, records in page:
            yield at, records
            last = row


def _problem(storage: Storage, blobs: BlobStore, kept: Document, damaged: Container[str]) -> str | None:
    with storage.read() as tx:
        parts = store_pins.parts(tx, kept["Pin"])
        encrypted = store_pins.is_encrypted(tx, kept["Pin"])
    if sum(part.size for part in parts) != kept["Size"] or not parts:
        return "is no longer kept as it was registered."
    size_of = sealed_size if encrypted else int
    if any(part.digest in damaged or blobs.size(part.digest) != size_of(part.size) for part in parts):
        return "is damaged: bytes that it was registered with are missing or changed."
    if "Sha256" not in kept or encrypted:  # what is encrypted was compared as it is kept: nobody here may decrypt it
        return None
    digest = parts[0].digest if len(parts) == 1 else _digest(blobs, parts)
    return (
        None if digest == f"sha256:{kept['Sha256']}" else f"has the SHA-256 {digest}, and was registered with {kept['Sha256']}."
    )


def _digest(blobs: BlobStore, parts: list[Part]) -> str:
    return hashed(chain.from_iterable(blobs.read(part.digest) for part in parts))
