"""Small words for the tests of rules, contracts and integrity."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson
import pytest
from tests.harness import ACCOUNT, Yard, user

from modelyard.access.principal import Principal
from modelyard.aws.errors import AwsError
from modelyard.object_store.worker import GRACE_SECONDS, sweep

ALICE, BOB, CAROL = user(name="alice"), user(name="bob"), user(name="carol")
"""Who may do everything that rules do not forbid; registrations are the administrator's."""


class Governed:
    """A group, and the calls that tests make on it."""

    def __init__(self, yard: Yard, number: int) -> None:
        self.yard = yard
        self.group = f"Group-{number}"
        self.bucket = f"bucket-{number}"

    def call(self, service: str, operation: str, by: Principal | None = None, **request: Any) -> Any:
        answer = self.yard.call(service, operation, principal=by, **request)
        return orjson.loads(answer) if isinstance(answer, bytes) else answer

    def rules(self, **rules: Any) -> None:
        self.call("modelyard", "PutApprovalRules", ModelPackageGroupName=self.group, Rules=rules)

    def contract(self, **schema: Any) -> None:
        self.call("modelyard", "PutMetadataContract", ModelPackageGroupName=self.group, Schema=json.dumps(schema))

    def put(self, key: str, body: bytes) -> str:
        """The address of a new object."""
        self.call("s3", "PutObject", Bucket=self.bucket, Key=key, Body=body)
        return f"s3://{self.bucket}/{key}"

    def keep_versions(self) -> None:
        self.call("s3", "PutBucketVersioning", Bucket=self.bucket, VersioningConfiguration={"Status": "Enabled"})

    def register(self, by: Principal | None = None, **members: Any) -> str:
        answer = self.call("sagemaker", "CreateModelPackage", by, ModelPackageGroupName=self.group, **members)
        return str(answer["ModelPackageArn"])

    def register_model(self, uri: str, by: Principal | None = None, **container: Any) -> str:
        return self.register(by, InferenceSpecification=specification({"ModelDataUrl": uri, **container}))

    def measured(self, figures: dict[str, float]) -> dict[str, Any]:
        """Members of a registration whose metric file says so."""
        uri = self.put("metrics.json", json.dumps(figures).encode())
        return {"ModelMetrics": {"ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": uri}}}}

    def described(self, arn: str) -> dict[str, Any]:
        found: dict[str, Any] = self.call("sagemaker", "DescribeModelPackage", ModelPackageName=arn)
        return found

    def update(self, arn: str, by: Principal | None = None, **members: Any) -> None:
        self.call("sagemaker", "UpdateModelPackage", by, ModelPackageArn=arn, **members)

    def approve(self, arn: str, by: Principal | None = None, reason: str | None = None) -> str:
        """Approve, and what the status is then."""
        said = {} if reason is None else {"ApprovalDescription": reason}
        self.update(arn, by, ModelApprovalStatus="Approved", **said)
        return str(self.described(arn)["ModelApprovalStatus"])

    def decisions(self, arn: str, **more: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.call("modelyard", "ListApprovalDecisions", ModelPackageArn=arn, **more)["Decisions"]
        return found

    def integrity(self, arn: str) -> dict[str, Any]:
        found: dict[str, Any] = self.call("modelyard", "DescribeIntegrity", ModelPackageArn=arn)
        return found

    def artifact(self, arn: str, member: str = "ModelDataUrl") -> dict[str, Any]:
        """What is known of one artifact of the first container."""
        artifacts = self.integrity(arn)["Containers"][0]["Artifacts"]
        return next(one for one in artifacts if one["Location"].endswith(f".{member}"))

    def registered_bytes(self, arn: str, by: Principal | None = None, **more: Any) -> bytes:
        answer = self.call("modelyard-runtime", "GetRegisteredArtifact", by, ModelPackageArn=arn, **more)
        return b"".join(answer["Body"])

    def push_image(self, repository: str) -> tuple[str, str]:
        """The address of a new image, and its digest."""
        layer, where = b"layer", {"repositoryName": repository}
        self.call("ecr", "CreateRepository", **where)
        upload_id = self.call("ecr", "InitiateLayerUpload", **where)["uploadId"]
        sent = {**where, "uploadId": upload_id}
        self.call("ecr", "UploadLayerPart", **sent, partFirstByte=0, partLastByte=len(layer) - 1, layerPartBlob=layer)
        digest = f"sha256:{hashlib.sha256(layer).hexdigest()}"
        self.call("ecr", "CompleteLayerUpload", **sent, layerDigests=[digest])
        kind = "application/vnd.oci.image."
        part = {"mediaType": f"{kind}layer.v1.tar", "size": len(layer), "digest": digest}
        manifest = {
            "schemaVersion": 2,
            "mediaType": f"{kind}manifest.v1+json",
            "config": {**part, "mediaType": f"{kind}config.v1+json"},
            "layers": [part],
        }
        put = self.call("ecr", "PutImage", **where, imageManifest=json.dumps(manifest), imageTag="1")
        return f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/{repository}:1", str(put["image"]["imageId"]["imageDigest"])

    def clear_up(self) -> int:
        """Let time pass and have unused bytes cleared away; how many blobs that were."""
        self.yard.clock.advance(GRACE_SECONDS + 1)
        return sweep(self.yard.house.storage, self.yard.house.blobs, self.yard.clock)


def specification(*containers: dict[str, Any]) -> dict[str, Any]:
    """An inference specification of containers, each with an image unless it has one."""
    return {
        "Containers": [{"Image": "image", **container} for container in containers],
        "SupportedContentTypes": ["text/csv"],
        "SupportedResponseMIMETypes": ["text/csv"],
    }


@contextmanager
def refused(code: str, match: str) -> Iterator[None]:
    """The block ends in this error."""
    with pytest.raises(AwsError, match=match) as caught:
        yield
    assert caught.value.code == code
