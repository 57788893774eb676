"""The SQL of the audit trail. Nothing here changes or removes a row."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from modelyard.events.checkpoint import Checkpoint
from modelyard.storage.interface import Row, Transaction


@dataclass(frozen=True, slots=True)
class Kept:
    """A row of the trail."""

    sequence: int
    time: float
    hash: bytes
    seal: bytes
    document: str


_KEPT = "sequence, time, hash, seal, document"


def _kept(row: Row) -> Kept:
    return Kept(row[0], row[1], bytes(row[2]), bytes(row[3]), row[4])


def head(tx: Transaction) -> tuple[int, float, bytes] | None:
    """Number, time and hash of the last record."""
    row = tx.one("SELECT sequence, time, hash FROM audit_record ORDER BY sequence DESC LIMIT 1")
    return None if row is None else (row[0], row[1], bytes(row[2]))


def add(tx: Transaction, record: Kept, subjects: Iterable[int]) -> None:
    """Append a record, and note of whom and what it speaks. On PostgreSQL in one statement: round trips are what costs there."""
    parameters: dict[str, object] = {
        "sequence": record.sequence,
        "time": record.time,
        "hash": record.hash,
        "seal": record.seal,
        "document": record.document,
    }
    noted = {f"subject_{place}": subject for place, subject in enumerate(subjects)}
    mentions = _mentions(len(noted))
    if tx.dialect == "postgresql":
        tx.execute(f"WITH kept AS ({_INSERT}) {mentions}", {**parameters, **noted})
        return
    tx.execute(_INSERT, parameters)
    tx.execute(mentions, {"sequence": record.sequence, **noted})


_INSERT = f"INSERT INTO audit_record ({_KEPT}) VALUES (:sequence, :time, :hash, :seal, :document)"


@cache
def _mentions(count: int) -> str:
    """The statement that notes so many subjects."""
    rows = ", ".join(f"(:subject_{place}, :sequence)" for place in range(count))
    return f"INSERT INTO audit_mention (subject, sequence) VALUES {rows}"


def record(tx: Transaction, sequence: int) -> Kept | None:
    """One record."""
    row = tx.one(f"SELECT {_KEPT} FROM audit_record WHERE sequence = :sequence", {"sequence": sequence})
    return None if row is None else _kept(row)


def after(tx: Transaction, sequence: int, limit: int) -> list[Kept]:
    """Records after a number, oldest first."""
    rows = tx.all(
        f"SELECT {_KEPT} FROM audit_record WHERE sequence > :sequence ORDER BY sequence LIMIT :limit",
        {"sequence": sequence, "limit": limit},
    )
    return [_kept(row) for row in rows]


def mentioning(tx: Transaction, subject: int, before: int, not_before: int, limit: int) -> list[tuple[int, str]]:
    """Number and document of the records that may speak of a subject, newest first, from `before` (excluded) down."""
    rows = tx.all(
        "SELECT r.sequence, r.document FROM audit_mention m JOIN audit_record r ON r.sequence = m.sequence"
        " WHERE m.subject = :subject AND m.sequence < :before AND m.sequence >= :not_before"
        " ORDER BY m.sequence DESC LIMIT :limit",
        {"subject": subject, "before": before, "not_before": not_before, "limit": limit},
    )
    return [(row[0], row[1]) for row in rows]


def mentions(tx: Transaction, subject: int, first: int, last: int) -> set[int]:
    """The records of a stretch of the chain that are noted to speak of a subject."""
    rows = tx.all(
        "SELECT sequence FROM audit_mention WHERE subject = :subject AND sequence >= :first AND sequence <= :last",
        {"subject": subject, "first": first, "last": last},
    )
    return {row[0] for row in rows}


def last_mentioned(tx: Transaction) -> int:
    """The highest number that a record is noted with; it takes a look at every note."""
    row = tx.one("SELECT MAX(sequence) FROM audit_mention")
    return 0 if row is None or row[0] is None else int(row[0])


def first_at(tx: Transaction, time: float) -> int:
    """The number of the first record at or after a time; one more than the last when there is none.

    Times never go back along the chain, so halving finds it, and no index on times is needed.
    """
    last = head(tx)
    low, high = 1, 1 if last is None else last[0] + 1
    while low < high:
        middle = (low + high) // 2
        row = tx.one("SELECT time FROM audit_record WHERE sequence >= :middle ORDER BY sequence LIMIT 1", {"middle": middle})
        if row is None or row[0] >= time:
            high = middle
        else:
            low = middle + 1
    return low


def add_checkpoint(tx: Transaction, sequence: int, checkpoint: Checkpoint) -> None:
    """Keep a checkpoint; the first of a record stays."""
    tx.execute(
        "INSERT INTO audit_checkpoint (sequence, document, signature) VALUES (:sequence, :document, :signature)"
        " ON CONFLICT (sequence) DO NOTHING",
        {"sequence": sequence, "document": checkpoint.document.decode(), "signature": checkpoint.signature},
    )


def last_checkpoint(tx: Transaction) -> Checkpoint | None:
    """The newest checkpoint that is kept."""
    row = tx.one("SELECT document, signature FROM audit_checkpoint ORDER BY sequence DESC LIMIT 1")
    return None if row is None else Checkpoint(row[0].encode(), bytes(row[1]))


def checkpoints(tx: Transaction, after_sequence: int, until: int) -> list[tuple[int, Checkpoint]]:
    """The checkpoints of records after one number, up to another."""
    rows = tx.all(
        "SELECT sequence, document, signature FROM audit_checkpoint"
        " WHERE sequence > :after AND sequence <= :until ORDER BY sequence",
        {"after": after_sequence, "until": until},
    )
    return [(row[0], Checkpoint(row[1].encode(), bytes(row[2]))) for row in rows]
