"""All the SQL of signatures."""

from dataclasses import dataclass

import orjson

from modelyard.registry.model_package import PackageName
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


def after(tx: Transaction, number: int, most: int) -> list[tuple[int, PackageName, Signature, bytes]]:
    """Signatures of all versions from a row on, for `verify`: row, version, signature, bundle."""
    rows = tx.all(
        "SELECT s.id, s.created, s.author, s.fingerprint, s.public_key, s.certificate, s.files, s.number, s.bundle,"
        " p.account, p.region, p.folded, p.version FROM version_signature AS s"
        " JOIN model_package AS p ON p.id = s.package_id WHERE s.number > :number ORDER BY s.number LIMIT :most",
        {"number": number, "most": most},
    )
    return [(row[7], PackageName(*row[9:13]), _signature(row), bytes(row[8])) for row in rows]


def _signature(row: Row) -> Signature:
    files = tuple((name, digest) for name, digest in orjson.loads(row[6]))
    return Signature(row[0], row[1], row[2], row[3], row[4], row[5], files)
