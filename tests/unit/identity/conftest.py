"""Two accounts behind a dispatcher for every test of IAM and STS."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.identity.town import Town


@pytest.fixture
def town(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Town]:
    """Two accounts, on SQLite."""
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    town = Town(tmp_path)
    yield town
    town.storage.close()
