"""How migrations are taken, recorded and refused."""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from modelyard.storage import MigrationError, Storage, StorageError, migrate
from modelyard.storage.migrations import applied, migrations_of

pytestmark = pytest.mark.ours

SAMPLE = "tests.migration.sample"
Write = Callable[[str, str], None]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes migrations of the package `yard_parts.cellar`."""
    folder = tmp_path / "yard_parts" / "cellar" / "migrations"
    folder.mkdir(parents=True)
    monkeypatch.syspath_prepend(tmp_path)
    migrations_of.cache_clear()

    def write(name: str, text: str) -> None:
        (folder / name).write_text(text)
        migrations_of.cache_clear()

    return write


CELLAR = "yard_parts.cellar"


def test_steps_are_taken_once_and_in_order(storage: Storage) -> None:
    """The first run takes every step, the second none, and the record says which with their checksums."""
    assert migrate(storage, [SAMPLE]) == [f"{SAMPLE}/0001_shelves", f"{SAMPLE}/0002_books"]
    assert migrate(storage, [SAMPLE]) == []
    with storage.read() as tx:
        assert applied(tx) == {(SAMPLE, step.number): (step.name, step.checksum) for step in migrations_of(SAMPLE)}


def test_a_new_step_is_taken_on_top(storage: Storage) -> None:
    """A database of an earlier version gets what it lacks."""
    assert migrate(storage, [SAMPLE], until={SAMPLE: 1}) == [f"{SAMPLE}/0001_shelves"]
    assert migrate(storage, [SAMPLE]) == [f"{SAMPLE}/0002_books"]


def test_a_changed_step_is_refused(storage: Storage, write: Write) -> None:
    """A step whose text is another than the one that was applied stops the server with one sentence."""
    write("0001_one.sql", "CREATE TABLE one (a BIGINT);\n")
    migrate(storage, [CELLAR])
    write("0001_one.sql", "CREATE TABLE one (a BIGINT);\r\n")
    migrate(storage, [CELLAR])
    write("0001_one.sql", "CREATE TABLE one (b BIGINT);\n")
    with pytest.raises(MigrationError, match=r"yard_parts.cellar/0001_one was changed after it had been applied") as error:
        migrate(storage, [CELLAR])
    assert "\n" not in str(error.value)


def test_a_newer_database_is_refused(storage: Storage, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step, or a whole package, that this version does not have stops the server with one sentence."""
    write("0001_one.sql", "CREATE TABLE one (a BIGINT);\n")
    write("0002_two.sql", "CREATE TABLE two (a BIGINT);\n")
    migrate(storage, [CELLAR])
    cellar = tmp_path / "yard_parts" / "cellar"
    (cellar / "migrations" / "0002_two.sql").unlink()
    migrations_of.cache_clear()
    with pytest.raises(MigrationError, match=r"newer version of Modelyard .*0002_two"):
        migrate(storage, [CELLAR])
    cellar.rename(tmp_path / "elsewhere")
    monkeypatch.delitem(sys.modules, CELLAR)
    importlib.invalidate_caches()
    with pytest.raises(MigrationError, match=r"newer version of Modelyard .*of yard_parts.cellar"):
        migrate(storage, [SAMPLE])


def test_a_step_that_fails_leaves_nothing(storage: Storage, write: Write) -> None:
    """All of a step happens or none of it, tables included; put right, it is taken."""
    write("0001_one.sql", "CREATE TABLE one (a BIGINT);\nINSERT INTO one (a) VALUES (1);\nINSERT INTO nowhere (a) VALUES (1);\n")
    with pytest.raises(StorageError):
        migrate(storage, [CELLAR])
    with storage.read() as tx:
        assert applied(tx) == {}
    write("0001_one.sql", "CREATE TABLE one (a BIGINT);\nINSERT INTO one (a) VALUES (2);\n")
    assert migrate(storage, [CELLAR]) == [f"{CELLAR}/0001_one"]
    with storage.read() as tx:
        assert tx.all("SELECT a FROM one") == [(2,)]


@pytest.mark.parametrize("names", [["0002_two.sql"], ["0001_one.sql", "0003_three.sql"], ["0001_one.sql", "0001_other.sql"]])
def test_steps_have_to_be_numbered_without_a_gap(storage: Storage, write: Write, names: list[str]) -> None:
    """A missing or doubled number is a mistake of ours, found before anything is done."""
    for name in names:
        write(name, "CREATE TABLE one (a BIGINT);\n")
    with pytest.raises(MigrationError, match="numbered 1, 2, 3"):
        migrate(storage, [CELLAR])
    with storage.read() as tx:
        assert applied(tx) == {}


def test_an_unknown_macro_is_refused(storage: Storage, write: Write) -> None:
    """A misspelt macro does not reach the database."""
    write("0001_one.sql", "CREATE TABLE one (a {txt});\n")
    with pytest.raises(MigrationError, match=r"\{txt\}"):
        migrate(storage, [CELLAR])


def test_packages_of_the_house_are_named_shortly() -> None:
    """`registry` and `modelyard.registry` are the same package under the same name."""
    assert migrations_of("registry") == migrations_of("modelyard.registry")
    assert {step.package for step in migrations_of("registry")} == {"registry"}
