"""The databases that the contract is asked of."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.postgresql import postgresql_address, postgresql_server  # noqa: F401

from modelyard.storage import Storage, open_storage
from modelyard.storage.migrations import run_script

SCHEMA = """
CREATE TABLE parent (
    id {identity},
    name {text} NOT NULL UNIQUE
);
CREATE TABLE thing (
    id {identity},
    name {text} NOT NULL UNIQUE,
    amount BIGINT,
    weight DOUBLE PRECISION,
    content {blob},
    parent_id BIGINT REFERENCES parent (id)
);
CREATE TABLE counter (
    name {text} NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
);
CREATE TABLE late (
    id {identity},
    parent_id BIGINT NOT NULL REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED
);
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where an empty database is, or can be made."""
    if request.param == "sqlite":
        return str(tmp_path / "yard.sqlite3")
    found: str = request.getfixturevalue("postgresql_address")
    return found


@pytest.fixture
def storage(address: str) -> Iterator[Storage]:
    """A database with a few tables and no rows."""
    opened = open_storage(address)
    try:
        opened.write(lambda tx: run_script(tx, SCHEMA))
        yield opened
    finally:
        opened.close()
