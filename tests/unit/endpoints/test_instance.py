"""When a container counts as one that does not answer any more."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from modelyard.endpoints.instance import BETWEEN_PINGS, SILENT_SECONDS, Container

pytestmark = pytest.mark.ours


@pytest.mark.parametrize(
    ("well", "heard", "longest", "silent_at"),
    [
        (100, 0, 0, 100 + SILENT_SECONDS),  # nothing to do, and no answer to /ping
        (0, 100, 0, 100 + SILENT_SECONDS),  # it answers requests, though /ping never
        (100, 90, 2, 100 + SILENT_SECONDS),  # it is at what takes a moment
        (100, 90, 60, 100 + 60 + BETWEEN_PINGS),  # it has one thread, for a request to an endpoint
        (100, 90, 900, 100 + 900 + BETWEEN_PINGS),  # or for one to an asynchronous endpoint
    ],
)
def test_a_container_is_silent_once_it_might_have_answered(well: float, heard: float, longest: float, silent_at: float) -> None:
    """Longer than what it is at may take, and no longer."""
    upstream = cast(Any, SimpleNamespace(heard=heard, longest=longest))
    container = Container("primary", cast(Any, None), upstream, well=well)
    assert not container.is_silent(silent_at)
    assert container.is_silent(silent_at + 0.1)
