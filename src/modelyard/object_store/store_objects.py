"""The SQL of objects and their versions."""

from collections.abc import Sequence
from typing import Any

import orjson

from modelyard.dispatch import kept_blobs
from modelyard.object_store.bucket import Bucket
from modelyard.object_store.checksum import Checksum
from modelyard.object_store.listing import Start
from modelyard.object_store.object_version import NULL, Listed, ObjectVersion, Part
from modelyard.object_store.retention import Lock
from modelyard.storage.interface import Row, Transaction

kept_blobs.refers("object_version")
kept_blobs.refers("object_part")

_COLUMNS = (
    "id, object_key, version_id, delete_marker, modified, size, etag, digest, part_count, upload_id, storage_class,"
    " checksum_algorithm, checksum_type, checksum_value, headers, tags, retention_mode, retain_until, legal_hold, sealed"
)
_LISTED = "object_key, version_id, modified, size, etag, storage_class, checksum_algorithm, checksum_type, delete_marker, id"


def newest(tx: Transaction, bucket: Bucket, key: str) -> ObjectVersion | None:
    """The newest version of a key, which may be a delete marker."""
    row = tx.one(
        f"SELECT {_COLUMNS} FROM object_version WHERE bucket_id = :bucket AND object_key = :key ORDER BY id DESC LIMIT 1",
        {"bucket": bucket.id, "key": key},
    )
    return None if row is None else _version(row)


def version(tx: Transaction, bucket: Bucket, key: str, version_id: str) -> ObjectVersion | None:
    """One version of a key."""
    row = tx.one(
        f"SELECT {_COLUMNS} FROM object_version WHERE bucket_id = :bucket AND object_key = :key AND version_id = :version",
        {"bucket": bucket.id, "key": key, "version": version_id},
    )
    return None if row is None else _version(row)


def of_upload(tx: Transaction, bucket: Bucket, key: str, upload_id: str) -> ObjectVersion | None:
    """The version that a completed upload became, while it is there."""
    row = tx.one(
        f"SELECT {_COLUMNS} FROM object_version WHERE bucket_id = :bucket AND object_key = :key AND upload_id = :upload",
        {"bucket": bucket.id, "key": key, "upload": upload_id},
    )
    return None if row is None else _version(row)


def parts(tx: Transaction, version: ObjectVersion) -> list[Part]:
    """The parts that an object is read from, in order."""
    rows = tx.all(
        "SELECT number, size, digest, checksum_value FROM object_part WHERE object_version = :id ORDER BY number",
        {"id": version.id},
    )
    return [Part(*row) for row in rows]


def add(tx: Transaction, bucket: Bucket, new: ObjectVersion, parts: Sequence[Part] = ()) -> None:
    """Make `new` the newest version of its key; a `null` version takes the place of the one before.

    The caller has seen to `kept_blobs.refer`.
    """
    if new.is_null:
        before = version(tx, bucket, new.key, NULL)
        if before is not None:
            _remove_row(tx, before, new.modified)
    tx.execute(
        "UPDATE object_version SET listed = 0 WHERE bucket_id = :bucket AND object_key = :key AND listed = 1",
        {"bucket": bucket.id, "key": new.key},
    )
    row = tx.one(
        "INSERT INTO object_version (bucket_id, object_key, version_id, listed, delete_marker, modified, size, etag, digest,"
        " part_count, upload_id, storage_class, checksum_algorithm, checksum_type, checksum_value, headers, tags,"
        " retention_mode, retain_until, legal_hold, sealed) VALUES (:bucket, :key, :version, :listed, :marker, :modified, :size,"
        " :etag, :digest, :part_count, :upload, :storage_class, :algorithm, :type, :checksum, :headers, :tags, :mode, :until,"
        " :hold, :sealed) RETURNING id",
        _parameters(bucket, new),
    )
    assert row is not None, "RETURNING gives the inserted row"
    tx.execute_many(
        "INSERT INTO object_part (object_version, number, size, digest, checksum_value)"
        " VALUES (:version, :number, :size, :digest, :checksum)",
        [
            {"version": row[0], "number": part.number, "size": part.size, "digest": part.digest, "checksum": part.checksum_value}
            for part in parts
        ],
    )


def remove(tx: Transaction, bucket: Bucket, old: ObjectVersion, now: float) -> None:
    """Remove a version for good; the one before it becomes the newest."""
    _remove_row(tx, old, now)
    tx.execute(
        "UPDATE object_version SET listed = 1 WHERE listed = 0 AND delete_marker = 0 AND id = (SELECT MAX(id) FROM object_version"
        " WHERE bucket_id = :bucket AND object_key = :key)",
        {"bucket": bucket.id, "key": old.key},
    )


def set_tags(tx: Transaction, version: ObjectVersion, tags: dict[str, str]) -> None:
    """Give a version these tags in place of its own."""
    tx.execute("UPDATE object_version SET tags = :tags WHERE id = :id", {"id": version.id, "tags": orjson.dumps(tags).decode()})


def set_lock(tx: Transaction, version: ObjectVersion, lock: Lock) -> None:
    """Give a version this retention and legal hold."""
    tx.execute(
        "UPDATE object_version SET retention_mode = :mode, retain_until = :until, legal_hold = :hold WHERE id = :id",
        {"id": version.id, "mode": lock.mode, "until": lock.until, "hold": int(lock.legal_hold)},
    )


def current(tx: Transaction, bucket: Bucket, start: Start, most: int) -> list[Listed]:
    """Objects from a key on, in order of their keys, without delete markers and older versions."""
    rows = tx.all(
        f"SELECT {_LISTED} FROM object_version WHERE bucket_id = :bucket AND listed = 1"
        f" AND object_key {'>=' if start.inclusive else '>'} :key ORDER BY object_key LIMIT :most",
        {"bucket": bucket.id, "key": start.key, "most": most},
    )
    return [_listed(row) for row in rows]


def versions(tx: Transaction, bucket: Bucket, start: Start, most: int) -> list[Listed]:
    """Versions and delete markers from a key on, in order of their keys, the newest of a key first."""
    older: list[Listed] = []
    if start.within:
        rows = tx.all(
            f"SELECT {_LISTED} FROM object_version WHERE bucket_id = :bucket AND object_key = :key AND id < :than"
            " ORDER BY id DESC LIMIT :most",
            {"bucket": bucket.id, "key": start.key, "than": start.within, "most": most},
        )
        older = [_listed(row) for row in rows]
    if len(older) == most:
        return older
    rows = tx.all(
        f"SELECT {_LISTED} FROM object_version WHERE bucket_id = :bucket"
        f" AND object_key {'>=' if start.inclusive else '>'} :key ORDER BY object_key, id DESC LIMIT :most",
        {"bucket": bucket.id, "key": start.key, "most": most - len(older)},
    )
    return older + [_listed(row) for row in rows]


def _remove_row(tx: Transaction, old: ObjectVersion, now: float) -> None:
    """Remove a row and let go of its bytes."""
    if old.part_count:
        kept_blobs.release(tx, [part.digest for part in parts(tx, old)], now)
        tx.execute("DELETE FROM object_part WHERE object_version = :id", {"id": old.id})
    elif old.digest is not None:
        kept_blobs.release(tx, [old.digest], now)
    tx.execute("DELETE FROM object_version WHERE id = :id", {"id": old.id})


def _parameters(bucket: Bucket, new: ObjectVersion) -> dict[str, Any]:
    checksum = new.checksum or Checksum("", "", "")
    return {
        "bucket": bucket.id,
        "key": new.key,
        "version": new.version_id,
        "listed": int(not new.delete_marker),
        "marker": int(new.delete_marker),
        "modified": new.modified,
        "size": new.size,
        "etag": new.etag,
        "digest": new.digest,
        "part_count": new.part_count,
        "upload": new.upload_id,
        "storage_class": new.storage_class,
        "algorithm": checksum.algorithm,
        "type": checksum.type,
        "checksum": checksum.value,
        "headers": orjson.dumps(new.headers).decode(),
        "tags": orjson.dumps(new.tags).decode(),
        "mode": new.lock.mode,
        "until": new.lock.until,
        "hold": int(new.lock.legal_hold),
        "sealed": None if new.sealed is None else orjson.dumps(new.sealed).decode(),
    }


def _version(row: Row) -> ObjectVersion:
    return ObjectVersion(
        id=row[0],
        key=row[1],
        version_id=row[2],
        delete_marker=bool(row[3]),
        modified=row[4],
        size=row[5],
        etag=row[6],
        digest=row[7],
        part_count=row[8],
        upload_id=row[9],
        storage_class=row[10],
        checksum=Checksum(row[11], row[13], row[12]) if row[11] else None,
        headers=orjson.loads(row[14]),
        tags=orjson.loads(row[15]),
        lock=Lock(row[16], row[17], bool(row[18])),
        sealed=None if row[19] is None else orjson.loads(row[19]),
    )


def _listed(row: Row) -> Listed:
    return Listed(*row)
