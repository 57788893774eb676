"""Transform jobs and validations while servers die."""

from contextlib import suppress

import pytest
from botocore.exceptions import BotoCoreError
from tests.endpoints import IMAGE, eventually, packed, program
from tests.running import RunningYard
from tests.transforms import Transforming

pytestmark = [pytest.mark.slow, pytest.mark.ours]

WAITS = """
def invoke(body, headers):
    if body.startswith(b"wait"):
        import boto3
        s3 = boto3.client("s3")
        bucket = body.decode().split()[1].strip()
        deadline = time.monotonic() + 120
        while "Contents" not in s3.list_objects_v2(Bucket=bucket, Prefix="go-on") and time.monotonic() < deadline:
            time.sleep(0.05)
    print("did", body.decode(), flush=True)
    return 200, body, {}
"""
"""A model that lets some inputs wait until an object is there."""


def did(transforming: Transforming, name: str) -> list[str]:
    """What the model of a job printed that it did, on every instance that ever ran."""
    logs = transforming.yard.client("logs")
    try:
        found = logs.filter_log_events(logGroupName="/aws/sagemaker/TransformJobs", logStreamNamePrefix=f"{name}/")["events"]
    except logs.exceptions.ResourceNotFoundException:
        return []
    return sorted(event["message"].removeprefix("did ").strip() for event in found if event["message"].startswith("did "))


def test_a_job_goes_on_after_a_kill(own_yard: RunningYard):
    """The server is killed in the middle of a job and started again: the job goes on with what has no output."""
    transforming = Transforming(own_yard, "kill")
    model = transforming.ready("waits", WAITS)
    transforming.put("in/1", b"first")
    transforming.put("in/2", f"wait {transforming.bucket}".encode())
    transforming.put("in/3", b"third")
    name = transforming.begin("goes-on", model, f"s3://{transforming.bucket}/in/")
    eventually(lambda: "first" in did(transforming, name) and transforming.outputs("out-goes-on/"))
    own_yard.kill()
    own_yard.start()
    transforming.put("go-on", b"now")
    shown = transforming.ended(name)
    assert transforming.outputs("out-goes-on/").keys() == {"1.out", "2.out", "3.out"}
    assert shown["TransformStartTime"] < shown["TransformEndTime"]
    assert eventually(lambda: "third" in (done := did(transforming, name)) and done).count("first") == 1


@pytest.mark.parametrize(("own_yard", "ends"), [("sqlite", "stop"), ("postgresql", "kill")], indirect=["own_yard"])
def test_a_server_that_ends_leaves_its_jobs_to_the_other(own_yard: RunningYard, ends: str):
    """Two servers on one database: one runs a job and is stopped, or killed, and the other goes on with it."""
    transforming = Transforming(own_yard, "two")
    model = transforming.ready("waits", WAITS)
    transforming.put("in/1", f"wait {transforming.bucket}".encode())
    name = transforming.begin("moves", model, f"s3://{transforming.bucket}/in/")
    second = RunningYard.__new__(RunningYard)
    second.__dict__ |= {**own_yard.__dict__, "port": 0, "process": None, "log": own_yard.log.with_suffix(".second")}
    eventually(lambda: "TransformStartTime" in transforming.job(name))
    second.start()
    try:
        credentials = own_yard.admin()
        client, s3 = second.client("sagemaker", credentials=credentials), second.client("s3", credentials=credentials)
        getattr(own_yard, ends)()
        s3.put_object(Bucket=transforming.bucket, Key="go-on", Body=b"now")
        described = eventually(
            lambda: (job := client.describe_transform_job(TransformJobName=name))["TransformJobStatus"] != "InProgress" and job,
            60,
        )
        assert described["TransformJobStatus"] == "Completed"
    finally:
        second.stop()
        assert not second.defects(), "\n".join(second.defects())


def test_a_validation_goes_on_after_a_kill(own_yard: RunningYard):
    """The server is killed while a version is validated: started again, the version comes to its end without a call."""
    transforming = Transforming(own_yard, "valid")
    transforming.put("go-on", b"now")
    uri = transforming.put("in/1", b"first")
    definition = {
        "TransformInput": {"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri}}},
        "TransformOutput": {"S3OutputPath": f"s3://{transforming.bucket}/out"},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
    }
    profile = {"ProfileName": "smoke", "TransformJobDefinition": definition}
    transforming.sagemaker.create_model_package_group(ModelPackageGroupName="g")
    data = transforming.upload("m", packed(serve=program(WAITS)))
    arn = transforming.sagemaker.create_model_package(
        ModelPackageGroupName="g",
        InferenceSpecification={"Containers": [{"Image": IMAGE, "ModelDataUrl": data}]},
        ValidationSpecification={"ValidationRole": transforming.execution, "ValidationProfiles": [profile]},
    )["ModelPackageArn"]
    own_yard.kill()
    own_yard.start()

    def status() -> str | None:
        with suppress(BotoCoreError):
            return str(transforming.sagemaker.describe_model_package(ModelPackageName=arn)["ModelPackageStatus"])
        return None

    eventually(lambda: status() == "Completed", 90)
