"""The schema of this version, and the way to it from every version before."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from tests.migration.description import describe

from modelyard.server.composition import MIGRATED
from modelyard.storage import Storage, migrate, verify
from modelyard.storage.migrations import migrations_of, run_script

pytestmark = pytest.mark.ours

PROJECT = Path(__file__).resolve().parents[2]
DECLARED = PROJECT / "docs" / "reference" / "schema.txt"
ROWS = Path(__file__).parent / "rows"
SAMPLE = "tests.migration.sample"


def earlier(packages: Sequence[str]) -> list[tuple[str, int]]:
    """Every package with each of its numbers but the last."""
    return [(package, step.number) for package in packages for step in migrations_of(package)[:-1]]


def test_the_schema_is_the_sum_of_the_migrations(storage: Storage) -> None:
    """On both databases the migrations make exactly the schema that docs/reference/schema.txt declares."""
    migrate(storage, MIGRATED)
    declared = DECLARED.read_text(encoding="utf-8").splitlines()
    assert describe(storage) == declared, (
        "a migration changed the schema: python -m tests.migration.description > docs/reference/schema.txt"
    )


def test_the_description_sees_every_part_of_a_schema(storage: Storage) -> None:
    """Columns, defaults, keys, references, checks and indexes are described alike on both databases."""
    script = """
        CREATE TABLE a (id {identity}, name {text} NOT NULL DEFAULT 'x', weight DOUBLE PRECISION, UNIQUE (name, weight));
        CREATE TABLE b (
            x BIGINT NOT NULL, y {blob}, z {text} CHECK (z <> ''), a_id BIGINT REFERENCES a (id) ON DELETE CASCADE,
            PRIMARY KEY (x, z)
        ) {clustered};
        CREATE INDEX b_by_a ON b (a_id, x DESC) WHERE x > 0;
        CREATE UNIQUE INDEX b_by_lower ON b (lower(z));
    """
    storage.write(lambda tx: run_script(tx, script))
    assert describe(storage) == [
        "table a",
        "    id integer required",
        "    name text required default 'x'",
        "    weight float",
        "    primary key (id)",
        "    unique (name, weight)",
        "table b",
        "    x integer required",
        "    y bytes",
        "    z text required",
        "    a_id integer",
        "    (a_id) refers to a (id), on delete cascade",
        "    check z <> ''",
        "    index b_by_a (a_id, x desc) where x > 0",
        "    primary key (x, z)",
        "    unique index b_by_lower (lower z)",
    ]


@pytest.mark.parametrize(("package", "number"), [*earlier([SAMPLE]), *earlier(MIGRATED)])
def test_rows_of_an_earlier_version_are_kept(storage: Storage, package: str, number: int) -> None:
    """A database of that version with rows in it is brought up to date and still has them all, whole.

    The rows are in tests/migration/rows/<package>_<number>.sql: a new migration comes with rows of the version before it.
    """
    migrate(storage, [*MIGRATED, SAMPLE], until={package: number})
    storage.write(lambda tx: run_script(tx, (ROWS / f"{package}_{number:04d}.sql").read_text(encoding="utf-8")))
    before = _filled(storage)
    assert before, "no rows were written"
    migrate(storage, [*MIGRATED, SAMPLE])
    after = verify(storage)
    assert after.problems == ()
    assert {table: after.rows.get(table) for table in before} == before


def _filled(storage: Storage) -> Mapping[str, int]:
    """The tables that have rows, and how many."""
    counted = verify(storage).rows
    return {table: count for table, count in counted.items() if count and table != "modelyard_migrations"}
