"""Whether the audit trail is what was written: a walk along the chain, in slices, up to the first record that is wrong.

A record whose seal and hash fit its text is one that this yard wrote. Which number it says it has, and which hash it says was
before it, tells what became of its surroundings. Checkpoints tell whether the end of the chain was cut off.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from hmac import compare_digest
from typing import Any

import orjson

from modelyard.events import outbox, store_audit
from modelyard.events.audit_record import GENESIS, Record, digest, subjects_of
from modelyard.events.checkpoint import Checkpoint
from modelyard.events.store_audit import Kept
from modelyard.events.trail import AuditTrail
from modelyard.storage.interface import Transaction

SLICE = 1000
"""Records that one step of the walk looks at, in one snapshot."""
AHEAD = 64
"""Records after them that help to tell what happened to one."""


class Kind(StrEnum):
    """What became of a record."""

    CHANGED = "changed"
    REMOVED = "removed"
    ADDED = "added"
    REORDERED = "reordered"


@dataclass(frozen=True, slots=True)
class Problem:
    """The first record that is wrong."""

    sequence: int
    kind: Kind
    sentence: str


@dataclass(frozen=True, slots=True)
class Walked:
    """How far the walk has come."""

    sequence: int = 0
    hash: str = GENESIS
    checkpoints: int = 0
    """That were met, and hold."""
    problem: Problem | None = None
    finished: bool = False


@dataclass(frozen=True, slots=True)
class _Row:
    """A row, and what it says of itself."""

    kept: Kept
    record: Record
    hash: bytes
    genuine: bool


def step(tx: Transaction, trail: AuditTrail, before: Walked, *, size: int = SLICE, known: Checkpoint | None = None) -> Walked:
    """Walk one slice further. `known` is a checkpoint that was kept elsewhere, which the chain has to agree with."""
    rows = [_row(trail, kept) for kept in store_audit.after(tx, before.sequence, size + AHEAD)]
    slice_, ahead = rows[:size], rows[size:]
    sequence, previous = before.sequence, before.hash
    for place, row in enumerate(slice_):
        problem = _wrong(row, sequence + 1, previous, rows[place + 1 :])
        if problem is not None:
            return Walked(sequence, previous, before.checkpoints, problem)
        sequence, previous = row.kept.sequence, row.hash.hex()
    finished = not ahead and len(slice_) < size
    hashes = {before.sequence: before.hash, **{row.kept.sequence: row.hash.hex() for row in slice_}}
    held = store_audit.checkpoints(tx, before.sequence, sequence)
    problem = (
        _wrong_mention(tx, slice_)
        or _wrong_checkpoint(trail, held, hashes)
        or (_wrong_known(trail, known, hashes, finished) if known is not None else None)
        or (_cut_off(tx, sequence) if finished else None)
    )
    return Walked(sequence, previous, before.checkpoints + len(held), problem, finished)


def _row(trail: AuditTrail, kept: Kept) -> _Row:
    document = kept.document.encode("utf-8", "surrogatepass")
    hashed = digest(document)
    genuine = hashed == kept.hash and compare_digest(trail.seal(hashed), kept.seal)
    return _Row(kept, parsed(document), hashed, genuine)


def parsed(document: bytes) -> Record:
    """The members of a record; none when its text is not a record's."""
    try:
        record: Any = orjson.loads(document)
    except orjson.JSONDecodeError:
        return {}
    return record if isinstance(record, dict) else {}


def _wrong(row: _Row, expected: int, previous: str, following: Sequence[_Row]) -> Problem | None:
    """What is wrong with a row at the place where the record `expected` has to be."""
    if row.kept.sequence != expected:
        return removed(expected, row.kept.sequence)
    if not row.genuine:
        return _not_ours(row, expected, following)
    said = row.record.get("sequence")
    if said != expected:
        return _misplaced(expected, int(said or 0), following)
    if row.record["previous"] != previous:
        return Problem(
            expected, Kind.CHANGED, f"Record {expected} was written after another record {expected - 1} than this one."
        )
    if row.record["time"] != row.kept.time:
        return Problem(expected, Kind.CHANGED, f"The time that is kept beside record {expected} is not the one in the record.")
    return None


def removed(expected: int, found: int) -> Problem:
    """Records are missing before the one that was found."""
    which = f"Record {expected} is" if found == expected + 1 else f"Records {expected} to {found - 1} are"
    return Problem(expected, Kind.REMOVED, f"{which} missing.")


def _not_ours(row: _Row, expected: int, following: Sequence[_Row]) -> Problem:
    """The text, the hash or the seal is not what this yard wrote: a record that was changed, or one that was put in."""
    pushed = following and following[0].genuine and following[0].record.get("sequence") == expected
    fits = row.hash == row.kept.hash and row.record.get("sequence") == expected
    if pushed or (fits and not following):
        return Problem(expected, Kind.ADDED, f"Record {expected} was not written by this yard: it was added.")
    return Problem(expected, Kind.CHANGED, f"Record {expected} is not as it was written.")


def _misplaced(expected: int, said: int, following: Sequence[_Row]) -> Problem:
    if said < expected:
        return Problem(expected, Kind.ADDED, f"In the place of record {expected} stands a copy of record {said}.")
    if any(other.genuine and other.record.get("sequence") == expected for other in following):
        return Problem(expected, Kind.REORDERED, f"In the place of record {expected} stands record {said}: they were reordered.")
    return Problem(expected, Kind.REMOVED, f"Record {expected} is missing: record {said} stands in its place.")


def _wrong_mention(tx: Transaction, rows: Sequence[_Row]) -> Problem | None:
    """Whether every record is still found by what it is about; without that a look-up would not show it."""
    if not rows:
        return None
    first, last = rows[0].kept.sequence, rows[-1].kept.sequence
    wanted: Counter[int] = Counter(subject for row in rows for subject in subjects_of(row.record))
    for subject, count in wanted.items():
        found = store_audit.mentions(tx, subject, first, last)
        if len(found) < count:
            lost = next(row for row in rows if subject in subjects_of(row.record) and row.kept.sequence not in found)
            number = lost.kept.sequence
            return Problem(
                number, Kind.REMOVED, f"Look-ups no longer find record {number}: a note of what it is about is missing."
            )
    return None


def _wrong_checkpoint(trail: AuditTrail, held: Sequence[tuple[int, Checkpoint]], hashes: dict[int, str]) -> Problem | None:
    for sequence, checkpoint in held:
        if not trail.public_key.signed(checkpoint) or checkpoint.content["sequence"] != sequence:
            return Problem(sequence, Kind.CHANGED, f"The checkpoint at record {sequence} is not as it was signed.")
        if checkpoint.content["hash"] != hashes.get(sequence):
            return disagrees(sequence)
    return None


def disagrees(sequence: int) -> Problem:
    """A checkpoint was signed over another chain."""
    return Problem(sequence, Kind.CHANGED, f"The checkpoint at record {sequence} was signed over other records than these.")


def _wrong_known(trail: AuditTrail, known: Checkpoint, hashes: dict[int, str], finished: bool) -> Problem | None:
    sequence = known.content["sequence"]
    if not trail.public_key.signed(known):
        return Problem(sequence, Kind.CHANGED, "The checkpoint to compare with was not signed with this yard's key.")
    if sequence in hashes and hashes[sequence] != known.content["hash"]:
        return disagrees(sequence)
    if finished and sequence > max(hashes):
        return removed(max(hashes) + 1, sequence + 1)
    return None


def _cut_off(tx: Transaction, last: int) -> Problem | None:
    """Whether checkpoints, notes of what records are about, or events where there is nothing else, know of more records."""
    checkpoint = store_audit.last_checkpoint(tx)
    known = max(store_audit.last_mentioned(tx), 0 if checkpoint is None else checkpoint.content["sequence"])
    if not known and outbox.last_position(tx):
        known = 1
    return removed(last + 1, known + 1) if known > last else None
