"""Endpoints through boto3: models that really answer, in sandboxed processes."""

import json
import re
import subprocess
import time
import zlib
from pathlib import Path

import pytest
from botocore.exceptions import ClientError, EventStreamError
from tests.clients.environments import client_environment
from tests.endpoints import IMAGE, Deployer, Load, eventually, packed, program, says
from tests.running import ACCOUNT, RunningYard, both_databases

pytestmark = [pytest.mark.slow]

PROGRAMS = Path(__file__).parent / "programs"
HALF = {"Type": "CAPACITY_PERCENT", "Value": 50}


def blue_green(kind: str, **more: object) -> dict[str, object]:
    routing = {"Type": kind, "WaitIntervalInSeconds": 1, **more}
    return {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing, "TerminationWaitInSeconds": 1}}


CANARY, LINEAR = blue_green("CANARY", CanarySize=HALF), blue_green("LINEAR", LinearStepSize=HALF)
ROLLING = {"RollingUpdatePolicy": {"MaximumBatchSize": HALF, "WaitIntervalInSeconds": 1}}


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


@pytest.mark.documented
def test_an_update_under_load_fails_no_request(deployer: Deployer):
    """While requests keep coming an endpoint moves to another model, all at once and in steps, and each of them is answered."""
    name = deployer.deploy("one", says("one"))
    with Load(deployer, name) as load:
        for number, policy in enumerate(({}, CANARY, LINEAR, ROLLING), 2):
            more = {"DeploymentConfig": policy} if policy else {}
            deployer.model(f"m{number}", says(f"m{number}"))
            deployer.config(f"m{number}", {"InitialInstanceCount": 2 if policy else 1})
            deployer.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=deployer.named(f"m{number}"), **more)
            shown = deployer.described(name)
            assert (shown["EndpointStatus"], shown["PendingDeploymentSummary"]["EndpointConfigName"]) == (
                "Updating",
                deployer.named(f"m{number}"),
            )
            assert shown["EndpointConfigName"] == deployer.named("one" if number == 2 else f"m{number - 1}")
            with pytest.raises(ClientError, match=f'Cannot update in-progress endpoint "{shown["EndpointArn"]}".'):
                deployer.sagemaker.delete_endpoint(EndpointName=name)
            shown = deployer.settled(name)
            assert shown["EndpointConfigName"] == deployer.named(f"m{number}")
            assert shown.get("LastDeploymentConfig", {}) == policy
            assert deployer.invoke(name) == f"m{number}".encode()
    assert not load.failed, load.failed[:3]
    assert load.answers.keys() == {b"one", b"m2", b"m3", b"m4", b"m5"}


@pytest.mark.seen
@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ("raise SystemExit(3)", "did not pass the ping health check.*exited with code 3"),
        ("def invoke(:", "did not pass the ping health check.*exited with code 1"),
        (None, "Failed to extract model data archive"),
    ],
    ids=["exits", "no-python", "no-archive"],
)
def test_a_broken_model_leaves_the_old_one(deployer: Deployer, broken: str | None, reason: str):
    """An update to a model that does not come up ends in service, on the configuration before, with the reason."""
    name = deployer.deploy("good", says("good"))
    if broken is None:
        uri = deployer.upload("bad", b"no archive at all")
        container = {"Image": "modelyard/program:1", "ModelDataUrl": uri}
        deployer.sagemaker.create_model(ModelName=deployer.named("bad"), PrimaryContainer=container)
    else:
        deployer.model("bad", program(broken))
    deployer.config("bad")
    deployer.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=deployer.named("bad"))
    shown = deployer.settled(name)
    assert shown["EndpointConfigName"] == deployer.named("good")
    assert re.search(reason, shown["FailureReason"])
    assert deployer.invoke(name) == b"good"
    assert "FailureReason" not in deployer.update(name, "better", says("better"))


@pytest.mark.documented
def test_weights_and_counts_change_while_it_serves(deployer: Deployer):
    """Weights move the traffic, counts the number of processes, and neither fails a request."""
    deployer.model("a", says("a"))
    deployer.model("b", says("b"))
    variants = [{"VariantName": name, "ModelName": deployer.named(name)} for name in "ab"]
    name = deployer.config("ab", *variants)
    deployer.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    deployer.settled(name)
    with Load(deployer, name) as load:
        assert {deployer.invoke(name, TargetVariant=one) for one in "ab"} == {b"a", b"b"}
        deployer.sagemaker.update_endpoint_weights_and_capacities(
            EndpointName=name,
            DesiredWeightsAndCapacities=[
                {"VariantName": "a", "DesiredWeight": 0.0},
                {"VariantName": "b", "DesiredInstanceCount": 3},
            ],
        )
        shown = {one["VariantName"]: one for one in deployer.settled(name)["ProductionVariants"]}
        assert (shown["a"]["CurrentWeight"], shown["b"]["CurrentInstanceCount"]) == (0.0, 3)
        assert {deployer.invoke(name) for _ in range(20)} == {b"b"}
        assert deployer.invoke(name, TargetVariant="a") == b"a"
    assert not load.failed, load.failed[:3]
    with pytest.raises(ClientError, match="is/are not present within endpoint configuration"):
        deployer.sagemaker.update_endpoint_weights_and_capacities(
            EndpointName=name, DesiredWeightsAndCapacities=[{"VariantName": "c", "DesiredWeight": 1.0}]
        )


@pytest.mark.documented
def test_what_containers_get_and_what_comes_back(deployer: Deployer):
    """A container has SageMaker's environment, its role's credentials by which it reaches Modelyard, and the headers of the
    request; its own headers come back, and what it prints is in CloudWatch Logs."""
    part = """
import boto3
def invoke(body, headers):
    print("asked", flush=True)
    found = {
        "environment": {name: os.environ.get(name) for name in ("MINE", "AWS_REGION", "SAGEMAKER_BIND_TO_PORT")},
        "headers": dict(headers.items()),
        "me": boto3.client("sts").get_caller_identity()["Arn"],
        "model": sorted(os.listdir("/opt/ml/model")),
        "writable": os.access("/opt/ml/model", os.W_OK),
    }
    return 200, json.dumps(found).encode(), {"Content-Type": "application/json", "X-Amzn-SageMaker-Custom-Attributes": "back"}
"""
    role = deployer.role("runs", "logs:*", "s3:GetObject", "sts:*")
    deployer.model("m", program(part), ExecutionRoleArn=role, container={"Environment": {"MINE": "1"}})
    name = deployer.config("m")
    deployer.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    deployer.settled(name)
    answer = deployer.runtime.invoke_endpoint(
        EndpointName=name, Body=b"x", ContentType="text/csv", Accept="text/plain", CustomAttributes="there", InferenceId="7"
    )
    found = json.loads(answer["Body"].read())
    assert answer["CustomAttributes"] == "back"
    assert found["environment"] == {"MINE": "1", "AWS_REGION": "us-east-1", "SAGEMAKER_BIND_TO_PORT": "8080"}
    headers = {key.lower(): value for key, value in found["headers"].items()}
    assert (headers["content-type"], headers["accept"]) == ("text/csv", "text/plain")
    assert (headers["x-amzn-sagemaker-custom-attributes"], headers["x-amzn-sagemaker-inference-id"]) == ("there", "7")
    assert found["me"].endswith(f":assumed-role/{deployer.named('runs')}/SageMaker")
    assert (found["model"], found["writable"]) == (["serve.py"], False)
    logs = deployer.yard.client("logs")
    group = f"/aws/sagemaker/Endpoints/{name}"

    def lines() -> list[str]:
        try:
            [stream] = logs.describe_log_streams(logGroupName=group)["logStreams"]
        except logs.exceptions.ResourceNotFoundException:
            return []
        assert stream["logStreamName"].startswith("AllTraffic/i-")
        events = logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"])["events"]
        return [event["message"] for event in events]

    assert eventually(lambda: "asked" in lines())


@pytest.mark.documented
def test_what_a_container_refuses(deployer: Deployer):
    """A status other than 200 is a ModelError with the container's status, message and log stream; so is one that dies on it."""
    part = """
def invoke(body, headers):
    if body == b"die":
        os._exit(9)
    return int(body), b"no: " + body, {}
"""
    name = deployer.deploy("m", program(part))
    for status, whose in ((400, "client"), (503, "server")):
        with pytest.raises(ClientError) as refused:
            deployer.invoke(name, str(status).encode())
        error = refused.value.response
        assert (error["Error"]["Code"], error["ResponseMetadata"]["HTTPStatusCode"]) == ("ModelError", 424)
        text = f'Received {whose} error ({status}) from primary with message "no: {status}". See https://us-east-1.console.aws'
        assert error["Error"]["Message"].startswith(text)
        assert (error["OriginalStatusCode"], error["OriginalMessage"]) == (status, f"no: {status}")
        assert f":log-group:/aws/sagemaker/Endpoints/{name}:log-stream:AllTraffic/i-" in error["LogStreamArn"]
    with pytest.raises(ClientError, match=r"ModelError.*server error"):
        deployer.invoke(name, b"die")
    assert b"no" in eventually(lambda: _message(deployer, name))
    with pytest.raises(ClientError, match="ValidationError"):
        deployer.invoke(name, TargetVariant="other")
    with pytest.raises(ClientError, match="6291456"):
        deployer.invoke(name, b"x" * (6 * 1024 * 1024 + 1))


def _message(deployer: Deployer, name: str) -> bytes:
    try:
        return deployer.invoke(name, b"400")
    except ClientError as error:
        return str(error.response.get("OriginalMessage", "")).encode()


@pytest.mark.documented
def test_an_answer_in_pieces(deployer: Deployer):
    """InvokeEndpointWithResponseStream brings pieces as the container makes them; one that breaks off says so."""
    part = """
class Pieces(Handler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for word in (b"data: one\\n\\n", b"data: two\\n\\n"):
            self.wfile.write(b"%x\\r\\n%b\\r\\n" % (len(word), word))
            self.wfile.flush()
            time.sleep(0.3)
        if body == b"break":
            os._exit(1)
        self.wfile.write(b"0\\r\\n\\r\\n")
Handler = Pieces
"""
    name = deployer.deploy("m", program(part))
    began = time.monotonic()
    answer = deployer.runtime.invoke_endpoint_with_response_stream(EndpointName=name, Body=b"x")
    pieces, times = [], []
    for event in answer["Body"]:
        pieces.append(event["PayloadPart"]["Bytes"])
        times.append(time.monotonic() - began)
    assert pieces == [b"data: one\n\n", b"data: two\n\n"]
    assert times[1] - times[0] > 0.2
    assert (answer["ContentType"], answer["InvokedProductionVariant"]) == ("text/event-stream", "AllTraffic")
    assert deployer.invoke(name) == b"data: one\n\ndata: two\n\n"
    with pytest.raises(EventStreamError, match="ModelStreamError"):
        list(deployer.runtime.invoke_endpoint_with_response_stream(EndpointName=name, Body=b"break")["Body"])


@pytest.mark.documented
def test_containers_in_a_row(deployer: Deployer):
    """Containers of a pipeline get each other's answers; those that are invoked directly are chosen by hostname."""
    for name in ("plus", "times"):
        deployer.upload(name, packed(serve=program(f"def invoke(body, headers):\n    return 200, body + b' {name}', {{}}\n")))
    containers = [
        {"Image": IMAGE, "ModelDataUrl": f"s3://{deployer.bucket}/{name}/model.tar.gz", "ContainerHostname": name}
        for name in ("plus", "times")
    ]
    for mode in ("Serial", "Direct"):
        deployer.sagemaker.create_model(
            ModelName=deployer.named(mode), Containers=containers, InferenceExecutionConfig={"Mode": mode}
        )
        name = deployer.config(mode)
        deployer.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
        deployer.settled(name)
    assert deployer.invoke(deployer.named("Serial"), b"x") == b"x plus times"
    assert deployer.invoke(deployer.named("Direct"), b"x", TargetContainerHostname="times") == b"x times"
    for asked, words in (
        ({}, "must be one of plus, times"),
        ({"TargetContainerHostname": "no"}, "no is none of this endpoint's"),
    ):
        with pytest.raises(ClientError, match=f"ValidationError.*{words}"):
            deployer.invoke(deployer.named("Direct"), **asked)
    with pytest.raises(ClientError, match=r"ValidationError.*whose containers are invoked directly"):
        deployer.invoke(deployer.named("Serial"), TargetContainerHostname="plus")


@pytest.mark.seen
def test_sdk_2_deploys_containers_in_a_row(deployer: Deployer):
    """PipelineModel, unmodified; and containers that are asked directly, by the initial arguments of a predictor."""
    words = [
        deployer.upload(name, packed(serve=program(f"def invoke(body, headers):\n    return 200, body + b' {name}', {{}}\n")))
        for name in ("plus", "times")
    ]
    command = [client_environment("sdk2"), PROGRAMS / "sdk2_pipeline_model.py", deployer.named("sdk"), *words]
    environment = deployer.yard.environment(profile="execution-role")
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout.splitlines()[-1]) == ["x plus times", "x plus", "x times"]


@pytest.mark.seen
def test_the_missions_lambda_functions(deployer: Deployer):
    """Look whether the endpoint is there, deploy to a new one, deploy to the existing one: the calls of the three functions."""
    arns = []
    deployer.sagemaker.create_model_package_group(ModelPackageGroupName=deployer.named("g"))
    for word in ("one", "two"):
        uri = deployer.upload(word, packed(serve=says(word)))
        container = {"Image": IMAGE, "ModelDataUrl": uri}
        arns.append(
            deployer.sagemaker.create_model_package(
                ModelPackageGroupName=deployer.named("g"),
                ModelApprovalStatus="Approved",
                InferenceSpecification={
                    "Containers": [container],
                    "SupportedContentTypes": ["text/csv"],
                    "SupportedResponseMIMETypes": ["text/csv"],
                },
            )["ModelPackageArn"]
        )
    name = deployer.named("staging")
    for number, arn in enumerate(arns):
        there = name in [one["EndpointName"] for one in deployer.sagemaker.list_endpoints(NameContains=name)["Endpoints"]]
        assert there is (number == 1)
        model = f"{name}-{number}"
        deployer.sagemaker.create_model(ModelName=model, Containers=[{"ModelPackageName": arn}])
        variant = {"VariantName": "AllTraffic", "ModelName": model, "InitialInstanceCount": 1, "InstanceType": "ml.m5.xlarge"}
        deployer.sagemaker.create_endpoint_config(EndpointConfigName=model, ProductionVariants=[variant])
        call = deployer.sagemaker.update_endpoint if there else deployer.sagemaker.create_endpoint
        call(EndpointName=name, EndpointConfigName=model)
        deployer.sagemaker.get_waiter("endpoint_in_service").wait(EndpointName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
        assert deployer.invoke(name) == (b"one", b"two")[number]


@pytest.mark.ours
def test_what_is_not_there_yet_is_refused(deployer: Deployer):
    """A configuration with an explainer can be made; deploying it is refused with the reason."""
    deployer.model("m", program())
    variant = {"ModelName": deployer.named("m"), "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
    shap = {"ShapConfig": {"ShapBaselineConfig": {"ShapBaseline": "1,2"}}}
    for words, more in (("online explanations", {"ExplainerConfig": {"ClarifyExplainerConfig": shap}}),):
        name = deployer.named(words.replace(" ", "-"))
        deployer.sagemaker.create_endpoint_config(
            EndpointConfigName=name, ProductionVariants=[{"VariantName": "v", **variant}], **more
        )
        with pytest.raises(ClientError, match=f"ValidationException.*asks for {words}, which this server does not have"):
            deployer.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)


@pytest.mark.seen
def test_sdk_2_deploys_predicts_updates_and_deletes(deployer: Deployer):
    """The SDK's own flow, unmodified: deploy a version, predict with serializers, update to another version, delete."""
    part = """
def invoke(body, headers):
    rows = [[int(cell) for cell in line.split(",")] for line in body.decode().splitlines()]
    answer = {"sums": [FACTOR * sum(row) for row in rows], "asked": [headers["Content-Type"], headers["Accept"]]}
    return 200, json.dumps(answer).encode(), {"Content-Type": "application/json"}
"""
    deployer.sagemaker.create_model_package_group(ModelPackageGroupName=deployer.named("g"))
    arns = []
    for factor in (1, 10):
        uri = deployer.upload(f"f{factor}", packed(serve=program(f"FACTOR = {factor}\n{part}")))
        specification = {
            "Containers": [{"Image": IMAGE, "ModelDataUrl": uri}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["application/json"],
        }
        made = deployer.sagemaker.create_model_package(
            ModelPackageGroupName=deployer.named("g"), InferenceSpecification=specification
        )
        arns.append(made["ModelPackageArn"])
    command = [client_environment("sdk2"), PROGRAMS / "sdk2_endpoint.py", *arns, deployer.named("sdk")]
    environment = deployer.yard.environment(profile="execution-role")
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    asked = ["text/csv", "application/json"]
    assert json.loads(done.stdout.splitlines()[-1]) == {
        "answers": [{"sums": [6], "asked": asked}, {"sums": [60, 150], "asked": asked}],
        "count": 2,
        "status": "InService",
        "left": [],
    }
