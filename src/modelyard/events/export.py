"""The audit trail as JSON lines, and their verification with nothing but the public key.

A line is a record, byte for byte as it stands in the chain, so its hash is the SHA-256 of the line without its end; or a
checkpoint, `{"checkpoint": "…", "signature": "…"}`, after the record that it signs. The last line is a checkpoint of the last
record.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import orjson

from modelyard.events import store_audit
from modelyard.events.audit_record import GENESIS, Record, digest
from modelyard.events.checkpoint import Checkpoint, NotACheckpoint, PublicKey, from_line
from modelyard.events.trail import AuditTrail
from modelyard.events.verification import Kind, Problem, disagrees, parsed, removed
from modelyard.storage.interface import Storage

CHUNK = 1000


def export_lines(storage: Storage, trail: AuditTrail) -> Iterator[tuple[int, str]]:
    """The lines, each with the number of the record it is or follows."""
    last = 0
    with storage.read() as tx:
        end = trail.checkpoint(tx)
    if end is None:
        return
    until = end.content["sequence"]
    while last < until:
        with storage.read() as tx:
            rows = [row for row in store_audit.after(tx, last, CHUNK) if row.sequence <= until]
            reached = rows[-1].sequence if rows else until
            checkpoints = dict(store_audit.checkpoints(tx, last, reached))
        for row in rows:
            yield row.sequence, row.document
            if row.sequence in checkpoints and row.sequence < until:
                yield row.sequence, _line(checkpoints[row.sequence])
        last = reached
    yield until, _line(end)


def _line(checkpoint: Checkpoint) -> str:
    return orjson.dumps(checkpoint.line()).decode()


@dataclass(frozen=True, slots=True)
class Export:
    """What was read of an export so far."""

    sequence: int = 0
    """The last record."""
    hash: str = GENESIS
    records: int = 0
    checkpoints: int = 0
    signed_to: int = 0
    """The last record that a checkpoint signs, and all before it with it."""
    problem: Problem | None = None
    known: Checkpoint | None = None
    """A checkpoint that was kept elsewhere; the export has to agree with it."""

    def ended(self, key: PublicKey) -> "Export":
        """What is to be said once the last line was read."""
        if self.problem is not None or self.known is None:
            return self
        sequence = self.known.content["sequence"]
        if not key.signed(self.known):
            sentence = "The checkpoint to compare with was not signed with this key."
            return replace(self, problem=Problem(sequence, Kind.CHANGED, sentence))
        if sequence > self.sequence:
            return replace(self, problem=removed(self.sequence + 1, sequence + 1))
        return self


def verify_lines(before: Export, line: bytes, key: PublicKey) -> Export:
    """Take the next line. Stops at the first problem."""
    text = line.rstrip(b"\r\n")
    members = parsed(text)
    if "checkpoint" in members:
        return _checkpoint(before, members, key)
    sequence = members.get("sequence")
    if not isinstance(sequence, int):
        at = before.sequence + 1
        return replace(before, problem=Problem(at, Kind.CHANGED, f"Where record {at} has to be is a line that is no record."))
    return _record(before, members, sequence, digest(text).hex())


def _record(before: Export, members: Record, sequence: int, hashed: str) -> Export:
    expected = before.sequence + 1
    problem = None
    if sequence > expected:
        problem = removed(expected, sequence)
    elif sequence < expected:
        problem = Problem(
            sequence, Kind.REORDERED, f"Record {sequence} stands after record {before.sequence}: it was moved or added."
        )
    elif members.get("previous") != before.hash:
        last = before.sequence
        problem = Problem(
            last, Kind.CHANGED, f"Record {last} is not the one that record {sequence} was written after: it was changed."
        )
    elif before.known is not None and before.known.content["sequence"] == sequence and before.known.content["hash"] != hashed:
        problem = disagrees(sequence)
    if problem is not None:
        return replace(before, problem=problem)
    return replace(before, sequence=sequence, hash=hashed, records=before.records + 1)


def _checkpoint(before: Export, members: Record, key: PublicKey) -> Export:
    try:
        checkpoint = from_line(members)
    except NotACheckpoint:
        checkpoint = None
    if checkpoint is None or not key.signed(checkpoint):
        sentence = f"The checkpoint after record {before.sequence} is not as it was signed with this key."
        return replace(before, problem=Problem(before.sequence, Kind.CHANGED, sentence))
    content = checkpoint.content
    if content["sequence"] > before.sequence:
        return replace(before, problem=removed(before.sequence + 1, content["sequence"] + 1))
    if (content["sequence"], content["hash"]) != (before.sequence, before.hash):
        return replace(before, problem=disagrees(before.sequence))
    return replace(before, checkpoints=before.checkpoints + 1, signed_to=before.sequence)
