"""The SQL that ties rows to bytes: which blobs are referred to, and which may go.

Rows without bytes must never be; bytes without rows are cleared up later. So:

- Bytes are durable before a row that names them is written, and whoever writes such a row calls `refer` in the same
  transaction, unless another row named them already.
- Whoever removes such a row calls `release` in the same transaction: the sweep will look whether anything still refers.
- The sweep first marks blobs as `removing` (a commit), then deletes their bytes, then their rows. `refer` refuses a blob
  that is being removed; and an upload that looked before a round of removals and refers after it makes sure that its bytes
  are still there.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from modelyard.blobs.interface import Blob, BlobStore
from modelyard.object_store.errors import s3_error
from modelyard.storage.interface import Transaction

_REFERRED = (
    "EXISTS (SELECT 1 FROM object_version WHERE digest = blob.digest)"
    " OR EXISTS (SELECT 1 FROM object_part WHERE digest = blob.digest)"
    " OR EXISTS (SELECT 1 FROM multipart_part WHERE digest = blob.digest)"
    " OR EXISTS (SELECT 1 FROM pinned_part WHERE digest = blob.digest)"
)
"""Who refers to a blob: whatever must keep bytes readable is asked here."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What an upload saw of the sweep before its bytes went to their place."""

    rounds: int
    removing: bool


def look(tx: Transaction, digest: str) -> Seen:
    """See how the sweep stands; to be called before bytes are committed."""
    row = tx.one(
        "SELECT s.rounds, COALESCE(b.removing, 0) FROM blob_sweep s LEFT JOIN blob b ON b.digest = :digest WHERE s.id = 1",
        {"digest": digest},
    )
    assert row is not None, "blob_sweep has one row from its migration on"
    return Seen(row[0], bool(row[1]))


def refer(tx: Transaction, blob: Blob, seen: Seen, blobs: BlobStore) -> None:
    """Note that a row of this transaction names bytes that were committed after `seen`.

    Raises SlowDown (which clients retry) in the rare case that the sweep took the same bytes away in between.
    """
    now = look(tx, blob.digest)
    if now.removing or ((seen.removing or now.rounds != seen.rounds) and blobs.size(blob.digest) != blob.size):
        raise s3_error("SlowDown")
    tx.execute(
        "INSERT INTO blob (digest, size) VALUES (:digest, :size) ON CONFLICT (digest) DO UPDATE SET released_at = NULL",
        {"digest": blob.digest, "size": blob.size},
    )


def release(tx: Transaction, digests: Iterable[str], now: float) -> None:
    """Note that rows that named these bytes went away."""
    tx.execute_many(
        "UPDATE blob SET released_at = :now WHERE digest = :digest", [{"digest": digest, "now": now} for digest in digests]
    )


def condemn(tx: Transaction, before: float, most: int) -> list[str]:
    """Mark blobs that were released before then and that nothing refers to; all that are marked, at most so many.

    Those that something still refers to are left alone from now on.
    """
    when = {"before": before}
    if tx.one("SELECT 1 FROM blob WHERE released_at < :before AND removing = 0 LIMIT 1", when) is not None:
        tx.execute(f"UPDATE blob SET released_at = NULL WHERE released_at < :before AND removing = 0 AND ({_REFERRED})", when)
        tx.execute("UPDATE blob SET removing = 1 WHERE released_at < :before", when)
        tx.execute("UPDATE blob_sweep SET rounds = rounds + 1 WHERE id = 1")
    rows = tx.all("SELECT digest FROM blob WHERE removing = 1 AND released_at IS NOT NULL LIMIT :most", {"most": most})
    return [digest for (digest,) in rows]


def forget(tx: Transaction, digests: Sequence[str]) -> None:
    """Remove the rows of blobs whose bytes are gone."""
    tx.execute_many("DELETE FROM blob WHERE digest = :digest AND removing = 1", [{"digest": digest} for digest in digests])


def is_known(tx: Transaction, digest: str) -> bool:
    """Whether there is a row for these bytes."""
    return tx.one("SELECT 1 FROM blob WHERE digest = :digest", {"digest": digest}) is not None


def adopt(tx: Transaction, orphans: Iterable[Blob], now: float) -> None:
    """Note bytes that no row knows: of an upload that a crash cut off, or of one that is about to write its row."""
    tx.execute_many(
        "INSERT INTO blob (digest, size, released_at) VALUES (:digest, :size, :now) ON CONFLICT (digest) DO NOTHING",
        [{"digest": orphan.digest, "size": orphan.size, "now": now} for orphan in orphans],
    )


def blobs_after(tx: Transaction, digest: str, most: int) -> list[Blob]:
    """Blobs that rows may name, in order of their digests, for `verify`: what is being removed is left out."""
    rows = tx.all(
        "SELECT digest, size FROM blob WHERE digest > :digest AND removing = 0 ORDER BY digest LIMIT :most",
        {"digest": digest, "most": most},
    )
    return [Blob(*row) for row in rows]
