"""The SQL of buckets and their settings."""

from typing import Any

import orjson

from modelyard.object_store.bucket import Bucket, Versioning
from modelyard.object_store.object_key import after_prefix
from modelyard.storage.interface import Row, Transaction

_AFTER_ALL_NAMES = "{"
"""Names are lower-case letters, digits, dots and hyphens."""
_COLUMNS = "b.id, b.name, b.account, b.region, b.created, b.versioning, b.object_lock, b.policy, t.document"
_FROM = "FROM bucket b LEFT JOIN bucket_setting t ON t.bucket_id = b.id AND t.kind = 'tagging'"


def bucket(tx: Transaction, name: str) -> Bucket | None:
    """The bucket of this name, in whatever account."""
    row = tx.one(f"SELECT {_COLUMNS} {_FROM} WHERE b.name = :name", {"name": name})
    return None if row is None else _bucket(row)


def buckets(tx: Transaction, account: str, *, prefix: str, after: str, region: str, most: int) -> list[Bucket]:
    """The buckets of an account whose names come after `after`, in order of their names; of all regions if `region` is empty."""
    rows = tx.all(
        f"SELECT {_COLUMNS} {_FROM} WHERE b.account = :account AND b.name > :after AND b.name >= :prefix"
        " AND b.name < :end AND (:region = '' OR b.region = :region) ORDER BY b.name LIMIT :most",
        {
            "account": account,
            "after": after,
            "prefix": prefix,
            "end": after_prefix(prefix) or _AFTER_ALL_NAMES,
            "region": region,
            "most": most,
        },
    )
    return [_bucket(row) for row in rows]


def add_bucket(tx: Transaction, name: str, account: str, region: str, created: float, *, object_lock: bool) -> None:
    """Make a bucket; object lock needs versions, so it enables them."""
    tx.execute(
        "INSERT INTO bucket (name, account, region, created, versioning, object_lock)"
        " VALUES (:name, :account, :region, :created, :versioning, :object_lock)",
        {
            "name": name,
            "account": account,
            "region": region,
            "created": created,
            "versioning": Versioning.ENABLED.value if object_lock else Versioning.NEVER.value,
            "object_lock": int(object_lock),
        },
    )


def is_empty(tx: Transaction, bucket: Bucket) -> bool:
    """Whether no version and no delete marker is left. Unfinished uploads do not count."""
    return tx.one("SELECT 1 FROM object_version WHERE bucket_id = :id LIMIT 1", {"id": bucket.id}) is None


def remove_bucket(tx: Transaction, bucket: Bucket) -> None:
    """Remove an empty bucket that has no uploads."""
    tx.execute("DELETE FROM bucket_setting WHERE bucket_id = :id", {"id": bucket.id})
    tx.execute("DELETE FROM bucket WHERE id = :id", {"id": bucket.id})


def set_policy(tx: Transaction, bucket: Bucket, policy: str | None) -> None:
    """Keep a bucket's policy as it was given, or have none."""
    tx.execute("UPDATE bucket SET policy = :policy WHERE id = :id", {"id": bucket.id, "policy": policy})


def set_versioning(tx: Transaction, bucket: Bucket, versioning: Versioning) -> None:
    """Enable or suspend versioning."""
    tx.execute("UPDATE bucket SET versioning = :versioning WHERE id = :id", {"id": bucket.id, "versioning": versioning.value})


def enable_object_lock(tx: Transaction, bucket: Bucket) -> None:
    """Allow retention on the bucket's versions from now on."""
    tx.execute("UPDATE bucket SET object_lock = 1 WHERE id = :id", {"id": bucket.id})


def setting(tx: Transaction, bucket: Bucket, kind: str) -> Any:
    """A configuration of a bucket (`encryption`, `tagging`, `object_lock`) as it was put, or None."""
    row = tx.one("SELECT document FROM bucket_setting WHERE bucket_id = :id AND kind = :kind", {"id": bucket.id, "kind": kind})
    return None if row is None else orjson.loads(row[0])


def put_setting(tx: Transaction, bucket: Bucket, kind: str, document: Any) -> None:
    """Keep a configuration in place of the one before."""
    tx.execute(
        "INSERT INTO bucket_setting (bucket_id, kind, document) VALUES (:id, :kind, :document)"
        " ON CONFLICT (bucket_id, kind) DO UPDATE SET document = excluded.document",
        {"id": bucket.id, "kind": kind, "document": orjson.dumps(document).decode()},
    )


def remove_setting(tx: Transaction, bucket: Bucket, kind: str) -> None:
    """Forget a configuration; harmless when there is none."""
    tx.execute("DELETE FROM bucket_setting WHERE bucket_id = :id AND kind = :kind", {"id": bucket.id, "kind": kind})


def _bucket(row: Row) -> Bucket:
    bucket_id, name, account, region, created, versioning, object_lock, policy, tags = row
    return Bucket(
        id=bucket_id,
        name=name,
        account=account,
        region=region,
        created=created,
        versioning=Versioning(versioning),
        object_lock=bool(object_lock),
        policy=policy,
        tags=orjson.loads(tags) if tags else {},
    )
