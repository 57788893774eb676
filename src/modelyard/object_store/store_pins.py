"""The SQL of pins: versions of objects whose bytes stay, whatever becomes of the objects."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from modelyard.dispatch import kept_blobs
from modelyard.object_store import store, store_objects
from modelyard.object_store.bucket import Bucket
from modelyard.object_store.checksum import Checksum
from modelyard.object_store.object_version import NULL, ObjectVersion, Part
from modelyard.storage.interface import Row, Transaction

kept_blobs.refers("pinned_part")

WHOLE = 0
"""The number of the one part of an object that came whole."""


class BytesGone(Exception):
    """Bytes that were found are cleared away by now, or on their way out."""


@dataclass(frozen=True, slots=True)
class Pinned:
    """Bytes that a pin keeps, and for whom."""

    pin: int
    holder: str
    key: str
    version_id: str


def pin(tx: Transaction, holder: str, bucket: Bucket, version: ObjectVersion, parts: Sequence[Part]) -> int:
    """Keep the bytes of a version for `holder`; the number of the pin. Raises BytesGone."""
    kept = parts if version.part_count else [Part(WHOLE, version.size, version.digest or "", "")]
    for digest in {part.digest for part in kept}:
        row = tx.one("SELECT removing FROM blob WHERE digest = :digest", {"digest": digest})
        if row is None or row[0]:
            raise BytesGone(f"The bytes of {version.key} are no longer there.")
    made = tx.one(
        "INSERT INTO object_pin (holder, bucket_id, object_key, version_id, facts)"
        " VALUES (:holder, :bucket, :key, :version, :facts) RETURNING id",
        {
            "holder": holder,
            "bucket": bucket.id,
            "key": version.key,
            "version": version.version_id,
            "facts": orjson.dumps(_facts(version)).decode(),
        },
    )
    assert made is not None, "RETURNING gives the inserted row"
    tx.execute_many(
        "INSERT INTO pinned_part (pin, number, size, digest, checksum_value) VALUES (:pin, :number, :size, :digest, :checksum)",
        [
            {"pin": made[0], "number": part.number, "size": part.size, "digest": part.digest, "checksum": part.checksum_value}
            for part in kept
        ],
    )
    return int(made[0])


def hold(tx: Transaction, holder: str, number: int) -> int | None:
    """Keep for another holder what a pin keeps; the number of the new pin, None when there is no such pin."""
    made = tx.one(
        "INSERT INTO object_pin (holder, bucket_id, object_key, version_id, facts)"
        " SELECT :holder, bucket_id, object_key, version_id, facts FROM object_pin WHERE id = :pin RETURNING id",
        {"holder": holder, "pin": number},
    )
    if made is None:
        return None
    tx.execute(
        "INSERT INTO pinned_part (pin, number, size, digest, checksum_value)"
        " SELECT :made, number, size, digest, checksum_value FROM pinned_part WHERE pin = :pin",
        {"made": made[0], "pin": number},
    )
    return int(made[0])


def bucket_of(tx: Transaction, number: int) -> Bucket | None:
    """The bucket that a pin's object was in, None when that is gone: one of the same name that was made later is another."""
    row = tx.one("SELECT b.name FROM object_pin p JOIN bucket b ON b.id = p.bucket_id WHERE p.id = :pin", {"pin": number})
    return None if row is None else store.bucket(tx, row[0])


def unpin(tx: Transaction, holder: str, now: float, but: frozenset[int]) -> None:
    """Let go of everything that `holder` keeps, but for those pins."""
    for (number,) in tx.all("SELECT id FROM object_pin WHERE holder = :holder", {"holder": holder}):
        if number in but:
            continue
        kept_blobs.release(tx, [part.digest for part in parts(tx, number)], now)
        tx.execute("DELETE FROM pinned_part WHERE pin = :pin", {"pin": number})
        tx.execute("DELETE FROM object_pin WHERE id = :pin", {"pin": number})


def version(tx: Transaction, bucket: Bucket, key: str, version_id: str) -> ObjectVersion | None:
    """A version that a pin keeps. The `null` version is none: its id says nothing of which bytes are meant."""
    if version_id == NULL:
        return None
    row = tx.one(
        "SELECT id, object_key, version_id, facts FROM object_pin"
        " WHERE bucket_id = :bucket AND object_key = :key AND version_id = :version ORDER BY id LIMIT 1",
        {"bucket": bucket.id, "key": key, "version": version_id},
    )
    return None if row is None else _version(tx, row)


def pinned_version(tx: Transaction, number: int) -> ObjectVersion | None:
    """The version that a pin keeps, by the number of the pin."""
    row = tx.one("SELECT id, object_key, version_id, facts FROM object_pin WHERE id = :pin", {"pin": number})
    return None if row is None else _version(tx, row)


def is_encrypted(tx: Transaction, number: int) -> bool:
    """Whether what a pin keeps is encrypted with a key of KMS."""
    row = tx.one("SELECT facts FROM object_pin WHERE id = :pin", {"pin": number})
    return row is not None and orjson.loads(row[0]).get("sealed") is not None


def parts(tx: Transaction, number: int) -> list[Part]:
    """What a pin keeps, in order."""
    rows = tx.all(
        "SELECT number, size, digest, checksum_value FROM pinned_part WHERE pin = :pin ORDER BY number", {"pin": number}
    )
    return [Part(*row) for row in rows]


def parts_of(tx: Transaction, version: ObjectVersion) -> list[Part]:
    """The parts that a version is read from, be it there or pinned."""
    if not version.part_count:
        return []
    return parts(tx, version.pin) if version.pin else store_objects.parts(tx, version)


def holders_of(tx: Transaction, digest: str) -> list[Pinned]:
    """Who keeps these bytes."""
    rows = tx.all(
        "SELECT DISTINCT p.id, p.holder, p.object_key, p.version_id FROM pinned_part AS part"
        " JOIN object_pin AS p ON p.id = part.pin WHERE part.digest = :digest ORDER BY p.id",
        {"digest": digest},
    )
    return [Pinned(*row) for row in rows]


def pins_after(tx: Transaction, number: int, most: int) -> list[tuple[Pinned, list[Part]]]:
    """Pins in order of their numbers with what they keep, for `verify`."""
    rows = tx.all(
        "SELECT id, holder, object_key, version_id FROM object_pin WHERE id > :number ORDER BY id LIMIT :most",
        {"number": number, "most": most},
    )
    return [(Pinned(*row), parts(tx, row[0])) for row in rows]


def _facts(version: ObjectVersion) -> dict[str, Any]:
    checksum = version.checksum
    return {
        "modified": version.modified,
        "size": version.size,
        "etag": version.etag,
        "part_count": version.part_count,
        "storage_class": version.storage_class,
        "checksum": [checksum.algorithm, checksum.value, checksum.type] if checksum else None,
        "headers": version.headers,
        "tags": version.tags,
        "sealed": version.sealed,
    }


def _version(tx: Transaction, row: Row) -> ObjectVersion:
    number, key, version_id, text = row
    facts = orjson.loads(text)
    checksum = Checksum(*facts.pop("checksum")) if facts["checksum"] else facts.pop("checksum")
    digest = None if facts["part_count"] else parts(tx, number)[0].digest
    return ObjectVersion(key=key, version_id=version_id, digest=digest, checksum=checksum, pin=number, **facts)
