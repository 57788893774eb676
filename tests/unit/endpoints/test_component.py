"""What inference components take of the instances that they share."""

import pytest

from modelyard.endpoints.component import Host, Needs, check_copies, check_fit, cpus_of, host_of
from modelyard.endpoints.model import RuleBroken

pytestmark = pytest.mark.ours

HOST = Host(cpus=4, memory_mib=4096, count=2)


@pytest.mark.parametrize(
    ("instance_type", "cpus"),
    [("ml.r8g.medium", 1), ("ml.m5.large", 2), ("ml.m5.xlarge", 4), ("ml.m5.2xlarge", 8), ("ml.m5.24xlarge", 96)],
)
def test_the_size_of_an_instance_type_says_its_processors(instance_type: str, cpus: float) -> None:
    """Each size has twice those of the one before."""
    assert cpus_of(instance_type) == cpus


@pytest.mark.parametrize(
    "needs",
    [
        [],
        [Needs(4, 4096, 2)],
        [Needs(1, 1024, 8)],
        [Needs(0.5, 3000, 2), Needs(3.5, 1000, 2)],
        [Needs(0, 1024, 8)],
        [Needs(4, 4096, 0)],
    ],
)
def test_what_fits(needs: list[Needs]) -> None:
    """Copies share an instance as long as it has processors and memory left."""
    check_fit(needs, HOST)


@pytest.mark.parametrize(
    ("needs", "text"),
    [
        ([Needs(4.5, 128, 1)], "A copy takes 4.5 CPU cores and 128 MB of memory, and an instance has 4 CPU cores and 4096 MB"),
        ([Needs(1, 4097, 1)], "A copy takes 1 CPU cores and 4097 MB"),
        ([Needs(4, 128, 3)], r"take 3 instance\(s\), and it can have 2"),
        ([Needs(1, 3000, 2), Needs(1, 2000, 1)], r"take 3 instance\(s\)"),
    ],
)
def test_what_does_not_fit(needs: list[Needs], text: str) -> None:
    """One that is too large for any instance, and too many for all."""
    with pytest.raises(RuleBroken, match=text):
        check_fit(needs, HOST)


def test_managed_scaling_says_how_many_instances_there_may_be() -> None:
    """Where it is enabled; else there are those that there are."""
    variant = {"InstanceType": "ml.m5.large", "ManagedInstanceScaling": {"Status": "ENABLED", "MaxInstanceCount": 5}}
    assert host_of(variant, 1, 4096) == Host(2, 4096, 5)
    variant["ManagedInstanceScaling"] = {"Status": "DISABLED", "MaxInstanceCount": 5}
    assert host_of(variant, 1, 4096).count == 1


def test_copies_are_limited_for_an_endpoint() -> None:
    """All of its components together."""
    check_copies([32, 32])
    with pytest.raises(RuleBroken, match="at most 64 copies on this server; this makes 65"):
        check_copies([32, 33])
