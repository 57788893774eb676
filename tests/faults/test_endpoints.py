"""Endpoints while servers and workers die."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.endpoints import Deployer, Load, eventually, says
from tests.postgresql import PostgresqlServer, fresh_database, postgresql_server  # noqa: F401
from tests.processes import Process, below, gone
from tests.running import RunningYard

pytestmark = [pytest.mark.slow, pytest.mark.ours]


@pytest.fixture(params=["sqlite", "postgresql"])
def own_yard(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunningYard]:
    """A server of the test's own, which it may kill."""
    with ExitStack() as stack:
        settings = {}
        if request.param == "postgresql":
            server: PostgresqlServer = request.getfixturevalue("postgresql_server")
            settings = {"database": stack.enter_context(fresh_database(server.address))}
        yard = RunningYard(tmp_path / "data", **settings)
        yard.start()
        yield yard
        yard.stop()
        assert not yard.defects(), "\n".join(yard.defects())


def workers(yard: RunningYard) -> list[Process]:
    """The processes of models, and of nothing else, that a server runs."""
    assert yard.process is not None
    return sorted(process for process in below(yard.process.pid) if " ".join(process.words()).endswith("serve.py"))


def test_endpoints_are_back_after_a_kill(own_yard: RunningYard):
    """The server is killed and started again: every endpoint is back without a call, a half-done update is done, and nothing of
    the time before runs on."""
    deployer = Deployer(own_yard, "kill")
    name = deployer.deploy("one", says("one"))
    before = workers(own_yard)
    assert len(before) == 1
    deployer.model("two", says("two"))
    deployer.config("two")
    deployer.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=deployer.named("two"))
    own_yard.kill()
    gone(before)
    own_yard.start()
    assert deployer.invoke(name) in (b"one", b"two")
    deployer.settled(name)
    assert deployer.invoke(name) == b"two"
    own_yard.kill()
    own_yard.start()
    assert deployer.described(name)["EndpointStatus"] == "InService"
    assert deployer.invoke(name) == b"two"


def test_what_was_captured_is_kept_by_a_server_that_stops(own_yard: RunningYard):
    """Every request that was answered before a server was told to stop is in S3 when it runs again."""
    deployer = Deployer(own_yard, "capture")
    deployer.model("m", says("m"), ExecutionRoleArn=deployer.role("writes", "s3:*"))
    capture = {
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": f"s3://{deployer.bucket}/captured",
        "CaptureOptions": [{"CaptureMode": "Input"}],
    }
    name = deployer.config("m", DataCaptureConfig=capture)
    deployer.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    deployer.settled(name)
    for _ in range(30):
        deployer.invoke(name)
    own_yard.stop()
    own_yard.start()
    listed = deployer.s3.list_objects_v2(Bucket=deployer.bucket, Prefix="captured/")["Contents"]
    files = [deployer.s3.get_object(Bucket=deployer.bucket, Key=one["Key"])["Body"].read() for one in listed]
    assert sum(file.count(b"\n") for file in files) == 30


def test_workers_that_die_cost_no_request(own_yard: RunningYard):
    """One worker of three is killed again and again while requests keep coming: each is answered, and workers are replaced."""
    deployer = Deployer(own_yard, "chaos")
    deployer.model("m", says("m"))
    name = deployer.config("m", {"InitialInstanceCount": 3})
    deployer.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    deployer.settled(name)
    with Load(deployer, name, per_second=100) as load:
        for turn in range(8):
            running = eventually(lambda: len(found := workers(own_yard)) == 3 and found)
            os.kill(running[turn % 3].number, signal.SIGKILL)
            time.sleep(0.7)
    assert not load.failed, load.failed[:3]
    assert load.answers[b"m"] > 300


def test_another_server_takes_over(own_yard: RunningYard):
    """Two servers on one database: each answers for an endpoint that one of them runs, and when that one is killed the other
    runs it on."""
    deployer = Deployer(own_yard, "two")
    name = deployer.deploy("m", says("m"))
    second = RunningYard.__new__(RunningYard)
    second.__dict__ |= {**own_yard.__dict__, "port": 0, "process": None, "log": own_yard.log.with_suffix(".second")}
    second.start()
    try:
        other = second.client("sagemaker-runtime", credentials=own_yard.admin())
        assert other.invoke_endpoint(EndpointName=name, Body=b"{}")["Body"].read() == b"m"
        own_yard.kill()
        assert eventually(lambda: _answered(other, name), 20) == b"m"
        assert len(workers(second)) == 1
    finally:
        second.stop()
        if own_yard.process is None:
            own_yard.start()
        assert not second.defects(), "\n".join(second.defects())


def _answered(client: object, name: str) -> bytes | None:
    try:
        answer: bytes = client.invoke_endpoint(EndpointName=name, Body=b"{}")["Body"].read()  # type: ignore[attr-defined]
    except Exception:
        return None
    return answer
