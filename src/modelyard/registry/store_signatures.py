"""All the SQL of signatures."""

from dataclasses import dataclass

import orjson

from modelyard.storage.interface import Row, Transaction


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature of a version, without its bundle."""

    id: str
    """The SHA-256 of the bundle in hexadecimal."""
    created: float
    author: str
    fingerprint: str
    public_key: str
    certificate: str | None
    files: tuple[tuple[str, str], ...]
    """Names and SHA-256s."""


_SIGNATURE = "SELECT id, created, author, fingerprint, public_key, certificate, files FROM version_signature"


def add(tx: Transaction, package_id: int, made: Signature, bundle: bytes) -> None:
    """Keep a signature."""
    tx.execute(
        "INSERT INTO version_signature (package_id, id, created, author, fingerprint, public_key, certificate, files, bundle)"
        " VALUES (:package_id, :id, :created, :author, :fingerprint, :public_key, :certificate, :files, :bundle)",
        {
            "package_id": package_id,
            "id": made.id,
            "created": made.created,
            "author": made.author,
            "fingerprint": made.fingerprint,
            "public_key": made.public_key,
            "certificate": made.certificate,
            "files": orjson.dumps(made.files).decode(),
            "bundle": bundle,
        },
    )


def signatures(tx: Transaction, package_id: int) -> list[Signature]:
    """The signatures of a version, the oldest first."""
    return [_signature(row) for row in tx.all(f"{_SIGNATURE} WHERE package_id = :id ORDER BY number", {"id": package_id})]


def bundle(tx: Transaction, package_id: int, signature: str) -> bytes:
    """The bundle of a signature that is there."""
    row = tx.one(
        "SELECT bundle FROM version_signature WHERE package_id = :package_id AND id = :id",
        {"package_id": package_id, "id": signature},
    )
    assert row is not None
    return bytes(row[0])


def _signature(row: Row) -> Signature:
    files = tuple((name, digest) for name, digest in orjson.loads(row[6]))
    return Signature(row[0], row[1], row[2], row[3], row[4], row[5], files)
