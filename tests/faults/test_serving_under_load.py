"""Requests at a steady pace while an endpoint is updated, rolled back, scaled and hurt, beside updates that are doomed."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from tests.endpoints import Deployer, packed, program, says
from tests.open_loop import OpenLoop, echoes
from tests.running import RunningYard
from tests.unrest import Killer, Unrest

pytestmark = [pytest.mark.slow, pytest.mark.ours]

PER_SECOND = 60
"""Far below what it bears: the machine may be small, and has other tests to run."""
OPERATIONS = 16


@dataclass(frozen=True)
class Broken:
    """Model data, or an image, that will never serve."""

    reason: str
    """What FailureReason says."""
    archive: bytes = b""
    image: str = "modelyard/program:1"


PING = "did not pass the ping health check.*"
LEADS_OUT = packed(**{"../outside.py": "x"})
BROKEN = {
    "no program": Broken(PING + "exited with code 2.*No such file or directory", packed(readme="x")),
    "no Python": Broken(PING + "exited with code 1.*SyntaxError", packed(serve="def invoke(:")),
    "a missing package": Broken(
        PING + "exited with code 1.*No module named 'nothing_like_it'", packed(serve="import nothing_like_it")
    ),
    "exits at once": Broken(PING + "exited with code 3.*tired", packed(serve="print('tired')\nraise SystemExit(3)")),
    "is killed": Broken(PING + "was ended by signal 9", packed(serve="import os\nos.kill(os.getpid(), 9)")),
    "too much memory": Broken(
        PING + "used more memory than its instance has", packed(serve="import time\nkept = b'x' * (400 << 20)\ntime.sleep(1000)")
    ),
    "no archive": Broken("Failed to extract model data archive", b"no archive at all"),
    "an archive that leads out": Broken("Failed to extract model data archive.*leads out of it", LEADS_OUT),
    "an image nobody knows": Broken("There is no recipe for the image nobody/knows:1", packed(serve=program()), "nobody/knows:1"),
}


@pytest.fixture(scope="module")
def deployer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployer]:
    """Somebody who deploys to a server of these tests, whose instances have little memory."""
    yard = RunningYard(tmp_path_factory.mktemp("load") / "data", instance_memory_mib=256)
    yard.start()
    yield Deployer(yard, "load")
    assert yard.stop() == 0
    assert not yard.defects(), "\n".join(yard.defects())


@pytest.fixture(scope="module")
def doomed(deployer: Deployer) -> dict[str, str]:
    """Endpoints whose updates to broken models have begun. Those that hang are in tests/contract/endpoints: they take longer."""
    deployer.model("good", says("good"))
    good = deployer.config("good")
    endpoints = {name: deployer.named(name.replace(" ", "-")) for name in BROKEN}
    for name, endpoint in endpoints.items():
        deployer.sagemaker.create_endpoint(EndpointName=endpoint, EndpointConfigName=good)
        container = {"Image": BROKEN[name].image, "ModelDataUrl": deployer.upload(endpoint, BROKEN[name].archive)}
        deployer.sagemaker.create_model(ModelName=endpoint, PrimaryContainer=container)
        deployer.config(name.replace(" ", "-"))
    for endpoint in endpoints.values():
        deployer.settled(endpoint, seconds=120)
        deployer.sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=endpoint)
    return endpoints


def test_no_request_fails_whatever_is_done_and_whoever_is_killed(deployer: Deployer, doomed: dict[str, str]) -> None:
    """Two variants are updated in every way, rolled back, scaled out and in, and each second one of their workers is killed:
    every request is answered, and with the answer to what it asked."""
    unrest = Unrest(deployer, pause=0.2)
    with OpenLoop(deployer.yard, unrest.endpoint, PER_SECOND) as load, Killer(deployer, unrest.endpoint) as killer:
        unrest.go_through(OPERATIONS)
    told = load.told
    assert not told.failures, told.failed
    assert sum(told.answers.values()) == told.sent and len(told.answers) == 3, told
    assert killer.killed > 3, killer.killed
    assert sum(unrest.done.values()) > OPERATIONS // 2, unrest.not_done


def test_a_container_that_closes_connections_costs_no_request(deployer: Deployer) -> None:
    """A container that ends each connection after its answer, without a word, is asked over another one: no request is lost."""
    part = """
class Rude(Handler):
    def do_POST(self):
        super().do_POST()
        self.close_connection = True
Handler = Rude
"""
    name = deployer.deploy("rude", echoes("rude").replace("signal.signal(", f"{part}\nsignal.signal(", 1))
    with OpenLoop(deployer.yard, name, PER_SECOND) as load:
        for _ in range(3):
            deployer.invoke(name)
    assert not load.told.failures, load.told.failed


def test_updates_to_broken_models_end_on_what_served_before(deployer: Deployer, doomed: dict[str, str]) -> None:
    """However a model is broken, its update ends in service on the configuration before, whose model answers, with a reason that
    tells the cause; and the next good update is one without a reason."""
    wrong: dict[str, Any] = {}
    for name, endpoint in doomed.items():
        shown = deployer.settled(endpoint, seconds=150)
        found = (shown["EndpointConfigName"], bool(re.search(BROKEN[name].reason, shown["FailureReason"], re.DOTALL)))
        if found != (deployer.named("good"), True) or deployer.invoke(endpoint) != b"good":
            wrong[name] = shown["EndpointConfigName"], shown["FailureReason"]
    assert not wrong
    endpoint = next(iter(doomed.values()))
    assert "FailureReason" not in deployer.update(endpoint, "better", says("better"))
    assert deployer.invoke(endpoint) == b"better"
