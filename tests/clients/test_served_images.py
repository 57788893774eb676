"""A model of scikit-learn from registration to predictions, with boto3: the image is the SDK's, its environment was built."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.running import RunningYard
from tests.workloads.inside import DATA, archive, environment

pytestmark = [pytest.mark.slow, pytest.mark.ours]

IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
ANYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
CODE = """
    class Sum:
        def predict(self, rows):
            return [sum(row) for row in rows]

    def model_fn(folder):
        return Sum()
"""
SECONDS = 60


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[RunningYard]:
    """A server whose catalogue has scikit-learn built."""
    environment("scikit-learn-1.2-1")
    made = RunningYard(tmp_path / "data")
    (made.data / "images").symlink_to(DATA / "images")
    made.start()
    yield made
    assert made.stop() == 0
    assert not made.defects(), made.defects()


def test_approved_version_predicts_with_its_registered_bytes(yard: RunningYard) -> None:
    """Registered, approved, tampered with, deployed: what answers is what was registered, in the image that was recorded."""
    s3, sagemaker, iam = yard.client("s3"), yard.client("sagemaker"), yard.client("iam")
    s3.create_bucket(Bucket="models")
    s3.put_object(Bucket="models", Key="model.tar.gz", Body=archive(code__inference_DOT_py=CODE))
    role = iam.create_role(RoleName="serves", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    iam.put_role_policy(RoleName="serves", PolicyName="anything", PolicyDocument=json.dumps(ANYTHING))
    sagemaker.create_model_package_group(ModelPackageGroupName="sums")
    version = sagemaker.create_model_package(
        ModelPackageGroupName="sums",
        ModelApprovalStatus="Approved",
        InferenceSpecification={
            "Containers": [{"Image": IMAGE, "ModelDataUrl": "s3://models/model.tar.gz"}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["application/json"],
        },
    )["ModelPackageArn"]
    container = sagemaker.describe_model_package(ModelPackageName=version)["InferenceSpecification"]["Containers"][0]
    assert container["ImageDigest"] == environment("scikit-learn-1.2-1").digest
    s3.put_object(Bucket="models", Key="model.tar.gz", Body=b"something else")
    sagemaker.create_model(ModelName="sums", PrimaryContainer={"ModelPackageName": version}, ExecutionRoleArn=role)
    variant = {"VariantName": "AllTraffic", "ModelName": "sums", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    sagemaker.create_endpoint_config(EndpointConfigName="sums", ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName="sums", EndpointConfigName="sums")
    deadline = time.monotonic() + SECONDS
    while (described := sagemaker.describe_endpoint(EndpointName="sums"))["EndpointStatus"] == "Creating":
        assert time.monotonic() < deadline, yard.log.read_text()[-2000:]
        time.sleep(0.2)
    assert described["EndpointStatus"] == "InService", described
    runtime = yard.client("sagemaker-runtime")
    answer = runtime.invoke_endpoint(
        EndpointName="sums", ContentType="text/csv", Accept="application/json", Body=b"1,2,3\n4,5,6\n"
    )
    assert json.loads(answer["Body"].read()) == [6.0, 15.0]
    assert answer["InvokedProductionVariant"] == "AllTraffic"
    sagemaker.delete_endpoint(EndpointName="sums")
