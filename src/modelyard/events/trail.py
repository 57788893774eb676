"""The audit trail: records are appended to the chain in the transaction of the change that they tell of.

One chain for the whole yard. All writes of a yard come one after the other (the one writer of a process, and on PostgreSQL the
lock that writers take), so its numbers have no gap and every record knows the one before it.
"""

import hmac
from collections.abc import Mapping
from typing import Any, Final, Protocol

from modelyard.clock import Clock
from modelyard.events import store_audit
from modelyard.events.audit_record import GENESIS, canonical, digest, subjects_of
from modelyard.events.checkpoint import Checkpoint, Keys, PublicKey, SigningKey
from modelyard.events.store_audit import Kept
from modelyard.storage.interface import Transaction

SEAL_BYTES: Final = 16
CHECKPOINT_EVERY: Final = 1000
"""Records between two checkpoints that are made by the way."""


class Recorder(Protocol):
    """Takes down what calls did."""

    def append(self, tx: Transaction, facts: Mapping[str, Any]) -> None:
        """Record `facts` in this transaction; see audit_record for what they are."""
        ...


class AuditTrail:
    """Appends to the chain, and signs how far it has come."""

    def __init__(self, keys: Keys, clock: Clock) -> None:
        self._seal_key = keys.derive("audit-record-seal")
        self._signing_key = SigningKey(keys)
        self._clock = clock

    @property
    def public_key(self) -> PublicKey:
        """What checkpoints are checked with."""
        return self._signing_key.public

    def append(self, tx: Transaction, facts: Mapping[str, Any]) -> None:
        """Record `facts` in this transaction."""
        head = store_audit.head(tx)
        sequence, time, previous = (1, 0.0, GENESIS) if head is None else (head[0] + 1, head[1], head[2].hex())
        # Along the chain time never goes back, even when the clock is set back.
        time = max(time, self._clock.now())
        document = canonical({**facts, "sequence": sequence, "previous": previous, "time": time})
        hashed = digest(document)
        store_audit.add(tx, Kept(sequence, time, hashed, self.seal(hashed), document.decode()), subjects_of(facts))
        if sequence % CHECKPOINT_EVERY == 0:
            store_audit.add_checkpoint(tx, sequence, self._signing_key.checkpoint(sequence, hashed, time))

    def seal(self, record_hash: bytes) -> bytes:
        """What only this yard can make of a record's hash: it tells its own records from others that fit into the chain."""
        return hmac.digest(self._seal_key, record_hash, "sha256")[:SEAL_BYTES]

    def checkpoint(self, tx: Transaction) -> Checkpoint | None:
        """Sign how far the chain has come, without keeping that; None as long as it is empty."""
        head = store_audit.head(tx)
        return None if head is None else self._signing_key.checkpoint(head[0], head[2], self._clock.now())

    def keep_checkpoint(self, tx: Transaction) -> Checkpoint | None:
        """Sign how far the chain has come and keep that, unless the last record has a checkpoint; the newest one."""
        head, last = store_audit.head(tx), store_audit.last_checkpoint(tx)
        if head is None or (last is not None and last.content["sequence"] == head[0]):
            return last
        made = self._signing_key.checkpoint(head[0], head[2], self._clock.now())
        store_audit.add_checkpoint(tx, head[0], made)
        return made
