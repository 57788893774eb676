"""What only SQLite has: its file, its settings, its full disk."""

import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.contract.storage.batches import submit_together

from modelyard.storage import Storage, StorageError, StorageUnavailable, Transaction, open_storage

pytestmark = pytest.mark.ours


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Storage]:
    """A database with one table."""
    storage = open_storage(tmp_path / "yard.sqlite3")
    storage.write(lambda tx: tx.execute("CREATE TABLE page (content BLOB)"))
    try:
        yield storage
    finally:
        storage.close()


def test_the_file_is_its_owners_and_durable(yard: Storage, tmp_path: Path) -> None:
    """The database and its log can be read by their owner only, and every connection syncs each commit."""
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}

    def settings(tx: Transaction) -> list[object]:
        return [tx.one(f"PRAGMA {name}") for name in ("journal_mode", "synchronous", "foreign_keys")]

    assert yard.write(settings) == [("wal",), (2,), (1,)]
    with yard.read() as tx:
        assert settings(tx) == [("wal",), (2,), (1,)]


def test_a_full_disk_fails_only_what_does_not_fit(yard: Storage) -> None:
    """A work that does not fit gets StorageUnavailable and leaves nothing; small ones beside it are kept."""

    def limit(tx: Transaction) -> None:
        pages = tx.one("PRAGMA page_count")
        assert pages is not None
        tx.one(f"PRAGMA max_page_count = {pages[0] + 20}")

    def write(size: int) -> object:
        return lambda tx: tx.execute("INSERT INTO page (content) VALUES (:content)", {"content": b"x" * size})

    yard.write(limit)
    futures = submit_together(yard, [write(100), write(1_000_000), write(101)])
    assert [type(future.exception()) for future in futures] == [type(None), StorageUnavailable, type(None)]
    with yard.read() as tx:
        assert tx.all("SELECT length(content) FROM page ORDER BY rowid") == [(100,), (101,)]
    with pytest.raises(StorageUnavailable):
        yard.write(write(1_000_000))
    yard.write(write(102))


def test_many_connections_open_a_new_file_at_once(tmp_path: Path) -> None:
    """The change to write-ahead logging is safe when several open the same new file together."""
    opened: list[Storage] = []
    together = threading.Barrier(6)

    def open_one() -> None:
        together.wait()
        opened.append(open_storage(tmp_path / "new.sqlite3"))

    threads = [threading.Thread(target=open_one) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for storage in opened:
        storage.close()
    assert len(opened) == 6


def test_a_file_that_is_no_database_is_refused_in_one_sentence(tmp_path: Path) -> None:
    """Opening something else raises StorageUnavailable instead of an error of the driver."""
    path = tmp_path / "text"
    path.write_text("this is no database, though it is long enough to be looked at" * 20)
    with pytest.raises(StorageUnavailable, match="not a database"):
        open_storage(path)


def test_connections_of_threads_that_ended_are_closed(yard: Storage) -> None:
    """A thread's read connection goes with the thread."""

    def read() -> None:
        with yard.read() as tx:
            tx.one("SELECT 1")

    for _ in range(5):
        thread = threading.Thread(target=read)
        thread.start()
        thread.join()
    assert len(yard._readers) == 0  # type: ignore[attr-defined]


def test_a_reader_that_outlives_the_storage_gets_an_error(yard: Storage) -> None:
    """After close, the connection of this thread is closed too."""
    with yard.read() as tx:
        tx.one("SELECT 1")
    yard.close()
    with pytest.raises(StorageError), yard.read():
        pass
