"""Asynchronous endpoints through boto3 and the SageMaker SDK: requests wait in a queue, and answers come into S3."""

import json
import zlib
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.endpoints import Deployer, eventually, program
from tests.running import RunningYard, both_databases

pytestmark = [pytest.mark.slow]

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


class Asynchronous(Deployer):
    """Somebody who deploys asynchronous endpoints."""

    def asynchronous(self, serve: str, output: dict[str, Any] | None = None, most: int = 2, **more: Any) -> str:
        """An asynchronous endpoint of a program; its name."""
        role = self.role("role", "s3:*", "kms:*", "logs:*")
        self.model("async", serve, ExecutionRoleArn=role)
        places = {"S3OutputPath": f"s3://{self.bucket}/out/", "S3FailurePath": f"s3://{self.bucket}/failed"}
        config = {
            "ClientConfig": {"MaxConcurrentInvocationsPerInstance": most},
            "OutputConfig": {**places, **(output or {})},
        }
        name = self.config("async", AsyncInferenceConfig=config)
        self.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name, **more)
        self.settled(name)
        return name

    def ask(self, endpoint: str, body: bytes, **more: Any) -> dict[str, Any]:
        """What is answered at once."""
        key = f"in/{zlib.crc32(body):x}"
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body, ContentType="text/x-question")
        location = f"s3://{self.bucket}/{key}"
        answer: dict[str, Any] = self.runtime.invoke_endpoint_async(EndpointName=endpoint, InputLocation=location, **more)
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 202
        return answer

    def found(self, uri: str) -> dict[str, Any] | None:
        """An object, if it is there."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        try:
            answer: dict[str, Any] = self.s3.get_object(Bucket=bucket, Key=key)
        except ClientError as error:
            assert error.response["Error"]["Code"] == "NoSuchKey"
            return None
        return {**answer, "Body": answer["Body"].read()}

    def result(self, uri: str) -> dict[str, Any]:
        """An object, once it is there."""
        found: dict[str, Any] = eventually(lambda: self.found(uri))
        return found


@pytest.fixture
def deployer(yard: RunningYard, request: pytest.FixtureRequest) -> Asynchronous:
    """Somebody who deploys, with names of the test's own."""
    return Asynchronous(yard, f"t{zlib.crc32(request.node.name.encode()):x}")


@both_databases
@pytest.mark.documented
def test_requests_are_answered_into_s3(deployer: Asynchronous):
    """A request is taken down at once; its answer, of the content type that the model gave it, comes to where it was said."""
    name = deployer.asynchronous(program(ECHO))
    answer = deployer.ask(name, b"hello", InferenceId="mine", Accept="text/plain", CustomAttributes="a=1")
    assert answer["InferenceId"] == "mine"
    assert answer["OutputLocation"].startswith(f"s3://{deployer.bucket}/out/")
    assert answer["FailureLocation"].startswith(f"s3://{deployer.bucket}/failed/")
    found = deployer.result(answer["OutputLocation"])
    headers = {"Content-Type": "text/x-question", "Accept": "text/plain", "X-Amzn-SageMaker-Custom-Attributes": "a=1"}
    assert (json.loads(found["Body"]), found["ContentType"]) == (["hello", headers], "application/x-echo")
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
