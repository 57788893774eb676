"""Two servers on one database and one directory of blobs."""

import copy
import time
from pathlib import Path

import pytest
from tests.faults.load import check_at_rest, load
from tests.running import RunningYard

pytestmark = [pytest.mark.ours, pytest.mark.slow]


@pytest.mark.parametrize("own_yard", ["sqlite", "postgresql"], indirect=True)
def test_two_servers_share_their_data(own_yard: RunningYard, tmp_path: Path):
    """Clients that use both servers at once get numbers without gap or double, and one server's death does not hurt the other."""
    other = copy.copy(own_yard)
    other.port, other.process, other.log = 0, None, own_yard.log.with_name("other.log")
    other.start()
    try:
        with load(own_yard, tmp_path / "records") as clients:
            clients.start(own_yard.endpoint, other.endpoint, registering=4, uploading=1, seed=9)
            for _ in range(2):
                before = clients.count("registered")
                while clients.count("registered") < before + 60:
                    time.sleep(0.05)
                other.kill()
                other.start()
            clients.stop()
            clients.check()
    finally:
        other.stop()
    assert not other.defects(), "\n".join(other.defects())
    assert own_yard.stop() == 0
    check_at_rest(own_yard)
