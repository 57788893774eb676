"""Endpoints on a Ray cluster of two nodes, of which one is lost."""

import os
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.endpoints import Deployer, Load, eventually, says
from tests.processes import Process, below, gone
from tests.ray_cluster import RayCluster, RayYard, python_with_ray
from tests.running import RunningYard
from tests.transforms import SUM, Transforming

from modelyard.runtime.cluster import wire
from modelyard.runtime.cluster.placing import RayPlacing
from modelyard.runtime.workload import MEBIBYTE, CannotRun, Limits

pytestmark = [pytest.mark.slow, pytest.mark.ours]

SECONDS = 120.0
"""Ray starts a process for each container."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayCluster]:
    """Two nodes."""
    made = RayCluster(tmp_path_factory.mktemp("ray"))
    try:
        made.add("first")
        made.add("second")
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def ray_yard(cluster: RayCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayYard]:
    """A server that runs models on them."""
    yard = RayYard(tmp_path_factory.mktemp("yard") / "data", cluster.address, cluster.token)
    yard.start()
    try:
        yield yard
    finally:
        if yard.process is not None:
            yard.stop()
    assert not yard.defects(), "\n".join(yard.defects())


def drivers(yard: RayYard) -> list[Process]:
    """The processes that know Ray, beside a server."""
    assert yard.process is not None
    return [process for process in below(yard.process.pid) if "modelyard.runtime.cluster.driver" in process.words()]


def mounted(number: int) -> list[str]:
    """Which folders of the machine a sandboxed process sees."""
    return [line.split(" ")[3] for line in Path(f"/proc/{number}/mountinfo").read_text().splitlines()]


def test_endpoints_outlive_their_nodes_and_their_server(cluster: RayCluster, ray_yard: RayYard):
    """Instances are spread over the nodes, which read nothing of the server's disk. An update costs no request, nor does the loss
    of a node, or of what speaks with Ray; what was lost comes up on the node that is left. When the server is killed, everything
    ends by itself, and is back with the server."""
    deployer = Deployer(ray_yard, "ray")
    deployer.model("one", says("one"))
    name = deployer.config("one", {"InitialInstanceCount": 2})
    deployer.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    deployer.settled(name, seconds=SECONDS)
    for node in ("first", "second"):
        [model] = cluster.models(node)
        shown = [path for path in mounted(model.number) if path.startswith(str(cluster.folder))]
        assert shown and all(path.startswith(f"{cluster.folder}/{node}/") for path in shown)
        assert not [path for path in mounted(model.number) if path.startswith(str(ray_yard.data))]
    [driver] = drivers(ray_yard)
    os.kill(driver.number, signal.SIGKILL)
    with Load(deployer, name, per_second=20) as load:
        deployer.model("two", says("two"))
        deployer.config("two", {"InitialInstanceCount": 2})
        deployer.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=deployer.named("two"))
        deployer.settled(name, seconds=SECONDS)
        eventually(lambda: len(cluster.models("first")) == len(cluster.models("second")) == 1, SECONDS)
        [lost] = cluster.models("second")
        cluster.kill("second")
        gone([lost])
        eventually(lambda: len(cluster.models("first")) == 2, SECONDS)
        eventually(lambda: deployer.described(name)["ProductionVariants"][0]["CurrentInstanceCount"] == 2, SECONDS)
    assert not load.failed
    assert set(load.answers) == {b"one", b"two"}
    assert deployer.invoke(name) == b"two"
    before = cluster.all_models()
    ray_yard.kill()
    gone(before)
    ray_yard.start()
    eventually(lambda: len(cluster.all_models()) == 2, SECONDS)
    assert deployer.invoke(name) == b"two"
    deployer.delete(name)
    eventually(lambda: not cluster.all_models(), SECONDS)


def test_jobs_run_on_nodes_too(ray_yard: RayYard):
    """A transform job takes its instance where there is room in the cluster, and what it makes is in S3."""
    transforming = Transforming(ray_yard, "job")
    model = transforming.ready("sum", SUM)
    name = transforming.begin("one", model, transforming.put("in/a.csv", b"1,2\n3,4\n"), given={"SplitType": "Line"})
    transforming.ended(name, seconds=SECONDS)
    assert transforming.outputs("out-one/") == {"a.csv.out": "3.0\n7.0"}


def test_what_has_no_room_says_so_and_holds_nothing_up(cluster: RayCluster, monkeypatch: pytest.MonkeyPatch):
    """What no node has room for is refused after a while, with what it takes; who waits is told so when the server stops. Without
    the cluster's token nothing is placed, and the reason says that it is missing."""
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    python = python_with_ray()
    certificate, limits = wire.Identity().certificate, Limits(memory=16 * 1024 * MEBIBYTE)
    stranger = RayPlacing(cluster.address, "modelyard", 0.5, 2.0, python)
    with pytest.raises(CannotRun, match="it asks for a token"):
        stranger.place("strange", limits, certificate)
    for name, value in cluster.token.items():
        monkeypatch.setenv(name, value)
    placing = RayPlacing(cluster.address, "modelyard", 0.5, 2.0, python)
    with pytest.raises(CannotRun, match=r"had room for it within 2 seconds: it takes 0.5 CPUs and 16896 MiB, and .* are free"):
        placing.place("large", limits, certificate)
    placing.close()
    patient = RayPlacing(cluster.address, "modelyard", 0.5, 3600.0, python)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(patient.place, "larger", limits, certificate)
        patient.look()
        patient.close()
        with pytest.raises(CannotRun):
            waiting.result(60)


def test_a_server_without_a_cluster_serves_all_but_endpoints(tmp_path: Path):
    """It starts, says what is missing and how to come by it, and an endpoint fails with the same sentence."""
    yard = RayYard(tmp_path / "data", "127.0.0.1:1")
    yard.start()
    try:
        deployer = Deployer(yard, "alone")
        name = deployer.deploy("one", wait=False)
        failed = deployer.settled(name, "Failed", SECONDS)
        assert "There is no Ray cluster at '127.0.0.1:1'" in failed["FailureReason"]
        assert "ray start --head" in yard.log.read_text()
    finally:
        yard.stop()
    assert not yard.defects()


def test_a_server_without_ray_says_what_to_install(tmp_path: Path):
    """Where the package is missing the server does not start, and says so in one sentence."""
    yard = RunningYard(tmp_path / "data")
    done = subprocess.run(
        [*yard.program, "serve", "--data", str(yard.data), "--port", "0"],
        env={**os.environ, "MODELYARD_RUNTIME": "ray"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode != 0
    assert "pip install 'modelyard[ray]'" in done.stderr
