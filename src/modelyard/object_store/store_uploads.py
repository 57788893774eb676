"""The SQL of multipart uploads and their parts."""

import orjson

from modelyard.dispatch import kept_blobs
from modelyard.object_store.bucket import Bucket
from modelyard.object_store.listing import Start
from modelyard.object_store.upload import Upload, UploadedPart
from modelyard.storage.interface import Row, Transaction

kept_blobs.refers("multipart_part")

_COLUMNS = "id, upload_id, object_key, initiated, initiator, storage_class, checksum_algorithm, checksum_type, wanted"


def add(tx: Transaction, bucket: Bucket, upload: Upload) -> None:
    """Begin an upload."""
    tx.execute(
        "INSERT INTO multipart_upload (upload_id, bucket_id, object_key, initiated, initiator, storage_class, checksum_algorithm,"
        " checksum_type, wanted) VALUES (:id, :bucket, :key, :initiated, :initiator, :storage_class, :algorithm, :type, :wanted)",
        {
            "id": upload.upload_id,
            "bucket": bucket.id,
            "key": upload.key,
            "initiated": upload.initiated,
            "initiator": upload.initiator,
            "storage_class": upload.storage_class,
            "algorithm": upload.checksum_algorithm,
            "type": upload.checksum_type,
            "wanted": orjson.dumps(upload.wanted).decode(),
        },
    )


def upload(tx: Transaction, bucket: Bucket, key: str, upload_id: str) -> Upload | None:
    """The upload of this id, if it is one of this key."""
    row = tx.one(
        f"SELECT {_COLUMNS} FROM multipart_upload WHERE upload_id = :id AND bucket_id = :bucket AND object_key = :key",
        {"id": upload_id, "bucket": bucket.id, "key": key},
    )
    return None if row is None else _upload(row)


def uploads(tx: Transaction, bucket: Bucket, start: Start, most: int) -> list[Upload]:
    """Uploads from a key on, in order of their keys, the oldest of a key first."""
    later: list[Upload] = []
    if start.within:
        rows = tx.all(
            f"SELECT {_COLUMNS} FROM multipart_upload WHERE bucket_id = :bucket AND object_key = :key AND id > :row"
            " ORDER BY id LIMIT :most",
            {"bucket": bucket.id, "key": start.key, "row": start.within, "most": most},
        )
        later = [_upload(row) for row in rows]
    if len(later) == most:
        return later
    rows = tx.all(
        f"SELECT {_COLUMNS} FROM multipart_upload WHERE bucket_id = :bucket"
        f" AND object_key {'>=' if start.inclusive else '>'} :key ORDER BY object_key, id LIMIT :most",
        {"bucket": bucket.id, "key": start.key, "most": most - len(later)},
    )
    return later + [_upload(row) for row in rows]


def put_part(tx: Transaction, upload_id: str, part: UploadedPart) -> None:
    """Keep a part in place of the one with the same number. The caller has seen to `kept_blobs.refer`."""
    where = {"id": upload_id, "number": part.number}
    row = tx.one("SELECT digest FROM multipart_part WHERE upload_id = :id AND number = :number", where)
    if row is not None:
        tx.execute("DELETE FROM multipart_part WHERE upload_id = :id AND number = :number", where)
        kept_blobs.release(tx, [row[0]], part.modified)
    tx.execute(
        "INSERT INTO multipart_part (upload_id, number, size, etag, digest, checksum_value, modified)"
        " VALUES (:id, :number, :size, :etag, :digest, :checksum, :modified)",
        {
            **where,
            "size": part.size,
            "etag": part.etag,
            "digest": part.digest,
            "checksum": part.checksum_value,
            "modified": part.modified,
        },
    )


def parts(tx: Transaction, upload_id: str, after: int = 0, most: int = 10_000) -> list[UploadedPart]:
    """The parts that came so far, in order of their numbers."""
    rows = tx.all(
        "SELECT number, size, etag, digest, checksum_value, modified FROM multipart_part"
        " WHERE upload_id = :id AND number > :after ORDER BY number LIMIT :most",
        {"id": upload_id, "after": after, "most": most},
    )
    return [UploadedPart(*row) for row in rows]


def remove(tx: Transaction, upload_id: str, now: float) -> None:
    """End an upload, completed or aborted, and let go of its parts."""
    kept_blobs.release(tx, [part.digest for part in parts(tx, upload_id)], now)
    tx.execute("DELETE FROM multipart_part WHERE upload_id = :id", {"id": upload_id})
    tx.execute("DELETE FROM multipart_upload WHERE upload_id = :id", {"id": upload_id})


def remove_all(tx: Transaction, bucket: Bucket, now: float) -> None:
    """End every upload of a bucket that is going away."""
    rows = tx.all("SELECT upload_id FROM multipart_upload WHERE bucket_id = :bucket", {"bucket": bucket.id})
    for (upload_id,) in rows:
        remove(tx, upload_id, now)


def _upload(row: Row) -> Upload:
    upload_id, key, initiated, initiator, storage_class, algorithm, checksum_type, wanted = row[1:]
    return Upload(upload_id, key, initiated, initiator, storage_class, algorithm, checksum_type, orjson.loads(wanted), row[0])
