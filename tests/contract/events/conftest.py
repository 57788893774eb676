"""A house on each database, for what the audit trail, the outbox and past states promise on both."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.harness import ACCOUNT, OTHER_ACCOUNT, Yard, house
from tests.postgresql import PostgresqlServer, fresh_database, postgresql_server  # noqa: F401

from modelyard.access.accounts import create_account


@pytest.fixture(params=["sqlite", "postgresql"])
def yard_in_process(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Yard]:
    """A fresh house with two accounts, without HTTP."""
    with ExitStack() as stack:
        settings = {}
        if request.param == "postgresql":
            server: PostgresqlServer = request.getfixturevalue("postgresql_server")
            settings = {"database": stack.enter_context(fresh_database(server.address))}
        yard = stack.enter_context(house(tmp_path / "data", **settings))
        for account in (ACCOUNT, OTHER_ACCOUNT):
            yard.house.storage.write(
                lambda tx, account=account: create_account(  # type: ignore[misc]
                    tx, yard.house.key_ring, account, ids=yard.house.ids, now=yard.clock.now()
                )
            )
        yield yard
