"""What the parts see of the database: transactions, and nothing of which database it is.

SQL is written once for SQLite and PostgreSQL, with `:name` parameters. Rows are tuples.

Values are str, int (64 bits), float, bytes, bool (stored as 0 or 1) and None. Statements raise ValidationException for a value
that cannot be stored (a null character, half of a surrogate pair, a larger number, NaN), ConstraintViolation for a row that
breaks a constraint, StorageUnavailable when the database is away or full (storage/errors.py).

To mean the same on both databases, say `CAST(:x AS TEXT) IS NULL` for an optional parameter (PostgreSQL has to know its type),
`ON CONFLICT` instead of catching ConstraintViolation (a statement that failed dooms its work, on both), and no deferred
constraints (they fail at the commit, and with it everybody's work).
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar

Row = tuple[Any, ...]
T = TypeVar("T")


class Transaction(Protocol):
    """One unit of work: what it reads is one snapshot, what it writes happens whole or not at all."""

    dialect: str
    """"sqlite" or "postgresql", for the rare statement that has to differ."""

    def one(self, sql: str, parameters: Mapping[str, object] = {}) -> Row | None:
        """The first row, or None."""
        ...

    def all(self, sql: str, parameters: Mapping[str, object] = {}) -> list[Row]:
        """All rows."""
        ...

    def execute(self, sql: str, parameters: Mapping[str, object] = {}) -> int:
        """Run a statement; the number of rows it changed."""
        ...

    def execute_many(self, sql: str, parameters: Sequence[Mapping[str, object]]) -> None:
        """Run a statement once for each set of parameters."""
        ...

    def after_commit(self, action: Callable[[], None]) -> None:
        """Call `action` once this work is durable; never when it is rolled back. It must be quick and must not raise."""
        ...


class Storage(Protocol):
    """One database."""

    dialect: str
    embedded: bool
    """True when a read costs microseconds, so that short ones may run on the event loop."""

    def read(self) -> AbstractContextManager[Transaction]:
        """A read-only snapshot. Never waits for writers."""
        ...

    def submit(self, work: Callable[[Transaction], T]) -> "Future[T]":
        """Queue `work` for the writer. The future is done only after the commit is on disk.

        Many queued works share one commit, each in a savepoint of its own: what one raises undoes that one alone
        and comes out of its future. `work` may be run again when the database makes a whole batch repeat, so it
        touches nothing but its transaction. Raises ThrottlingException when the queue is full.
        """
        ...

    def write(self, work: Callable[[Transaction], T]) -> T:
        """Submit `work` and wait for its result."""
        ...

    def close(self) -> None:
        """Finish what is queued, then close."""
        ...
