"""Two accounts behind a dispatcher, on each database."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.postgresql import postgresql_address, postgresql_server  # noqa: F401
from tests.unit.identity.town import Town


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where an empty database is, or can be made."""
    if request.param == "sqlite":
        return str(tmp_path / "modelyard.db")
    found: str = request.getfixturevalue("postgresql_address")
    return found


@pytest.fixture
def town(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Town]:
    """Two accounts."""
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    town = Town(tmp_path, address)
    yield town
    town.storage.close()
