"""A house with two accounts for every test of governance."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.harness import ACCOUNT, OTHER_ACCOUNT, Yard, house

from modelyard.access.accounts import create_account


@pytest.fixture
def yard_in_process(tmp_path: Path) -> Iterator[Yard]:
    """A fresh house on SQLite, without HTTP."""
    with house(tmp_path / "data") as yard:
        for account in (ACCOUNT, OTHER_ACCOUNT):
            yard.house.storage.write(
                lambda tx, account=account: create_account(  # type: ignore[misc]
                    tx, yard.house.key_ring, account, ids=yard.house.ids, now=yard.clock.now()
                )
            )
        yield yard
