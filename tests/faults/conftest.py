"""Servers to be hurt: each test has its own."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.postgresql import PostgresqlServer, fresh_database
from tests.running import RunningYard


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresqlServer]:
    """A PostgreSQL server that tests may stop and begin."""
    server = PostgresqlServer.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def own_yard(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunningYard]:
    """A running server on SQLite or, by `both_databases` and the like, on a database of its own in PostgreSQL."""
    with ExitStack() as stack:
        settings = {}
        if getattr(request, "param", "sqlite") == "postgresql":
            server: PostgresqlServer = request.getfixturevalue("postgresql")
            settings["database"] = stack.enter_context(fresh_database(server.address))
        yard = RunningYard(tmp_path / "data", **settings)
        yard.start()
        stack.callback(_end, yard)
        yield yard


def _end(yard: RunningYard) -> None:
    if yard.process is not None:
        yard.stop()
