"""An empty database of either kind."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.postgresql import postgresql_address, postgresql_server  # noqa: F401

from modelyard.storage import Storage, open_storage


@pytest.fixture(params=["sqlite", "postgresql"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    """A database without a table."""
    address = tmp_path / "yard.sqlite3" if request.param == "sqlite" else request.getfixturevalue("postgresql_address")
    opened = open_storage(address)
    try:
        yield opened
    finally:
        opened.close()
