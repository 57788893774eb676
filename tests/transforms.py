"""Batch transforms by tests: models that compute sums, and what a person does with a server to have them run over S3."""

from typing import Any

from tests.endpoints import Deployer, eventually, program
from tests.running import RunningYard

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

    def ended(self, name: str, status: str = "Completed", seconds: float = 60) -> dict[str, Any]:
        """The job, once it has ended."""

        def over() -> dict[str, Any] | None:
            job = self.job(name)
            return None if job["TransformJobStatus"] in ("InProgress", "Stopping") else job

        found = eventually(over, seconds)
        assert found["TransformJobStatus"] == status, found
        return dict(found)
