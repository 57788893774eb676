"""Whether a data directory, or a backup, is whole: its database, its blobs, and that both fit together."""

import hashlib
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from modelyard.access.keyring import KeyRing
from modelyard.blobs import open_blobs
from modelyard.blobs.directory import DirectoryBlobs
from modelyard.blobs.interface import Blob, BlobStore
from modelyard.cli.audit import verify_trail
from modelyard.cli.copies import PAGE, Progress
from modelyard.cli.registered_versions import verify_signatures, verify_versions
from modelyard.clock import SystemClock
from modelyard.dispatch import kept_blobs
from modelyard.events.trail import AuditTrail
from modelyard.server.composition import open_database
from modelyard.settings import Settings
from modelyard.storage import open_storage
from modelyard.storage import restore as restore_database
from modelyard.storage import verify as verify_database
from modelyard.storage.interface import Storage


@dataclass(slots=True)
class Findings:
    """What was looked at, and what is wrong."""

    rows: int = 0
    objects: int = 0
    bytes: int = 0
    records: int = 0
    """Of the audit trail."""
    versions: int = 0
    """Versions whose artifacts are kept."""
    unnamed: int = 0
    """Blobs that no row names: of uploads under way or cut off; they are cleared away in time."""
    problems: list[str] = field(default_factory=list)
    """One sentence each; empty when all is well."""
    damaged: set[str] = field(default_factory=set)
    """Digests of blobs whose bytes are missing or changed."""


def verify_data(settings: Settings, progress: Progress) -> Findings:
    """Look at the data of a server, which may be running. Raises KeyRingError without a usable master key."""
    key_ring = KeyRing.open(settings.data)
    storage = open_database(settings)
    try:
        return _verify(storage, open_blobs(settings), key_ring, progress)
    finally:
        storage.close()


def verify_backup(backup: Path, progress: Progress) -> Findings:
    """Look at a backup. Its database is checked in a copy, since opening it would change it. Raises BackupError."""
    key_ring = KeyRing.open(backup)
    with tempfile.TemporaryDirectory(prefix="modelyard-verify-") as place:
        copy = Path(place) / "modelyard.db"
        restore_database(backup, copy, lambda done, total: progress("reading the backup", done, total))
        storage = open_storage(copy)
        try:
            return _verify(storage, DirectoryBlobs(backup / "blobs"), key_ring, progress)
        finally:
            storage.close()


def _verify(storage: Storage, blobs: BlobStore, key_ring: KeyRing, progress: Progress) -> Findings:
    findings = Findings()
    found = verify_database(storage, lambda done, total: progress("tables", done, total))
    findings.rows = sum(found.rows.values())
    findings.problems += found.problems
    if found.problems:
        return findings  # what the rows of a damaged database say of blobs is not worth reading
    _named_blobs(storage, blobs, findings, progress)
    _unnamed_blobs(storage, blobs, findings)
    registered = verify_versions(storage, blobs, findings.damaged)
    findings.versions = registered.versions
    findings.problems += registered.problems
    findings.problems += verify_signatures(storage)
    _audit_trail(storage, AuditTrail(key_ring, SystemClock()), findings, progress)
    return findings


def _audit_trail(storage: Storage, trail: AuditTrail, findings: Findings, progress: Progress) -> None:
    """Walk the audit trail."""
    walked = verify_trail(storage, trail, None, progress)
    findings.records = walked.sequence
    if walked.problem is not None:
        findings.problems.append(f"The audit trail is not whole: {walked.problem.sentence}")


def _named_blobs(storage: Storage, blobs: BlobStore, findings: Findings, progress: Progress) -> None:
    """Read every blob that rows may name, and compare it with its digest."""
    total = sum(blob.size for page in _pages(storage) for blob in page)
    done = 0
    for page in _pages(storage):
        for blob in page:
            before = done

            def step(count: int, before: int = before) -> None:
                progress("objects", before + count, total)

            problem = _problem(blob, blobs, step)
            if problem and _still_named(storage, blob):
                findings.problems.append(problem)
                findings.damaged.add(blob.digest)
            findings.objects += 1
            done += blob.size
    findings.bytes = done


def _pages(storage: Storage) -> Iterator[list[Blob]]:
    """The blobs that rows may name, a page at a time, each from a snapshot of its own: no long one holds the database up."""
    last = ""
    while True:
        with storage.read() as tx:
            page = kept_blobs.blobs_after(tx, last, PAGE)
        if not page:
            return
        yield page
        last = page[-1].digest


def _problem(blob: Blob, blobs: BlobStore, step: Callable[[int], None]) -> str | None:
    seen, size = hashlib.sha256(), 0
    try:
        for piece in blobs.read(blob.digest):
            seen.update(piece)
            size += len(piece)
            step(size)
    except FileNotFoundError:
        return f"The bytes of {blob.digest} ({blob.size} bytes) are missing."
    if f"sha256:{seen.hexdigest()}" != blob.digest or size != blob.size:
        return f"The bytes of {blob.digest} ({blob.size} bytes) are damaged: they are {size} bytes with another digest."
    return None


def _still_named(storage: Storage, blob: Blob) -> bool:
    """Whether rows may still name a blob: while a server runs it may have been cleared away just now."""
    with storage.read() as tx:
        return blob in kept_blobs.blobs_after(tx, blob.digest[:-1], PAGE)


def _unnamed_blobs(storage: Storage, blobs: BlobStore, findings: Findings) -> None:
    with storage.read() as tx:
        findings.unnamed = sum(1 for digest in blobs.digests() if not kept_blobs.is_known(tx, digest))
