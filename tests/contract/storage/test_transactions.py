"""What a snapshot shows, and what of a work stays."""

import threading
from concurrent.futures import Future
from typing import Any

import pytest
from tests.contract.storage.batches import add, names, submit_together

from modelyard.aws.errors import ConflictException
from modelyard.storage import ConstraintViolation, Storage, StorageError, Transaction

pytestmark = pytest.mark.ours


def test_a_write_is_seen_by_the_next_snapshot(storage: Storage) -> None:
    """What a work returns comes out of its future, and what it wrote is there."""
    assert storage.write(add("a")) == 1
    assert names(storage) == ["a"]


def test_rows_come_out_as_tuples_in_every_form(storage: Storage) -> None:
    """`one` is the first row or None, `all` a list, `execute` the number of changed rows, RETURNING a row of `one`."""

    def work(tx: Transaction) -> list[Any]:
        tx.execute_many("INSERT INTO thing (name, amount) VALUES (:name, :amount)", [{"name": n, "amount": 7} for n in "abc"])
        return [
            tx.one("SELECT name, amount FROM thing WHERE name = :name", {"name": "b"}),
            tx.one("SELECT name FROM thing WHERE name = :name", {"name": "z"}),
            tx.all("SELECT name FROM thing ORDER BY name DESC"),
            tx.execute("UPDATE thing SET amount = amount + :more WHERE name <> :name", {"more": 1, "name": "a"}),
            tx.one("UPDATE thing SET amount = 9 WHERE name = :name RETURNING amount", {"name": "c"}),
            tx.execute("DELETE FROM thing WHERE name = :name", {"name": "z"}),
            tx.execute("DELETE FROM thing"),
        ]

    assert storage.write(work) == [("b", 7), None, [("c",), ("b",), ("a",)], 2, (9,), 0, 3]


def test_a_snapshot_does_not_change(storage: Storage) -> None:
    """A snapshot shows what was there at its first statement, however much is written meanwhile."""
    storage.write(add("a"))
    with storage.read() as tx:
        before = tx.all("SELECT name FROM thing")
        storage.write(add("b"))
        assert tx.all("SELECT name FROM thing") == before == [("a",)]
    assert names(storage) == ["a", "b"]


def test_a_snapshot_within_a_snapshot_is_the_same(storage: Storage) -> None:
    """Nested reads on one thread share the snapshot, and leaving the inner one does not end it."""
    storage.write(add("a"))
    with storage.read() as outer:
        assert outer.all("SELECT name FROM thing") == [("a",)]
        storage.write(add("b"))
        with storage.read() as inner:
            assert inner.all("SELECT name FROM thing") == [("a",)]
        assert outer.all("SELECT name FROM thing") == [("a",)]
    assert names(storage) == ["a", "b"]


def test_a_read_does_not_wait_for_a_write(storage: Storage) -> None:
    """While a work holds the writer with rows it has not committed, reads go on and do not see them."""
    storage.write(add("a"))
    written, free = threading.Event(), threading.Event()

    def slow(tx: Transaction) -> None:
        add("b")(tx)
        written.set()
        assert free.wait(10)

    future = storage.submit(slow)
    assert written.wait(10)
    assert names(storage) == ["a"]
    free.set()
    future.result(10)
    assert names(storage) == ["a", "b"]


def test_a_snapshot_refuses_to_write(storage: Storage) -> None:
    """A read-only transaction is one in the database, not only by name."""
    with pytest.raises(StorageError), storage.read() as tx:
        add("a")(tx)
    with pytest.raises(RuntimeError), storage.read() as tx:
        tx.after_commit(lambda: None)
    assert names(storage) == []


def test_a_snapshot_survives_a_statement_that_fails(storage: Storage) -> None:
    """After a wrong statement in one snapshot the next one on the same thread works."""
    with pytest.raises(StorageError), storage.read() as tx:
        tx.all("SELECT nothing FROM nowhere")
    assert names(storage) == []


def test_a_work_that_raises_leaves_nothing(storage: Storage) -> None:
    """An exception undoes all of its work and comes out of the future as it is."""

    def work(tx: Transaction) -> None:
        add("a")(tx)
        raise ConflictException("no")

    with pytest.raises(ConflictException, match=r"^no$"):
        storage.write(work)
    assert names(storage) == []


def test_in_a_batch_a_work_that_raises_undoes_itself_alone(storage: Storage) -> None:
    """Works that share a commit are separated by savepoints: before, after and between failures the others stay."""

    def fail(name: str) -> Any:
        def work(tx: Transaction) -> None:
            add(name)(tx)
            raise ConflictException(name)

        return work

    works = [fail("a"), add("b"), fail("c"), fail("d"), add("e"), add("f"), fail("g")]
    futures = submit_together(storage, works)
    assert [type(future.exception()) for future in futures] == [
        ConflictException,
        type(None),
        ConflictException,
        ConflictException,
        type(None),
        type(None),
        ConflictException,
    ]
    assert names(storage) == ["b", "e", "f"]


def test_a_constraint_is_kept_in_a_batch(storage: Storage) -> None:
    """Of two works with the same key in one batch the first stays, the second gets ConstraintViolation."""
    futures = submit_together(storage, [add("a"), add("a"), add("b")])
    assert [type(future.exception()) for future in futures] == [type(None), ConstraintViolation, type(None)]
    assert names(storage) == ["a", "b"]


@pytest.mark.parametrize("others", [[], ["x", "y"]], ids=["alone", "in a batch"])
def test_a_statement_that_failed_dooms_its_work(storage: Storage, others: list[str]) -> None:
    """A work that catches a failed statement and goes on is undone all the same, on both databases."""
    storage.write(add("a"))

    def stubborn(tx: Transaction) -> str:
        add("b")(tx)
        with pytest.raises(ConstraintViolation):
            add("a")(tx)
        return "fine"

    future = submit_together(storage, [stubborn, *map(add, others)])[0]
    assert isinstance(future.exception(), ConstraintViolation)
    assert names(storage) == ["a", *others]


def test_foreign_keys_are_kept(storage: Storage) -> None:
    """A row cannot refer to one that is not there."""
    with pytest.raises(ConstraintViolation):
        storage.write(lambda tx: tx.execute("INSERT INTO thing (name, parent_id) VALUES ('a', 99)"))


def test_a_commit_that_fails_fails_the_whole_batch(storage: Storage) -> None:
    """When the commit itself is refused (by a deferred constraint here), no work of the batch is acknowledged or stored."""

    def late(tx: Transaction) -> None:
        tx.execute("INSERT INTO late (parent_id) VALUES (99)")

    futures = submit_together(storage, [add("a"), late, add("b")])
    assert [type(future.exception()).__name__ for future in futures] == ["StorageUnavailable"] * 3
    assert names(storage) == []
    storage.write(add("c"))
    assert names(storage) == ["c"]


def test_actions_after_the_commit(storage: Storage) -> None:
    """They run after the commit and before the caller is told, in order; never for a work that was undone."""
    seen: list[tuple[str, list[str]]] = []
    told: Future[int]

    def work(name: str, *, fail: bool = False) -> Any:
        def run(tx: Transaction) -> None:
            add(name)(tx)
            tx.after_commit(lambda: seen.append((name, names(storage))))
            if fail:
                raise ConflictException(name)

        return run

    futures = submit_together(storage, [work("a"), work("b", fail=True), work("c")])
    assert seen == [("a", ["a", "c"]), ("c", ["a", "c"])]
    assert [future.exception() is None for future in futures] == [True, False, True]
    told = storage.submit(work("d"))
    told.result(10)
    assert seen[-1] == ("d", ["a", "c", "d"])


def test_an_action_that_raises_harms_nobody(storage: Storage, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged; the commit stands, and the other actions and the writer go on."""
    done: list[bool] = []
    seen: list[str] = []

    def work(tx: Transaction) -> None:
        add("a")(tx)
        tx.after_commit(lambda: seen[0])
        tx.after_commit(lambda: done.append(True))

    storage.write(work)
    assert (done, names(storage)) == ([True], ["a"])
    assert "IndexError" in caplog.text


def test_a_work_may_not_wait_for_another(storage: Storage) -> None:
    """`write` inside a work raises instead of waiting for ever."""
    with pytest.raises(RuntimeError, match="writer's thread"):
        storage.write(lambda tx: storage.write(add("a")))


def test_a_snapshot_inside_a_work_shows_what_is_committed(storage: Storage) -> None:
    """A work that opens a snapshot of its own does not see its own rows in it, and does not hang."""

    def work(tx: Transaction) -> list[str]:
        add("a")(tx)
        return names(storage)

    assert storage.write(work) == []


def test_a_cancelled_future_is_never_run(storage: Storage) -> None:
    """Work that its caller gave up while it was queued is left out of the batch."""
    held, free = threading.Event(), threading.Event()

    def hold(_: Transaction) -> None:
        held.set()
        free.wait(10)

    holder = storage.submit(hold)
    assert held.wait(10)
    given_up, wanted = storage.submit(add("a")), storage.submit(add("b"))
    assert given_up.cancel()
    free.set()
    holder.result(10)
    wanted.result(10)
    assert names(storage) == ["b"]


def test_close_finishes_what_is_queued(storage: Storage, address: str) -> None:
    """Every future of a storage that is being closed gets its answer; afterwards nothing is taken in."""
    from modelyard.storage import open_storage

    futures = [storage.submit(add(f"thing {number}")) for number in range(200)]
    storage.close()
    assert all(future.done() and future.exception() is None for future in futures)
    with pytest.raises(StorageError):
        storage.submit(add("late"))
    again = open_storage(address)
    try:
        assert len(names(again)) == 200
    finally:
        again.close()


def test_close_may_be_called_twice(storage: Storage) -> None:
    """The second time it does nothing."""
    storage.close()
    storage.close()
