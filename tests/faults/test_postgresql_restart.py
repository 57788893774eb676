"""PostgreSQL crashes and comes back while clients are at work; our server stays."""

import time
from pathlib import Path

import pytest
from tests.faults.load import check_at_rest, load
from tests.postgresql import PostgresqlServer
from tests.running import RunningYard

pytestmark = [pytest.mark.ours, pytest.mark.slow]


@pytest.mark.parametrize("own_yard", ["postgresql"], indirect=True)
def test_the_service_survives_its_database(own_yard: RunningYard, postgresql: PostgresqlServer, tmp_path: Path):
    """While the database is away calls wait or are answered 503; once it is back everything works, and nothing was lost."""
    with load(own_yard, tmp_path / "records") as clients:
        clients.start(seed=8)
        for down in (0.0, 0.5, 12.0):
            before = clients.count("registered")
            while clients.count("registered") < before + 20:
                time.sleep(0.05)
            postgresql.halt("immediate")
            time.sleep(down)
            postgresql.begin()
            back = time.monotonic()
            before = clients.count("registered")
            while clients.count("registered") < before + 5:
                assert time.monotonic() < back + 20, "the service did not come back"
                time.sleep(0.05)
        clients.stop()
        clients.check()
        refused = [line for line in clients.records() if "refused" in line]
        assert refused, "the database was away for longer than calls wait"
        assert {(line["status"], line["refused"]) for line in refused} == {(503, "ServiceUnavailable")}
    assert own_yard.stop() == 0
    check_at_rest(own_yard)
