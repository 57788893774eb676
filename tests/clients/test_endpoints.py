"""Endpoints through boto3: models that really answer, in sandboxed processes."""

import zlib

import pytest
from botocore.exceptions import ClientError
from tests.endpoints import Deployer, eventually, program, says
from tests.running import ACCOUNT, RunningYard, both_databases

pytestmark = [pytest.mark.slow]


@pytest.fixture
def deployer(yard: RunningYard, request: pytest.FixtureRequest) -> Deployer:
    """Somebody who deploys, with names of the test's own."""
    return Deployer(yard, f"t{zlib.crc32(request.node.name.encode()):x}")


@both_databases
@pytest.mark.documented
def test_an_endpoint_is_made_answers_and_goes(deployer: Deployer):
    """Created, it is in service a moment later with a process of its own that answers; deleted, it is gone for every client."""
    name = deployer.deploy("echo")
    answer = deployer.runtime.invoke_endpoint(
        EndpointName=name, Body=b'{"x": 1}', ContentType="application/json", Accept="application/json"
    )
    assert answer["Body"].read() == b'{"x": 1}'
    assert (answer["ContentType"], answer["InvokedProductionVariant"]) == ("application/json", "AllTraffic")
    shown = deployer.described(name)
    arn = f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:endpoint/{name}"
    assert (shown["EndpointArn"], shown["EndpointConfigName"]) == (arn, name)
    [variant] = shown["ProductionVariants"]
    assert (variant["CurrentInstanceCount"], variant["DesiredInstanceCount"], variant["CurrentWeight"]) == (1, 1, 1.0)
    with pytest.raises(ClientError, match=f'Cannot create already existing endpoint "{arn}".'):
        deployer.sagemaker.create_endpoint(EndpointName=name.upper(), EndpointConfigName=name)
    deployer.delete(name)
    with pytest.raises(ClientError, match=f"ValidationError.* Endpoint {name} of account {ACCOUNT} not found."):
        deployer.invoke(name)
    with pytest.raises(ClientError, match=f'Could not find endpoint "{arn}".'):
        deployer.described(name)
