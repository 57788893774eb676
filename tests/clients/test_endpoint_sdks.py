"""The flows of the SDKs and of the AWS CLI around endpoints, unmodified: what they send is what notebooks and scripts send."""

import json
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest
from tests.clients.environments import client_environment
from tests.endpoints import IMAGE, Deployer, packed, program
from tests.running import RunningYard

pytestmark = [pytest.mark.slow, pytest.mark.seen]

PROGRAMS = Path(__file__).parent / "programs"
AWS = Path(sys.executable).with_name("aws")
MODEL = """
import io, numpy

def read(body, kind):
    if kind == "application/x-npy":
        return numpy.load(io.BytesIO(body))
    if kind == "application/json":
        return numpy.array(json.loads(body))
    return numpy.loadtxt(body.decode().splitlines(), delimiter=",", ndmin=2)

def invoke(body, headers):
    sums = FACTOR * read(body, headers["Content-Type"]).sum(axis=1)
    accept = headers["Accept"]
    if accept == "application/x-npy":
        content = io.BytesIO()
        numpy.save(content, sums)
        return 200, content.getvalue(), {"Content-Type": accept}
    if accept == "application/json":
        return 200, json.dumps(sums.tolist()).encode(), {"Content-Type": accept}
    if accept == "application/json;verbose":
        likely = 1 / (1 + numpy.exp(-sums))
        found = {"probabilities": numpy.stack([1 - likely, likely], axis=1).tolist()}
        return 200, json.dumps(found).encode(), {"Content-Type": "application/json"}
    return 200, ",".join(map(str, sums)).encode(), {"Content-Type": "text/csv"}
"""


def sums(factor: int) -> str:
    """A model that adds the numbers of each row, and answers in the format that is asked for."""
    return program(f"FACTOR = {factor}\n{MODEL}")


@pytest.fixture
def deployer(yard: RunningYard, request: pytest.FixtureRequest) -> Deployer:
    """Somebody who deploys, with names of the test's own."""
    return Deployer(yard, f"t{zlib.crc32(request.node.name.encode()):x}")


def run(deployer: Deployer, client: str, name: str, *arguments: str) -> Any:
    """What a client program prints last, as JSON."""
    environment = deployer.yard.environment(profile="execution-role")
    command = [client_environment(client), PROGRAMS / name, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_sdk_2_predicts_with_every_serializer_and_tests_an_endpoint(deployer: Deployer) -> None:
    """CSV, JSON and NumPy go there and come back as they were sent; the test notebook gets its accuracy from the probabilities,
    and deletes endpoint, configuration and model."""
    model = deployer.model("sums", sums(1))
    told = run(deployer, "sdk2", "sdk2_predictors.py", model, deployer.named("sdk"))
    assert 0.8 < told.pop("accuracy") < 0.95
    assert told == {
        "csv": [["6.0", "15.0"]],
        "json": [6.0, 15.0],
        "numpy": [[6.0, 15.0], "float64"],
        "attributes": "3.0",
        "left": [],
    }


def test_sdk_3_deploys_invokes_updates_and_deletes(deployer: Deployer) -> None:
    """sagemaker-core's resources: Model, EndpointConfig and Endpoint are made, waited for, invoked, updated and deleted."""
    group = deployer.named("g")
    deployer.sagemaker.create_model_package_group(ModelPackageGroupName=group)
    versions = []
    for factor in (1, 10):
        container = {"Image": IMAGE, "ModelDataUrl": deployer.upload(f"f{factor}", packed(serve=sums(factor)))}
        made = deployer.sagemaker.create_model_package(
            ModelPackageGroupName=group,
            ModelApprovalStatus="Approved",
            InferenceSpecification={
                "Containers": [container],
                "SupportedContentTypes": ["text/csv"],
                "SupportedResponseMIMETypes": ["application/json"],
            },
        )
        versions.append(made["ModelPackageArn"])
    name = deployer.named("v3")
    assert run(deployer, "sdk3", "sdk3_endpoint.py", *versions, name) == {
        "created": ["InService", 1, [[6.0], "application/json", "AllTraffic"]],
        "updated": [f"{name}-2", [[60.0], "application/json", "AllTraffic"]],
        "listed": [name],
        "left": [],
    }


def test_the_cli_invokes(deployer: Deployer, tmp_path: Path) -> None:
    """`aws sagemaker-runtime invoke-endpoint` writes the answer into a file; a refusal is its exit code and its text."""
    name = deployer.deploy("sums", sums(1))

    def aws(*words: str) -> "subprocess.CompletedProcess[str]":
        command = [AWS, "sagemaker-runtime", "invoke-endpoint", *words]
        environment = deployer.yard.environment()
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path)

    (tmp_path / "rows.csv").write_text("1,2,3\n4,5,6\n")
    asked = ("--body", "fileb://rows.csv", "--content-type", "text/csv", "--accept", "application/json", "answer.json")
    done = aws("--endpoint-name", name, *asked)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "answer.json").read_text()) == [6.0, 15.0]
    assert json.loads(done.stdout) == {"ContentType": "application/json", "InvokedProductionVariant": "AllTraffic"}
    done = aws("--endpoint-name", "nowhere", *asked)
    assert done.returncode != 0 and "Endpoint nowhere of account" in done.stderr
