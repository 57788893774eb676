"""kill -9 of the server while clients register, approve and upload."""

import os
import random
import time
from pathlib import Path

import pytest
from tests.faults.load import check_at_rest, load
from tests.running import RunningYard

pytestmark = [pytest.mark.ours, pytest.mark.slow]
ROUNDS = int(os.environ.get("MODELYARD_FAULT_ROUNDS", "6"))


@pytest.mark.parametrize("own_yard", ["sqlite", "postgresql"], indirect=True)
def test_nothing_acknowledged_is_lost_by_kill_9(own_yard: RunningYard, tmp_path: Path):
    """After many kills every acknowledged write is there, whole and once; a repeated ClientToken gives the version of before."""
    moments = random.Random(7)
    with load(own_yard, tmp_path / "records") as clients:
        clients.start(seed=7)
        for round_number in range(ROUNDS):
            while clients.count("registered") < 5 + 10 * round_number or clients.count("put") < 5:
                time.sleep(0.05)
            time.sleep(moments.uniform(0.2, 1.5))
            own_yard.kill()
            own_yard.start()
        time.sleep(0.5)
        clients.stop()
        clients.check()
        assert clients.count("registered") > 10 * (ROUNDS - 1)
    assert own_yard.stop() == 0
    check_at_rest(own_yard)
