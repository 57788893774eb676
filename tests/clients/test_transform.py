"""Batch transform through boto3: models that really answer, in sandboxed processes, from S3 to S3."""

import gzip
import json
import zlib
from typing import Any

import pytest
from botocore.exceptions import ClientError, WaiterError
from tests.endpoints import Deployer, eventually, program
from tests.running import ACCOUNT, RunningYard, both_databases

pytestmark = [pytest.mark.slow]

SUM = """
def invoke(body, headers):
    if b"bad" in body:
        return 400, b"what is bad?", {}
    if headers["Content-Type"] == "text/csv":
        rows = [line.split(",") for line in body.decode().splitlines()]
        return 200, "\\n".join(str(sum(map(float, row))) for row in rows).encode(), {"Content-Type": "text/csv"}
    lines = [{"sum": sum(json.loads(line)["features"])} for line in body.decode().splitlines()]
    return 200, "\\n".join(map(json.dumps, lines)).encode(), {"Content-Type": headers["Content-Type"]}
"""
SHOWS = """
def invoke(body, headers):
    return 200, json.dumps([len(body.split(b"\\n")), os.environ.get("MINE"), os.environ.get("SAGEMAKER_BATCH")]).encode(), {}
"""


class Transforming(Deployer):
    """Somebody who transforms."""

    def __init__(self, yard: RunningYard, prefix: str) -> None:
        super().__init__(yard, prefix)
        self.execution = self.role("runs", "s3:*", "logs:*")

    def ready(self, name: str, serve: str, **container: Any) -> str:
        """A model that a job can run."""
        return self.model(name, program(serve), ExecutionRoleArn=self.execution, container=container)

    def put(self, key: str, body: bytes) -> str:
        """The address of an input."""
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body)
        return f"s3://{self.bucket}/{key}"

    def outputs(self, prefix: str) -> dict[str, str]:
        """What was written below a prefix."""
        found = self.s3.list_objects_v2(Bucket=self.bucket, Prefix=prefix).get("Contents", [])
        return {
            one["Key"].removeprefix(prefix): self.s3.get_object(Bucket=self.bucket, Key=one["Key"])["Body"].read().decode()
            for one in found
        }

    def begin(self, name: str, model: str, uri: str, **more: Any) -> str:
        """Begin a job; its name."""
        given = {"ContentType": "text/csv", **more.pop("given", {})}
        source = {"S3DataType": more.pop("kind", "S3Prefix"), "S3Uri": uri}
        wanted = {"S3OutputPath": f"s3://{self.bucket}/out-{name}/", **more.pop("wanted", {})}
        self.sagemaker.create_transform_job(
            TransformJobName=self.named(name),
            ModelName=model,
            TransformInput={"DataSource": {"S3DataSource": source}, **given},
            TransformOutput=wanted,
            TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": more.pop("instances", 1)},
            **more,
        )
        return self.named(name)

    def job(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.sagemaker.describe_transform_job(TransformJobName=name)
        return found

    def ended(self, name: str, status: str = "Completed") -> dict[str, Any]:
        """The job, once it has ended."""
        found = eventually(lambda: (job := self.job(name))["TransformJobStatus"] not in ("InProgress", "Stopping") and job, 60)
        assert found["TransformJobStatus"] == status, found
        return dict(found)


@pytest.fixture
def transforming(yard: RunningYard, request: pytest.FixtureRequest) -> Transforming:
    """Somebody who transforms, with names of the test's own."""
    return Transforming(yard, f"t{zlib.crc32(request.node.name.encode()):x}")


@both_databases
@pytest.mark.documented
def test_inputs_become_outputs(transforming: Transforming):
    """Each object below a prefix has an output beside the others, with its rows joined to what the model made of some columns."""
    model = transforming.ready("sum", SUM)
    transforming.put("in/a.csv", b"x,1,2\ny,3,4\n")
    transforming.put("in/deep/b.csv", b"z,5,6\n")
    name = transforming.begin(
        "one",
        model,
        f"s3://{transforming.bucket}/in",
        given={"SplitType": "Line"},
        wanted={"AssembleWith": "Line", "Accept": "text/csv"},
        DataProcessing={"InputFilter": "$[1:]", "JoinSource": "Input", "OutputFilter": "$[0,-1]"},
    )
    assert transforming.job(name)["TransformJobStatus"] == "InProgress"
    shown = transforming.ended(name)
    assert transforming.outputs("out-one/") == {"a.csv.out": "x,3.0\ny,7.0\n", "deep/b.csv.out": "z,11.0\n"}
    assert shown["CreationTime"] <= shown["TransformStartTime"] <= shown["TransformEndTime"]
    assert shown["TransformInput"]["CompressionType"] == "None"
    transforming.sagemaker.get_waiter("transform_job_completed_or_stopped").wait(TransformJobName=name)
    arn = f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:transform-job/{name}"
    assert shown["TransformJobArn"] == arn
    with pytest.raises(ClientError, match="ResourceInUse.*must be unique"):
        transforming.begin("one", model, f"s3://{transforming.bucket}/in")
    with pytest.raises(ClientError, match="ValidationException.*Could not find requested job with name: nobody"):
        transforming.job("nobody")
