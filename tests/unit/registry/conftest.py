"""A house of its own for every test of the registry."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.harness import Yard, house


@pytest.fixture
def yard_in_process(tmp_path: Path) -> Iterator[Yard]:
    """A fresh house on SQLite, without HTTP."""
    with house(tmp_path / "data") as yard:
        yield yard
