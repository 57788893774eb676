"""The writer over a database that misbehaves on command."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from modelyard.aws.errors import ThrottlingException, ValidationException
from modelyard.storage import StorageError, StorageUnavailable
from modelyard.storage.writer import ATTEMPTS, RepeatBatch, Writer

pytestmark = pytest.mark.ours


class Scripted:
    """A connection that writes down what is asked of it, and raises what it was told to."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.raises: dict[str, list[Exception]] = {}
        self.transactions: list[Any] = []

    def _ask(self, what: str) -> None:
        self.asked.append(what)
        if self.raises.get(what):
            raise self.raises[what].pop(0)

    def begin(self) -> None:
        self._ask("begin")

    def transaction(self) -> Any:
        transaction = type("Transaction", (), {"actions": [], "failure": None})()
        transaction.actions = []
        transaction.after_commit = transaction.actions.append
        return transaction

    def savepoint(self) -> None:
        self._ask("savepoint")

    def undo(self) -> None:
        self._ask("undo")

    def commit(self) -> None:
        self._ask("commit")

    def rollback(self) -> None:
        self._ask("rollback")

    def close(self) -> None:
        self._ask("close")


@pytest.fixture
def connection() -> Scripted:
    """A connection that does as it is told."""
    return Scripted()


@pytest.fixture
def writer(connection: Scripted) -> Iterator[Writer]:
    """A writer that takes at most five works at once, and ten in the queue."""
    writer = Writer(connection, queue_limit=10, batch_limit=5)
    yield writer
    writer.close()


def together(writer: Writer, works: list[Callable[[Any], Any]]) -> list[Any]:
    """What becomes of works that were queued while the writer was held up: results, or exceptions."""
    held, free = threading.Event(), threading.Event()

    def hold(_: Any) -> None:
        held.set()
        free.wait(10)

    writer.submit(hold)
    assert held.wait(10)
    futures = [writer.submit(work) for work in works]
    free.set()
    return [future.exception(10) or future.result() for future in futures]


def fail(error: Exception) -> Callable[[Any], Any]:
    """A work that raises."""

    def work(_: Any) -> None:
        raise error

    return work


def test_what_is_queued_shares_a_commit(writer: Writer, connection: Scripted) -> None:
    """Works queued during a commit make one batch with a savepoint each; a lone one needs no savepoint."""
    assert together(writer, [lambda tx: 1, lambda tx: 2, lambda tx: 3]) == [1, 2, 3]
    assert connection.asked == ["begin", "commit", "begin", "savepoint", "savepoint", "savepoint", "commit"]


def test_a_batch_has_a_limit(writer: Writer, connection: Scripted) -> None:
    """Seven works at a limit of five are two commits."""
    assert together(writer, [lambda tx, n=n: n for n in range(7)]) == list(range(7))
    assert connection.asked.count("commit") == 3


def test_a_lone_work_that_fails_is_rolled_back(writer: Writer, connection: Scripted) -> None:
    """There is nothing to commit."""
    with pytest.raises(ValidationException):
        writer.write(fail(ValidationException("no")))
    assert connection.asked == ["begin", "rollback"]


def test_a_full_queue_throttles(writer: Writer) -> None:
    """What comes when ten works wait is refused with ThrottlingException; the ten are done."""
    held, free = threading.Event(), threading.Event()

    def hold(_: Any) -> None:
        held.set()
        free.wait(10)

    writer.submit(hold)
    assert held.wait(10)
    futures = [writer.submit(lambda tx: None) for _ in range(10)]
    with pytest.raises(ThrottlingException):
        writer.submit(lambda tx: None)
    free.set()
    assert [future.result(10) for future in futures] == [None] * 10


def test_a_batch_is_repeated_when_the_database_asks(writer: Writer, connection: Scripted) -> None:
    """Every work runs again from its beginning, and its actions are those of the last run only."""
    runs: list[str] = []
    acted: list[str] = []

    def work(name: str) -> Callable[[Any], Any]:
        def run(tx: Any) -> str:
            runs.append(name)
            tx.after_commit(lambda: acted.append(name))
            return name

        return run

    connection.raises["commit"] = [RepeatBatch("deadlock")]
    writer.write(lambda tx: None)
    connection.raises["commit"] = [RepeatBatch("deadlock"), RepeatBatch("deadlock")]
    held = writer.submit(lambda tx: None)
    held.result(10)
    connection.raises["commit"] = [RepeatBatch("deadlock")]
    assert writer.write(work("a")) == "a"
    assert (runs, acted) == (["a", "a"], ["a"])


def test_repeating_has_an_end(writer: Writer, connection: Scripted) -> None:
    """After some attempts the caller gets StorageUnavailable, and the writer goes on with others."""
    connection.raises["commit"] = [RepeatBatch("deadlock")] * ATTEMPTS
    with pytest.raises(StorageUnavailable, match="deadlock"):
        writer.write(lambda tx: None)
    assert writer.write(lambda tx: 7) == 7


def test_a_work_that_ends_the_transaction_does_not_take_others_along(writer: Writer, connection: Scripted) -> None:
    """When undoing a work fails because the transaction is gone, that work keeps its error and the others are run again."""
    connection.raises["undo"] = [RepeatBatch("gone")]
    error = ValidationException("no")
    assert together(writer, [lambda tx: 1, fail(error), lambda tx: 3]) == [1, error, 3]


def test_a_commit_that_fails_fails_everyone(writer: Writer, connection: Scripted) -> None:
    """Every future of the batch gets an exception of its own, no action runs, and the batch is rolled back."""
    acted: list[bool] = []
    connection.raises["savepoint"] = [StorageUnavailable("disk full")]
    outcomes = together(writer, [lambda tx: tx.after_commit(lambda: acted.append(True)), lambda tx: 2])
    assert [type(outcome) for outcome in outcomes] == [StorageUnavailable] * 2
    assert outcomes[0] is not outcomes[1]
    assert "disk full" in str(outcomes[0])
    assert acted == []
    assert connection.asked[-1] == "rollback"


def test_actions_come_before_answers(writer: Writer) -> None:
    """Whoever was told that a write is done can rely on its actions."""
    order: list[str] = []

    def work(tx: Any) -> None:
        tx.after_commit(lambda: order.append("action"))

    future = writer.submit(work)
    future.add_done_callback(lambda done: order.append("answer"))
    future.result(10)
    assert order[0] == "action"


def test_a_work_that_exits_does_not_end_the_writer(writer: Writer) -> None:
    """Even SystemExit comes out of the future only."""
    with pytest.raises(SystemExit):
        writer.write(fail(SystemExit(1)))  # type: ignore[arg-type]
    assert writer.write(lambda tx: 7) == 7


def test_after_close_nothing_is_taken_in(writer: Writer, connection: Scripted) -> None:
    """The connection is closed last, and a late work is refused."""
    future = writer.submit(lambda tx: 1)
    writer.close()
    assert future.result(0) == 1
    assert connection.asked[-1] == "close"
    with pytest.raises(StorageError, match="closed"):
        writer.submit(lambda tx: 1)
