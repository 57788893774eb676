"""Small words for the tests of models and endpoint configurations."""

import json
from typing import Any

import orjson
from tests.contract.registry.governed import refused
from tests.harness import ACCOUNT, ALLOW_EVERYTHING, Yard

from modelyard.access.principal import Principal
from modelyard.object_store.worker import GRACE_SECONDS, sweep

__all__ = ["ARN", "Hosting", "document", "refused"]

ARN = f"arn:aws:sagemaker:us-east-1:{ACCOUNT}"
TRUST = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}


def document(*statements: dict[str, Any]) -> str:
    """A policy document."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


class Hosting:
    """A group and a bucket, and the calls that tests make."""

    def __init__(self, yard: Yard, number: int) -> None:
        self.yard = yard
        self.number = number
        self.group = f"Group-{number}"
        self.bucket = f"bucket-{number}"
        self.weights = f"the weights that {number} alone has".encode()
        self.call("sagemaker", "CreateModelPackageGroup", ModelPackageGroupName=self.group)
        self.call("s3", "CreateBucket", Bucket=self.bucket)
        self.uri = self.put("model.tar.gz", self.weights)

    def call(self, service: str, operation: str, by: Principal | None = None, region: str = "us-east-1", **request: Any) -> Any:
        answer = self.yard.call(service, operation, by, region, **request)
        return orjson.loads(answer) if isinstance(answer, bytes) else answer

    def sagemaker(self, operation: str, by: Principal | None = None, **request: Any) -> Any:
        return self.call("sagemaker", operation, by, **request)

    def named(self, name: str) -> str:
        """A name of this test alone."""
        return f"{name}-{self.number}"

    def put(self, key: str, body: bytes) -> str:
        """The address of a new object."""
        self.call("s3", "PutObject", Bucket=self.bucket, Key=key, Body=body)
        return f"s3://{self.bucket}/{key}"

    def role(self, name: str, *policies: str, trust: str | None = None) -> str:
        """A new role; it may do everything, unless policies say what."""
        trusted = trust or document(TRUST)
        made = self.call("iam", "CreateRole", RoleName=self.named(name), AssumeRolePolicyDocument=trusted)
        for index, policy in enumerate(policies or (ALLOW_EVERYTHING,)):
            self.call("iam", "PutRolePolicy", RoleName=self.named(name), PolicyName=str(index), PolicyDocument=policy)
        return str(made["Role"]["Arn"])

    def register(self, *containers: dict[str, Any], approval: str = "Approved", **more: Any) -> str:
        """A version of containers, of one with the model in the bucket unless they are given."""
        specified = [{"Image": "image", **one} for one in containers or ({"ModelDataUrl": self.uri},)]
        answer = self.sagemaker(
            "CreateModelPackage",
            ModelPackageGroupName=self.group,
            ModelApprovalStatus=approval,
            InferenceSpecification={"Containers": specified},
            **more,
        )
        return str(answer["ModelPackageArn"])

    def create(self, name: str, by: Principal | None = None, **members: Any) -> str:
        """A model; its ARN."""
        return str(self.sagemaker("CreateModel", by, ModelName=self.named(name), **members)["ModelArn"])

    def of_package(self, name: str, package: str, by: Principal | None = None, **container: Any) -> str:
        """A model of a package."""
        return self.create(name, by, PrimaryContainer={"ModelPackageName": package, **container})

    def described(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.sagemaker("DescribeModel", ModelName=self.named(name))
        return found

    def integrity(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.call("modelyard", "DescribeModelIntegrity", ModelName=self.named(name))
        return found

    def clear_up(self) -> int:
        """Let time pass and have unused bytes cleared away; how many blobs that were."""
        self.yard.clock.advance(GRACE_SECONDS + 1)
        return sweep(self.yard.house.storage, self.yard.house.blobs, self.yard.clock)
