"""Backups: what goes in comes out, on either database, while others write."""

import json
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.postgresql import PostgresqlServer, fresh_database

from modelyard.storage import BackupError, Storage, Transaction, backup, migrate, open_storage, read_manifest, restore, verify

pytestmark = pytest.mark.ours

SAMPLE = "tests.migration.sample"
ROWS = {"shelf": 40, "book": 2500, "loan": 30}


def fill(tx: Transaction) -> None:
    """Shelves, books that stand beside others, and loans; the last number of each table is given out and gone."""
    shelves = [{"name": f"shelf {number} é日", "room": "hall"} for number in range(ROWS["shelf"] + 1)]
    tx.execute_many("INSERT INTO shelf (name, room) VALUES (:name, :room)", shelves)
    books: list[dict[str, Any]] = [
        {
            "shelf": number % 40 + 1,
            "beside": number or None,
            "title": f"book {number}",
            "weight": number / 7,
            "cover": bytes([number % 256]) * 900,
        }
        for number in range(ROWS["book"])
    ]
    books[3] |= {"weight": None, "cover": b"", "title": ""}
    books[4] |= {"weight": float("inf"), "cover": None}
    statement = "INSERT INTO book (shelf_id, beside, title, weight, cover) VALUES (:shelf, :beside, :title, :weight, :cover)"
    tx.execute_many(statement, books)
    loans = [{"reader": f"reader {number}", "book": number + 1} for number in range(ROWS["loan"])]
    tx.execute_many("INSERT INTO loan (reader, book_id) VALUES (:reader, :book)", loans)
    tx.execute("DELETE FROM shelf WHERE id = :last", {"last": ROWS["shelf"] + 1})


def contents(storage: Storage) -> list[Any]:
    """Every row of every table."""
    with storage.read() as tx:
        return [
            tx.all("SELECT id, name, room FROM shelf ORDER BY id"),
            tx.all("SELECT id, shelf_id, beside, title, weight, cover FROM book ORDER BY id"),
            tx.all("SELECT reader, book_id FROM loan ORDER BY reader, book_id"),
            tx.all("SELECT package, number, name, checksum, ordinal FROM modelyard_migrations ORDER BY ordinal"),
        ]


@pytest.fixture
def yard(address: str) -> Iterator[Storage]:
    """A database with rows, made by migrations."""
    storage = open_storage(address)
    try:
        migrate(storage, [SAMPLE])
        storage.write(fill)
        yield storage
    finally:
        storage.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where a backup may be restored to."""
    if request.param == "sqlite":
        yield str(tmp_path / "restored" / "yard.sqlite3")
        return
    server: PostgresqlServer = request.getfixturevalue("postgresql_server")
    with fresh_database(server.address) as address:
        yield address


def test_a_backup_is_restored_on_either_database(yard: Storage, empty_place: str, tmp_path: Path) -> None:
    """Every row, type and migration comes back; new numbers go on where the old ones ended; it can be migrated further."""
    manifest = backup(yard, tmp_path / "backup")
    assert {name: manifest.rows[name] for name in ROWS} == ROWS
    assert manifest.source == yard.dialect
    assert restore(tmp_path / "backup", empty_place) == manifest
    restored = open_storage(empty_place)
    try:
        assert contents(restored) == contents(yard)
        verification = verify(restored)
        assert (verification.problems, dict(verification.rows)) == ((), dict(manifest.rows))
        assert migrate(restored, [SAMPLE]) == []
        added = restored.write(lambda tx: tx.one("INSERT INTO shelf (name) VALUES ('new') RETURNING id, room"))
        assert added == (ROWS["shelf"] + 2, "hall")
    finally:
        restored.close()


def test_a_backup_of_a_backup_is_the_same(yard: Storage, empty_place: str, tmp_path: Path) -> None:
    """Restored and backed up again, the rows are the same: nothing is lost on the way there and back."""
    first = backup(yard, tmp_path / "first")
    restore(tmp_path / "first", empty_place)
    restored = open_storage(empty_place)
    try:
        second = backup(restored, tmp_path / "second")
    finally:
        restored.close()
    assert first.rows == second.rows
    copies = [open_storage(tmp_path / name / "database.sqlite3") for name in ("first", "second")]
    try:
        assert contents(copies[0]) == contents(copies[1])
    finally:
        for copy in copies:
            copy.close()


def test_a_backup_is_one_moment_while_others_write(yard: Storage, tmp_path: Path) -> None:
    """Writers go on during a backup, and it holds either all or nothing of each of their works."""
    stop, written = threading.Event(), []

    def keep_writing() -> None:
        while not stop.is_set():
            number = len(written)

            def work(tx: Transaction, number: int = number) -> None:
                tx.execute("INSERT INTO loan (reader, book_id) VALUES (:r, 1)", {"r": f"left {number}"})
                tx.execute("INSERT INTO loan (reader, book_id) VALUES (:r, 2)", {"r": f"right {number}"})

            yard.write(work)
            written.append(number)

    thread = threading.Thread(target=keep_writing)
    thread.start()
    during: list[int] = []
    try:
        for number in range(5):
            before = len(written)
            backup(yard, tmp_path / str(number))
            during.append(len(written) - before)
    finally:
        stop.set()
        thread.join()
    assert sum(during) > 0
    with sqlite3.connect(tmp_path / "4" / "database.sqlite3") as copy:
        left, right = copy.execute("SELECT sum(reader LIKE 'left%'), sum(reader LIKE 'right%') FROM loan").fetchone()
    copy.close()
    assert left == right > 0


def test_progress_is_told(yard: Storage, empty_place: str, tmp_path: Path) -> None:
    """It rises to the total and ends there, for backup, restore and verify."""
    for act in (
        lambda progress: backup(yard, tmp_path / "backup", progress),
        lambda progress: restore(tmp_path / "backup", empty_place, progress),
        lambda progress: verify(yard, progress),
    ):
        told: list[tuple[int, int]] = []
        act(lambda done, total, told=told: told.append((done, total)))
        assert len(told) > 1
        assert told == sorted(told)
        assert len({total for _, total in told}) == 1
        assert told[-1][0] == told[-1][1] > 0


def test_a_backup_does_not_overwrite_another(yard: Storage, tmp_path: Path) -> None:
    """A directory with a backup is refused; one with other files in it is not."""
    (tmp_path / "backup").mkdir()
    (tmp_path / "backup" / "blobs").mkdir()
    backup(yard, tmp_path / "backup")
    with pytest.raises(BackupError, match="There is a backup in"):
        backup(yard, tmp_path / "backup")


def test_a_backup_is_restored_only_where_nothing_is(yard: Storage, address: str, tmp_path: Path) -> None:
    """A database with tables is refused and stays as it was."""
    backup(yard, tmp_path / "backup")
    before = contents(yard)
    with pytest.raises(BackupError, match=r"exists already|has tables already"):
        restore(tmp_path / "backup", address)
    assert contents(yard) == before


def test_a_damaged_backup_is_refused(yard: Storage, empty_place: str, tmp_path: Path) -> None:
    """A changed byte, a missing file, an unknown format and a manifest that is none are each said in one sentence."""
    place = tmp_path / "backup"
    backup(yard, place)
    database, manifest = place / "database.sqlite3", place / "database.json"
    whole, told = database.read_bytes(), manifest.read_text()
    database.write_bytes(whole[:5000] + bytes([whole[5000] ^ 1]) + whole[5001:])
    with pytest.raises(BackupError, match="is damaged"):
        restore(place, empty_place)
    database.unlink()
    with pytest.raises(BackupError, match="not complete"):
        restore(place, empty_place)
    database.write_bytes(whole)
    manifest.write_text(json.dumps(json.loads(told) | {"format": 2}))
    with pytest.raises(BackupError, match="format 2"):
        restore(place, empty_place)
    manifest.write_text("{")
    with pytest.raises(BackupError, match="cannot be read"):
        restore(place, empty_place)
    manifest.unlink()
    with pytest.raises(BackupError, match="no complete backup"):
        restore(place, empty_place)
    manifest.write_text(told)
    restore(place, empty_place)
    assert read_manifest(place).rows["book"] == ROWS["book"]


def test_verify_finds_a_row_that_refers_to_nothing(yard: Storage) -> None:
    """A reference that was broken behind the database's back is reported."""
    assert verify(yard).problems == ()

    def break_reference(tx: Transaction) -> None:
        if tx.dialect == "postgresql":
            tx.execute("SET LOCAL session_replication_role = replica")
        tx.execute("UPDATE book SET shelf_id = 999 WHERE id = 1")

    if yard.dialect == "sqlite":
        with sqlite3.connect(yard.path) as other:  # type: ignore[attr-defined]
            other.execute("UPDATE book SET shelf_id = 999 WHERE id = 1")
        other.close()
    else:
        yard.write(break_reference)
    problems = verify(yard).problems
    assert len(problems) == 1
    assert "book" in problems[0]
    assert "shelf" in problems[0]


def test_verify_finds_a_damaged_page(tmp_path: Path) -> None:
    """SQLite pages with bytes that were changed are reported, not raised."""
    path = tmp_path / "yard.sqlite3"
    storage = open_storage(path)
    migrate(storage, [SAMPLE])
    storage.write(fill)
    storage.close()
    with path.open("r+b") as file:
        for page in range(20, 60):
            file.seek(page * 8192)
            file.write(b"\xff" * 64)
    storage = open_storage(path)
    try:
        assert verify(storage).problems
    finally:
        storage.close()
