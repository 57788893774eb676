"""Keyset pages while rows are added."""

import threading

import pytest

from modelyard.storage import Storage, Transaction

pytestmark = pytest.mark.ours


def test_pages_neither_skip_nor_repeat_while_rows_are_added(storage: Storage) -> None:
    """Rows that were there when the first page was read come exactly once, in order, with a writer adding meanwhile."""

    def add(tx: Transaction, start: int, count: int) -> None:
        tx.execute_many(
            "INSERT INTO thing (name, amount) VALUES (:n, :a)", [{"n": f"{i}", "a": i % 7} for i in range(start, start + count)]
        )

    storage.write(lambda tx: add(tx, 0, 500))
    stop = threading.Event()

    def keep_adding() -> None:
        for start in range(1000, 4000, 5):
            if stop.is_set():
                break
            storage.write(lambda tx, start=start: add(tx, start, 5))  # type: ignore[misc]

    thread = threading.Thread(target=keep_adding)
    thread.start()
    try:
        seen = _all_pages(storage)
    finally:
        stop.set()
        thread.join()
    assert len(seen) == len(set(seen))
    assert seen == sorted(seen)
    assert {name for _, _, name in seen} >= {str(number) for number in range(500)}


def _all_pages(storage: Storage) -> list[tuple[int, int, str]]:
    """Everything, in pages of 20, each in a snapshot of its own."""
    seen: list[tuple[int, int, str]] = []
    cursor = {"amount": -1, "id": 0}
    while True:
        with storage.read() as tx:
            page = tx.all(
                "SELECT amount, id, name FROM thing WHERE (amount, id) > (:amount, :id) ORDER BY amount, id LIMIT 20", cursor
            )
        if not page:
            return seen
        seen += [(amount, number, name) for amount, number, name in page]
        cursor = {"amount": page[-1][0], "id": page[-1][1]}


def test_numbers_are_never_given_twice(storage: Storage) -> None:
    """`{identity}` does not give the number of a deleted row to the next one."""
    insert = "INSERT INTO thing (name) VALUES (:name) RETURNING id"
    first = storage.write(lambda tx: tx.one(insert, {"name": "a"}))
    storage.write(lambda tx: tx.execute("DELETE FROM thing"))
    second = storage.write(lambda tx: tx.one(insert, {"name": "b"}))
    assert first is not None
    assert second is not None
    assert second[0] > first[0]
