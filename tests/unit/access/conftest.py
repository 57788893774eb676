"""A guard with a database of its own for every test of signatures."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.access.signing import Guard, open_guard


@pytest.fixture
def guard(tmp_path: Path) -> Iterator[Guard]:
    """An account and an authenticator."""
    yield from open_guard(tmp_path)
