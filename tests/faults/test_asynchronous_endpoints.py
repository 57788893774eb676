"""Requests to asynchronous endpoints, and serverless variants, while their server dies."""

import pytest
from tests.asynchronous import Asynchronous
from tests.endpoints import eventually, program, says
from tests.faults.test_endpoints import own_yard  # noqa: F401 - a fixture
from tests.postgresql import postgresql_server  # noqa: F401 - another
from tests.running import RunningYard

pytestmark = [pytest.mark.slow, pytest.mark.ours]

SLOW = """
def invoke(body, headers):
    time.sleep(0.3)
    return 200, b"answer to " + body, {}
"""


def test_what_was_accepted_is_answered(own_yard: RunningYard):  # noqa: F811
    """The server is killed twice while requests are answered: each that it has taken down is answered."""
    deployer = Asynchronous(own_yard, "kill")
    name = deployer.asynchronous(program(SLOW), most=2)
    asked = [(number, deployer.ask(name, b"%d" % number)["OutputLocation"]) for number in range(16)]
    for place in (1, 4):
        deployer.result(asked[place][1])
        own_yard.kill()
        own_yard.start()
    for number, place in asked:
        assert deployer.result(place)["Body"] == b"answer to %d" % number


def test_a_serverless_variant_sleeps_on(own_yard: RunningYard):  # noqa: F811
    """After a kill it is in service with no worker, and the first request wakes one."""
    deployer = Asynchronous(own_yard, "sleep")
    deployer.model("m", says("awake"))
    name = deployer.named("m")
    serverless = {"MemorySizeInMB": 1024, "MaxConcurrency": 2}
    variant = {"VariantName": "v", "ModelName": name, "ServerlessConfig": serverless}
    deployer.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
    deployer.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    deployer.settled(name)
    own_yard.kill()
    own_yard.start()

    def workers() -> int:
        [found] = deployer.described(name)["ProductionVariants"]
        return int(found["CurrentInstanceCount"])

    eventually(lambda: workers() == 0)
    assert deployer.described(name)["EndpointStatus"] == "InService"
    assert deployer.invoke(name) == b"awake"
    assert eventually(workers) == 1
