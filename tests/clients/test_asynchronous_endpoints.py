"""Asynchronous endpoints through boto3 and the SageMaker SDK: requests wait in a queue, and answers come into S3."""

import json
import subprocess
import time
import zlib
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from tests.asynchronous import Asynchronous
from tests.clients.environments import client_environment
from tests.endpoints import IMAGE, eventually, packed, program
from tests.running import RunningYard, both_databases

pytestmark = [pytest.mark.slow]

PROGRAMS = Path(__file__).parent / "programs"
ECHO = """
def invoke(body, headers):
    if body == b"fail":
        return 500, b"it cannot be done", {"Content-Type": "text/x-sorry"}
    if body == b"slow":
        time.sleep(30)
    if body == b"die":
        os._exit(7)
    told = {name: headers.get(name) for name in ("Content-Type", "Accept", "X-Amzn-SageMaker-Custom-Attributes")}
    said = body if len(body) > 1000 else json.dumps([body.decode(), told]).encode()
    return 200, said, {"Content-Type": "application/x-echo"}
"""


@pytest.fixture
def deployer(yard: RunningYard, request: pytest.FixtureRequest) -> Asynchronous:
    """Somebody who deploys, with names of the test's own."""
    return Asynchronous(yard, f"t{zlib.crc32(request.node.name.encode()):x}")


@both_databases
@pytest.mark.documented
def test_requests_are_answered_into_s3(deployer: Asynchronous):
    """A request is taken down at once; its answer, of the content type that the model gave it, comes to where it was said, and a
    topic is told."""
    topic, told = deployer.told()
    name = deployer.asynchronous(program(ECHO), {"NotificationConfig": {"SuccessTopic": topic}})
    answer = deployer.ask(name, b"hello", InferenceId="mine", Accept="text/plain", CustomAttributes="a=1")
    assert answer["InferenceId"] == "mine"
    assert answer["OutputLocation"].startswith(f"s3://{deployer.bucket}/out/")
    assert answer["FailureLocation"].startswith(f"s3://{deployer.bucket}/failed/")
    found = deployer.result(answer["OutputLocation"])
    headers = {"Content-Type": "text/x-question", "Accept": "text/plain", "X-Amzn-SageMaker-Custom-Attributes": "a=1"}
    assert (json.loads(found["Body"]), found["ContentType"]) == (["hello", headers], "application/x-echo")
    notified = eventually(told)
    assert (notified["invocationStatus"], notified["inferenceId"]) == ("Completed", "mine")
    assert notified["responseParameters"] == {"contentType": "application/x-echo", "outputLocation": answer["OutputLocation"]}
    inline = deployer.runtime.invoke_endpoint_async(
        EndpointName=name, Body=b"inline", ContentType="a/b", S3OutputPathExtension="2026/11", Filename="answer.json"
    )
    assert inline["OutputLocation"] == f"s3://{deployer.bucket}/out/2026/11/answer.json"
    [said, told] = json.loads(deployer.result(inline["OutputLocation"])["Body"])
    assert (said, told["Content-Type"]) == ("inline", "a/b")
    failed = deployer.ask(name, b"fail")
    reason = deployer.result(failed["FailureLocation"])
    assert (reason["Body"], reason["ContentType"]) == (b"it cannot be done", "text/x-sorry")
    assert "Received server error (500) from primary" in reason["Metadata"]["failure-reason"]
    assert deployer.found(failed["OutputLocation"]) is None


@pytest.mark.documented
def test_an_instance_has_as_many_requests_as_was_said(deployer: Asynchronous):
    """MaxConcurrentInvocationsPerInstance at a time, the others wait; what is under way is answered while the model changes."""
    part = """
lock, now, most = threading.Lock(), 0, 0

def invoke(body, headers):
    global now, most
    with lock:
        now += 1
        most = max(most, now)
    time.sleep(float(body))
    with lock:
        now -= 1
    return 200, f"{WORD} {most}".encode(), {}
"""
    name = deployer.asynchronous(program(f"WORD = 'old'\n{part}"), most=2)
    quick = [deployer.ask(name, b"0.2") for _ in range(7)]
    assert {deployer.result(one["OutputLocation"])["Body"] for one in quick} <= {b"old 1", b"old 2"}
    slow = deployer.ask(name, b"4")
    assert deployer.result(deployer.ask(name, b"0")["OutputLocation"]), "what came before it has begun"
    asynchronous = deployer.described(name)["AsyncInferenceConfig"]
    deployer.model("new", program(f"WORD = 'new'\n{part}"), ExecutionRoleArn=deployer.role("new", "s3:*"))
    deployer.config("new", AsyncInferenceConfig=asynchronous)
    deployer.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=deployer.named("new"))
    deployer.settled(name)
    assert deployer.result(deployer.ask(name, b"0")["OutputLocation"])["Body"] == b"new 1"
    assert deployer.result(slow["OutputLocation"])["Body"].startswith(b"old")


@pytest.mark.documented
def test_what_is_not_answered_has_a_reason(deployer: Asynchronous):
    """A model that takes too long, one that ends each time, input that is not there and input that may not be read."""
    name = deployer.asynchronous(program(ECHO))
    late = deployer.ask(name, b"slow", InvocationTimeoutSeconds=1)
    deadly = deployer.ask(name, b"die")
    nothing = deployer.runtime.invoke_endpoint_async(EndpointName=name, InputLocation=f"s3://{deployer.bucket}/nothing")
    deny = {"Effect": "Deny", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{deployer.bucket}/secret/*"}
    policy = {"Version": "2012-10-17", "Statement": [deny]}
    deployer.yard.client("iam").put_role_policy(
        RoleName=deployer.named("role"), PolicyName="deny", PolicyDocument=json.dumps(policy)
    )
    secret = deployer.runtime.invoke_endpoint_async(EndpointName=name, InputLocation=f"s3://{deployer.bucket}/secret/x")
    for asked, words in (
        (late, "did not answer within 1 seconds"),
        (deadly, "ended 3 times"),
        (nothing, "NoSuchKey"),
        (secret, "AccessDenied"),
    ):
        assert words in deployer.result(asked["FailureLocation"])["Body"].decode()
    assert deployer.result(deployer.ask(name, b"hello")["OutputLocation"])["ContentType"] == "application/x-echo"
    with pytest.raises(ClientError, match="is an asynchronous one: it is invoked with InvokeEndpointAsync"):
        deployer.invoke(name)
    with pytest.raises(ClientError, match="is not an asynchronous one: it is invoked with InvokeEndpoint"):
        deployer.ask(deployer.deploy("plain"), b"hello")


@pytest.mark.documented
def test_requests_wait_for_an_instance_and_may_be_large(deployer: Asynchronous):
    """An endpoint without instances takes requests, and answers once it has one: many megabytes too, and encrypted.
    What waits is a metric."""
    key = deployer.yard.client("kms").create_key()["KeyMetadata"]["Arn"]
    name = deployer.asynchronous(program(ECHO), {"KmsKeyId": key})

    def scale(count: int) -> None:
        change = {"VariantName": "AllTraffic", "DesiredInstanceCount": count}
        deployer.sagemaker.update_endpoint_weights_and_capacities(EndpointName=name, DesiredWeightsAndCapacities=[change])
        deployer.settled(name)

    scale(0)
    eventually(lambda: deployer.described(name)["ProductionVariants"][0]["CurrentInstanceCount"] == 0)
    large = bytes(range(256)) * 4096 * 24
    asked = deployer.ask(name, large)
    assert deployer.found(asked["OutputLocation"]) is None
    for metric in ("ApproximateBacklogSize", "HasBacklogWithoutCapacity"):
        assert eventually(lambda metric=metric: _published(deployer, name, metric), 60) == 1.0
    scale(1)
    found = deployer.result(asked["OutputLocation"])
    assert (found["Body"] == large, found["ServerSideEncryption"], found["SSEKMSKeyId"]) == (True, "aws:kms", key)


def _published(deployer: Asynchronous, name: str, metric: str) -> float:
    """The largest value of a metric of an endpoint; 0 where there is none yet."""
    now = time.time()
    found = deployer.yard.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/SageMaker",
        MetricName=metric,
        Dimensions=[{"Name": "EndpointName", "Value": name}],
        StartTime=now - 600,
        EndTime=now + 60,
        Period=60,
        Statistics=["Maximum"],
    )
    return max((point["Maximum"] for point in found["Datapoints"]), default=0.0)


@pytest.mark.seen
def test_sdk_2_predicts_later_and_without_instances(deployer: Asynchronous):
    """The SDK's own flow, unmodified: AsyncInferenceConfig, predict_async, get_result, predict, failures; and serverless."""
    part = """
def invoke(body, headers):
    asked = json.loads(body)
    status = 500 if "fail" in asked else 200
    answer = {"asked": asked, "type": headers["Content-Type"], "id": headers.get("X-Amzn-SageMaker-Inference-Id")}
    return status, json.dumps(answer).encode(), {"Content-Type": "application/json"}
"""
    uri = deployer.upload("sdk", packed(serve=program(part)))
    command = [client_environment("sdk2"), PROGRAMS / "sdk2_asynchronous.py", uri, IMAGE, deployer.named("sdk")]
    environment = deployer.yard.environment(profile="execution-role")
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout.splitlines()[-1])
    first, second, third = told["answers"]
    assert first == {"asked": {"a": 1}, "type": "application/json", "id": "first"}
    assert told["early"] in (None, first)
    assert (second["asked"], third["asked"]) == ({"a": 2}, {"a": 3})
    assert "'fail': True" in told["reason"]
    assert told["output"].startswith("s3://sagemaker-us-east-1-")
