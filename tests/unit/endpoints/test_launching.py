"""What containers of endpoints may use up."""

import resource
from pathlib import Path

import pytest

from modelyard.endpoints.launching import limits_of
from modelyard.runtime.oci.configuration import workload_configuration
from modelyard.runtime.workload import MEBIBYTE, Workload

pytestmark = pytest.mark.ours


@pytest.mark.parametrize(("image", "largest"), [("mine:1", 64 * MEBIBYTE), (None, None)])
def test_a_container_of_an_image_writes_no_endless_file(tmp_path: Path, image: str | None, largest: int | None) -> None:
    """Its root is on the engine's disk; programs of this machine have nothing to write to but memory."""
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY, "of the tests themselves"
    workload = Workload("", limits=limits_of(64 * MEBIBYTE, image), image=image)
    made = workload_configuration(workload, "base", "door", "server")["HostConfig"]
    found = {one["Name"]: one["Hard"] for one in made["Ulimits"]}
    assert (made["ReadonlyRootfs"], found.get("fsize")) == (image is None, largest)
