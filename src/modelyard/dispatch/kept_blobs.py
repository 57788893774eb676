"""What ties rows to bytes: which blobs are referred to, and which may go. For every part that keeps bytes.

The tables `blob` and `blob_sweep` come with the object store, which was the first such part and whose worker sweeps for all. Each
part says by `refers` in which of its tables bytes are named.

Rows without bytes must never be; bytes without rows are cleared up later. So:

- Bytes are durable before a row that names them is written, and whoever writes such a row calls `refer` in the same
  transaction, unless another row named them already.
- Whoever removes such a row calls `release` in the same transaction: the sweep will look whether anything still refers.
- The sweep first marks blobs as `removing` (a commit), then deletes their bytes, then their rows. `refer` refuses a blob
  that is being removed; and an upload that looked before a round of removals and refers after it makes sure that its bytes
  are still there.
"""

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass

from modelyard.aws.errors import ThrottlingException
from modelyard.blobs.interface import Blob, BlobStore, BlobWriter
from modelyard.storage.interface import Storage, Transaction

_REFERRERS: dict[str, str] = {}
"""By table, the condition that a row of it names a blob: whatever must keep bytes readable is asked here."""


def refers(table: str) -> None:
    """Declare that rows of a table name bytes, in their column `digest`, which has an index."""
    _REFERRERS[table] = f"EXISTS (SELECT 1 FROM {table} WHERE digest = blob.digest)"  # noqa: S608


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

    Raises ThrottlingException (which clients retry) in the rare case that the sweep took the same bytes away in between.
    """
    now = look(tx, blob.digest)
    if now.removing or ((seen.removing or now.rounds != seen.rounds) and blobs.size(blob.digest) != blob.size):
        raise ThrottlingException("Please reduce your request rate.")
    tx.execute(
        "INSERT INTO blob (digest, size) VALUES (:digest, :size) ON CONFLICT (digest) DO UPDATE SET released_at = NULL",
        {"digest": blob.digest, "size": blob.size},
    )


@dataclass(frozen=True, slots=True)
class Kept:
    """Bytes that are durable, and that no row names yet."""

    blob: Blob
    seen: Seen

    def refer(self, tx: Transaction, blobs: BlobStore) -> None:
        """Note that a row of this transaction names them; see `refer`."""
        refer(tx, self.blob, self.seen, blobs)


def keep(storage: Storage, blobs: BlobStore, pieces: Iterable[bytes]) -> Kept:
    """Make bytes durable, outside a transaction."""
    writer = blobs.writer()
    try:
        for piece in pieces:
            writer.write(piece)
        return commit(storage, writer)
    finally:
        writer.discard()


def keep_if(storage: Storage, blobs: BlobStore, pieces: Iterable[bytes], digests: Container[str]) -> Kept | None:
    """Make bytes durable if they have one of these digests; None, and nothing is kept, if not."""
    writer = blobs.writer()
    try:
        for piece in pieces:
            writer.write(piece)
        return commit(storage, writer) if writer.digest() in digests else None
    finally:
        writer.discard()


def commit(storage: Storage, writer: BlobWriter) -> Kept:
    """Make what was written durable, after a look at what the sweep is about."""
    with storage.read() as tx:
        seen = look(tx, writer.digest())
    return Kept(writer.commit(), seen)


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
        referred = " OR ".join(_REFERRERS.values())
        tx.execute(
            f"UPDATE blob SET released_at = NULL WHERE released_at < :before AND removing = 0 AND ({referred})",  # noqa: S608
            when,
        )
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
