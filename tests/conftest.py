"""What every test may ask for: `yard`, a real server in a process of its own."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest
from tests.running import RunningYard
from tests.sandboxes import why_none

SANDBOXED = (
    "contract/functions",
    "contract/scaling",
    "workloads",
    "contract/endpoints/test_models_that_hang.py",
    "clients/test_functions.py",
    "clients/test_endpoints.py",
    "clients/test_transform.py",
    "clients/test_validation_profiles.py",
    "clients/test_endpoint_metrics.py",
    "clients/test_scaling.py",
    "clients/test_endpoint_recovery.py",
    "clients/test_endpoint_sdks.py",
    "clients/test_served_images.py",
    "clients/test_ray.py",
    "faults/test_functions.py",
    "faults/test_endpoints.py",
    "faults/test_transform.py",
    "faults/test_scaling.py",
    "faults/test_serving_under_load.py",
    "faults/test_hostile_models.py",
)
"""Tests that run code in sandboxes, which not every machine lets us make."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Real clients leave connections to the garbage collector; that they do is no failure of a test that drives them.

    What needs a sandbox is skipped where none can be made, with the reason.
    """
    for item in items:
        if item.path.parts[-2] in ("clients", "faults"):
            item.add_marker(pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"))
        if any(f"tests/{part}" in item.path.as_posix() for part in SANDBOXED) and (reason := why_none()):
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def database(request: pytest.FixtureRequest) -> str:
    """`sqlite`, or what `both_databases` says."""
    return getattr(request, "param", "sqlite")


@pytest.fixture(scope="session")
def yard(database: str, open_yard: Callable[[str], RunningYard]) -> RunningYard:
    """A running server with two accounts, shared by all tests: name what you make so that no other test meets it."""
    return open_yard(database)


@pytest.fixture(scope="session")
def open_yard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], RunningYard]]:
    """One server for each database, started when a test first asks for it; at the end it must have logged no defect."""
    running: dict[str, RunningYard] = {}
    with ExitStack() as stack:

        def opened(database: str) -> RunningYard:
            if database not in running:
                settings = {} if database == "sqlite" else {"database": stack.enter_context(_postgresql_database())}
                running[database] = RunningYard(tmp_path_factory.mktemp("yard") / "data", **settings)
                running[database].start()
                stack.callback(_end, running[database])
            return running[database]

        yield opened


def _end(running: RunningYard) -> None:
    code = running.stop()
    assert code == 0, f"the server ended with exit code {code}: {running.log.read_text()[-2000:]}"
    assert not running.defects(), "\n".join(running.defects())


@contextmanager
def _postgresql_database() -> Iterator[str]:
    """The address of a database of a server that is started for it."""
    from tests.postgresql import PostgresqlServer, fresh_database

    server = PostgresqlServer.start()
    try:
        with fresh_database(server.address) as address:
            yield address
    finally:
        server.stop()
