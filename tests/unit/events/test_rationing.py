"""Rations of records that nobody has to be authenticated to cause."""

import pytest

from modelyard.dispatch.rationing import BURST, BURST_OF_ALL, MOST_KEYS, REFILL_SECONDS, Rationing

pytestmark = pytest.mark.ours


def test_a_key_has_a_burst_and_then_one_every_so_often() -> None:
    """After the burst nothing is recorded until time has passed, and that record tells how many were left out."""
    rationing = Rationing()
    assert [rationing.take("key", 0.0) for _ in range(BURST)] == [0] * BURST
    assert [rationing.take("key", 1.0) for _ in range(5)] == [None] * 5
    assert rationing.take("key", 1.0 + REFILL_SECONDS) == 5
    assert rationing.take("key", 1.0 + REFILL_SECONDS) is None


def test_all_keys_together_have_a_burst_as_well() -> None:
    """Many keys do not make many records."""
    rationing = Rationing()
    taken = [rationing.take(f"key-{number}", 0.0) for number in range(10 * BURST_OF_ALL)]
    assert sum(one is not None for one in taken) == BURST_OF_ALL


def test_the_keys_that_are_remembered_are_bounded() -> None:
    """A flood of keys does not take up memory."""
    rationing = Rationing()
    for number in range(2 * MOST_KEYS):
        rationing.take(f"key-{number}", 0.0)
    assert len(rationing._keys) <= MOST_KEYS
