"""Registering across accounts with boto3, as the mission does it: repository, bucket, key and group are opened one by one."""

import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import boto3
import httpx
import pytest
from botocore.exceptions import ClientError
from tests.clients.environments import client_environment
from tests.clients.test_sdk import PROGRAMS, run
from tests.running import ACCOUNT, OTHER_ACCOUNT, Credentials, RunningYard, both_databases

pytestmark = [pytest.mark.slow, both_databases]

TRAINING, REGISTRY = ACCOUNT, OTHER_ACCOUNT
MODEL = b"the bytes of a model " * 50_000


def refused(call: Callable[..., Any], **request: Any) -> str:
    """The text of the AccessDenied that a call ends in."""
    with pytest.raises(ClientError) as caught:
        call(**request)
    error = caught.value.response["Error"]
    assert error["Code"] in ("AccessDenied", "AccessDeniedException"), error
    text: str = error["Message"]
    return text


@dataclass
class Town:
    """What the training account has: an image, a key, a bucket whose objects are encrypted with it, and a model in that."""

    yard: RunningYard
    repository: str
    bucket: str
    key: str
    layer: str
    image: str

    def training(self, service: str) -> Any:
        """A client of the training account."""
        return self.yard.client(service, TRAINING)

    def registry(self, service: str) -> Any:
        """A client of the registry account."""
        return self.yard.client(service, REGISTRY)


@pytest.fixture
def town(yard: RunningYard) -> Town:
    name = f"across-{uuid4().hex[:8]}"
    ecr, kms, s3 = (yard.client(service, TRAINING) for service in ("ecr", "kms", "s3"))
    repository = ecr.create_repository(repositoryName=name)["repository"]
    layers = [push_layer(ecr, name, data) for data in (b"{}", b"the layer of an image")]
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": {"mediaType": "application/vnd.docker.container.image.v1+json", "digest": layers[0], "size": 2},
        "layers": [{"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", "digest": layers[1], "size": 21}],
    }
    ecr.put_image(repositoryName=name, imageManifest=json.dumps(manifest), imageTag="latest")
    key = kms.create_key(Description="encrypts models")["KeyMetadata"]["Arn"]
    s3.create_bucket(Bucket=name)
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    s3.put_bucket_encryption(
        Bucket=name, ServerSideEncryptionConfiguration={"Rules": [{"ApplyServerSideEncryptionByDefault": default}]}
    )
    s3.upload_fileobj(io.BytesIO(MODEL), name, "model.tar.gz")
    return Town(yard, name, name, key, layers[1], f"{repository['repositoryUri']}:latest")


def push_layer(ecr: Any, repository: str, data: bytes) -> str:
    """Push a layer in parts, as container clients do through ECR's API."""
    begun = ecr.initiate_layer_upload(repositoryName=repository)
    for first in range(0, len(data), 8):
        piece = data[first : first + 8]
        ecr.upload_layer_part(
            repositoryName=repository,
            uploadId=begun["uploadId"],
            partFirstByte=first,
            partLastByte=first + len(piece) - 1,
            layerPartBlob=piece,
        )
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    ecr.complete_layer_upload(repositoryName=repository, uploadId=begun["uploadId"], layerDigests=[digest])
    return digest


def test_the_image(town: Town) -> None:
    """The registry account pulls once the repository's policy lets it, and the link to a layer works."""
    registry = town.registry("ecr")
    wanted = {"registryId": TRAINING, "repositoryName": town.repository}
    text = refused(registry.batch_get_image, **wanted, imageIds=[{"imageTag": "latest"}])
    assert "no resource-based policy allows the ecr:BatchGetImage action" in text and f":{TRAINING}:repository/" in text
    ecr_repository_policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "AddPerm",
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{REGISTRY}:root"},
                "Action": ["ecr:BatchGetImage", "ecr:Describe*", "ecr:GetDownloadUrlForLayer"],
            }
        ],
    }
    ecr = town.training("ecr")
    ecr.set_repository_policy(registryId=TRAINING, repositoryName=town.repository, policyText=json.dumps(ecr_repository_policy))
    assert json.loads(ecr.get_repository_policy(repositoryName=town.repository)["policyText"]) == ecr_repository_policy
    [image] = registry.batch_get_image(**wanted, imageIds=[{"imageTag": "latest"}])["images"]
    assert image["imageId"]["imageDigest"] == "sha256:" + hashlib.sha256(image["imageManifest"].encode()).hexdigest()
    [detail] = registry.describe_images(**wanted)["imageDetails"]
    assert (detail["imageDigest"], detail["imageTags"], detail["imageSizeInBytes"]) == (
        image["imageId"]["imageDigest"],
        ["latest"],
        23,
    )
    link = registry.get_download_url_for_layer(**wanted, layerDigest=town.layer)["downloadUrl"]
    answer = httpx.get(link)
    assert (answer.status_code, answer.content) == (200, b"the layer of an image")
    assert httpx.get(link[:-3] + "xxx").status_code == 403
    assert "ecr:PutImage" in refused(registry.put_image, **wanted, imageManifest="{}")


def test_the_artifact(town: Town) -> None:
    """The registry account reads the model once the bucket's policy and the key's grant both let it."""
    registry = town.registry("s3")
    wanted = {"Bucket": town.bucket, "Key": "model.tar.gz"}
    assert "no resource-based policy allows the s3:GetObject action" in refused(registry.get_object, **wanted)
    bucket_policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "AddPerm",
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{REGISTRY}:root"},
                "Action": ["s3:GetObject", "s3:GetBucketAcl", "s3:GetObjectAcl"],
                "Resource": [f"arn:aws:s3:::{town.bucket}", f"arn:aws:s3:::{town.bucket}/*"],
            }
        ],
    }
    town.training("s3").put_bucket_policy(Bucket=town.bucket, Policy=json.dumps(bucket_policy))
    assert registry.get_bucket_acl(Bucket=town.bucket)["Owner"] == registry.get_object_acl(**wanted)["Owner"]
    text = refused(registry.get_object, **wanted)
    assert f"kms:Decrypt on resource: {town.key} because no resource-based policy allows the kms:Decrypt action" in text
    grant = town.training("kms").create_grant(
        GranteePrincipal=REGISTRY, KeyId=town.key, Operations=["Decrypt", "GenerateDataKey"]
    )
    answer = registry.get_object(**wanted)
    assert (answer["Body"].read(), answer["ServerSideEncryption"], answer["SSEKMSKeyId"]) == (MODEL, "aws:kms", town.key)
    assert registry.get_object(**wanted, Range="bytes=100000-100020")["Body"].read() == MODEL[100_000:100_021]
    assert town.registry("kms").generate_data_key(KeyId=town.key, KeySpec="AES_256")["KeyId"] == town.key
    town.training("kms").revoke_grant(KeyId=town.key, GrantId=grant["GrantId"])
    assert "kms:Decrypt" in refused(registry.get_object, **wanted)


def test_the_key_policy_does_what_the_grant_does(town: Town) -> None:
    """A key policy that names the registry account lets in those of it whose own policies allow it, and the others not."""
    kms = town.training("kms")
    policy = json.loads(kms.get_key_policy(KeyId=town.key, PolicyName="default")["Policy"])
    policy["Statement"].append(
        {
            "Sid": "Allow use of the key",
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{REGISTRY}:root"},
            "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
            "Resource": "*",
        }
    )
    kms.put_key_policy(KeyId=town.key, PolicyName="default", Policy=json.dumps(policy))
    made = town.registry("kms").generate_data_key(KeyId=town.key, KeySpec="AES_256", EncryptionContext={"a": "b"})
    blob = made["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=blob, EncryptionContext={"a": "b"})["Plaintext"] == made["Plaintext"]
    with pytest.raises(kms.exceptions.InvalidCiphertextException):
        kms.decrypt(CiphertextBlob=blob)
    iam = town.registry("iam")
    name = f"poor-{uuid4().hex[:8]}"
    iam.create_user(UserName=name)
    pair = iam.create_access_key(UserName=name)["AccessKey"]
    poor = town.yard.client("kms", REGISTRY, credentials=Credentials(pair["AccessKeyId"], pair["SecretAccessKey"]))
    text = refused(poor.decrypt, CiphertextBlob=blob, EncryptionContext={"a": "b"})
    assert "no identity-based policy allows the kms:Decrypt action" in text and REGISTRY in text


def test_registering_by_the_groups_arn(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """The version is made in the registry account once its group's policy lets the training account, and its bytes stay.

    They stay encrypted: the registry account reads them, also after they were deleted, as long as it may use the key.
    """
    sagemaker = town.registry("sagemaker")
    group = f"Across-{uuid4().hex[:8]}"
    arn = sagemaker.create_model_package_group(ModelPackageGroupName=group)["ModelPackageGroupArn"]
    container = {"Image": town.image, "ModelDataUrl": f"s3://{town.bucket}/model.tar.gz"}
    registration = {
        "ModelPackageGroupName": arn,
        "ModelPackageDescription": "trained in another account",
        "ModelApprovalStatus": "PendingManualApproval",
        "InferenceSpecification": {
            "Containers": [container],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
    }
    training = town.training("sagemaker")
    text = refused(training.create_model_package, **registration)
    assert "no resource-based policy allows the sagemaker:CreateModelPackage action" in text
    model_package_group_policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "AddPermModelPackageVersion",
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{TRAINING}:root"},
                "Action": ["sagemaker:CreateModelPackage"],
                "Resource": f"arn:aws:sagemaker:us-east-1:{REGISTRY}:model-package/{group}/*",
            }
        ],
    }
    sagemaker.put_model_package_group_policy(ModelPackageGroupName=group, ResourcePolicy=json.dumps(model_package_group_policy))
    made = training.create_model_package(**registration)["ModelPackageArn"]
    assert made == f"arn:aws:sagemaker:us-east-1:{REGISTRY}:model-package/{group.lower()}/1"
    assert "sagemaker:DescribeModelPackage" in refused(training.describe_model_package, ModelPackageName=made)
    described = sagemaker.describe_model_package(ModelPackageName=made)["InferenceSpecification"]["Containers"][0]
    [image] = town.training("ecr").describe_images(repositoryName=town.repository)["imageDetails"]
    etag = town.training("s3").head_object(Bucket=town.bucket, Key="model.tar.gz")["ETag"].strip('"')
    assert (described["ImageDigest"], described["ModelDataETag"]) == (image["imageDigest"], etag)
    for name, value in town.yard.environment(REGISTRY).items():
        monkeypatch.setenv(name, value)
    session = boto3.session.Session()
    report = session.client("modelyard").describe_integrity(ModelPackageArn=made)
    assert report["Status"] == "Verified"
    town.training("s3").delete_object(Bucket=town.bucket, Key="model.tar.gz")
    registered = session.client("modelyard-runtime")
    assert "kms:Decrypt" in refused(registered.get_registered_artifact, ModelPackageArn=made)
    town.training("kms").create_grant(GranteePrincipal=REGISTRY, KeyId=town.key, Operations=["Decrypt"])
    kept = registered.get_registered_artifact(ModelPackageArn=made)
    assert (kept["Body"].read(), kept["Sha256"]) == (MODEL, hashlib.sha256(MODEL).hexdigest())
    town.yard.modelyard("verify")


def policy(*actions: str, resource: Any = None) -> str:
    """A policy of the training account that lets the registry account, as the mission writes them."""
    statement = {"Sid": "AddPerm", "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{REGISTRY}:root"}, "Action": actions}
    return json.dumps(
        {"Version": "2012-10-17", "Statement": [statement if resource is None else {**statement, "Resource": resource}]}
    )


class Doors:
    """The three policies of the training account: each is opened and shut by itself."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self.grant = ""

    def open_repository(self) -> None:
        text = policy("ecr:BatchGetImage", "ecr:Describe*")
        self.town.training("ecr").set_repository_policy(repositoryName=self.town.repository, policyText=text)

    def shut_repository(self) -> None:
        self.town.training("ecr").delete_repository_policy(repositoryName=self.town.repository)

    def open_bucket(self) -> None:
        bucket = f"arn:aws:s3:::{self.town.bucket}"
        text = policy("s3:GetObject", "s3:GetBucketAcl", "s3:GetObjectAcl", resource=[bucket, f"{bucket}/*"])
        self.town.training("s3").put_bucket_policy(Bucket=self.town.bucket, Policy=text)

    def shut_bucket(self) -> None:
        self.town.training("s3").delete_bucket_policy(Bucket=self.town.bucket)

    def open_key(self) -> None:
        operations = ["Decrypt", "GenerateDataKey"]
        made = self.town.training("kms").create_grant(GranteePrincipal=REGISTRY, KeyId=self.town.key, Operations=operations)
        self.grant = made["GrantId"]

    def shut_key(self) -> None:
        self.town.training("kms").revoke_grant(KeyId=self.town.key, GrantId=self.grant)


def open_group(town: Town, group: str) -> None:
    """Let the training account register in a group of the registry account."""
    statement = {
        "Sid": "AddPermModelPackageVersion",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{TRAINING}:root"},
        "Action": ["sagemaker:CreateModelPackage"],
        "Resource": f"arn:aws:sagemaker:us-east-1:{REGISTRY}:model-package/{group}/*",
    }
    text = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    town.registry("sagemaker").put_model_package_group_policy(ModelPackageGroupName=group, ResourcePolicy=text)


def registered_from_training(town: Town) -> str:
    """A version that waits in the registry account for its approval, registered by the training account by the group's ARN."""
    sagemaker = town.registry("sagemaker")
    group = f"Flow-{uuid4().hex[:8]}"
    arn = sagemaker.create_model_package_group(ModelPackageGroupName=group)["ModelPackageGroupArn"]
    open_group(town, group)
    made = town.training("sagemaker").create_model_package(
        ModelPackageGroupName=arn,
        ModelApprovalStatus="PendingManualApproval",
        InferenceSpecification={
            "Containers": [{"Image": town.image, "ModelDataUrl": f"s3://{town.bucket}/model.tar.gz"}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
    )
    version: str = made["ModelPackageArn"]
    return version


def test_a_model_of_it_takes_all_three_policies(town: Town) -> None:
    """CreateModel in the registry account needs approval, image, object and key; each refusal says which policy lacks what."""
    version, doors, sagemaker = registered_from_training(town), Doors(town), town.registry("sagemaker")
    role = f"arn:aws:iam::{REGISTRY}:role/ModelyardExecutionRole"
    repository = f"arn:aws:ecr:us-east-1:{TRAINING}:repository/{town.repository}"

    def create(**more: Any) -> str:
        """The refusal of CreateModel; empty when a model was made."""
        request = {"ModelName": f"m-{uuid4().hex[:8]}", "PrimaryContainer": {"ModelPackageName": version}, **more}
        try:
            sagemaker.create_model(**request)
        except ClientError as error:
            assert error.response["Error"]["Code"] == "ValidationException"
            return str(error.response["Error"]["Message"])
        sagemaker.delete_model(ModelName=request["ModelName"])
        return ""

    for opens in (doors.open_repository, doors.open_bucket, doors.open_key):
        opens()
    assert create().startswith(f"ModelPackage {version} has the ModelApprovalStatus PendingManualApproval")
    sagemaker.update_model_package(ModelPackageArn=version, ModelApprovalStatus="Approved")
    assert create() == "" and create(ExecutionRoleArn=role) == ""
    key, bucket = town.key, f"arn:aws:s3:::{town.bucket}"
    lacks = [
        (
            doors.shut_repository,
            doors.open_repository,
            f"The policy of {repository} in account {TRAINING} does not allow ecr:BatchGetImage",
        ),
        (doors.shut_bucket, doors.open_bucket, f"The policy of {bucket} in account {TRAINING} does not allow s3:GetObject"),
        (
            doors.shut_key,
            doors.open_key,
            f"The policy of {key} in account {TRAINING} does not allow kms:Decrypt on {key}, and no grant",
        ),
    ]
    for shut, opens, sentence in lacks:
        shut()
        for refusal in (create(), create(ExecutionRoleArn=role)):
            assert sentence in refusal
        opens()
        assert create() == ""
    iam = town.registry("iam")
    poor = f"poor-{uuid4().hex[:8]}"
    trust = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    arn = iam.create_role(RoleName=poor, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    for action in ("ecr:BatchGetImage", "s3:GetObject", "kms:Decrypt"):
        assert f"No policy of {arn} in account {REGISTRY} allows {action} on " in create(ExecutionRoleArn=arn)
        allowed = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]}
        iam.put_role_policy(RoleName=poor, PolicyName=action.replace(":", "-"), PolicyDocument=json.dumps(allowed))
    assert create(ExecutionRoleArn=arn) == ""
    kept = {"ModelName": f"kept-{uuid4().hex[:8]}", "PrimaryContainer": {"ModelPackageName": version}}
    sagemaker.create_model(**kept)
    sagemaker.delete_model_package(ModelPackageName=version)
    assert sagemaker.describe_model(ModelName=kept["ModelName"])["PrimaryContainer"] == {"ModelPackageName": version}
    assert "does not exist" in create()
    town.yard.modelyard("verify")


def test_the_sdk_makes_a_model_of_it(database: str, town: Town) -> None:
    """SDK v2 in the registry account: it approves the version by itself, and makes the model once the three policies let it."""
    version, doors = registered_from_training(town), Doors(town)
    environment = town.yard.environment(REGISTRY, profile="execution-role")

    def make() -> dict[str, Any]:
        name = f"sdk-{uuid4().hex[:8]}"
        printed: dict[str, Any] = json.loads(
            run(client_environment("sdk2"), PROGRAMS / "sdk2_model.py", version, name, environment=environment)
        )
        return printed

    doors.open_repository()
    doors.open_bucket()
    refusal = make()
    assert refusal["approval"] == "Approved" and refusal["refused"]["Code"] == "ValidationException"
    assert f"The policy of {town.key} in account {TRAINING} does not allow kms:Decrypt" in refusal["refused"]["Message"]
    doors.open_key()
    assert make()["model"][2] == {"ModelPackageName": version, "Environment": {"A": "b"}}


def test_the_sdk_registers_by_the_groups_arn(town: Town) -> None:
    """SDK v2 in the training account: `Model.register` with the group's ARN, before and after the group's policy lets it."""
    sagemaker = town.registry("sagemaker")
    group = f"Sdk-{uuid4().hex[:8]}"
    arn = sagemaker.create_model_package_group(ModelPackageGroupName=group)["ModelPackageGroupArn"]
    environment = town.yard.environment(TRAINING, profile="execution-role")

    def register() -> dict[str, Any]:
        program, artifact = PROGRAMS / "sdk2_register_across.py", f"s3://{town.bucket}/model.tar.gz"
        printed: dict[str, Any] = json.loads(
            run(client_environment("sdk2"), program, arn, town.image, artifact, environment=environment)
        )
        return printed

    refusal = register()["refused"]
    assert refusal["Code"] == "AccessDeniedException"
    assert f"sagemaker:CreateModelPackage on resource: arn:aws:sagemaker:us-east-1:{REGISTRY}" in refusal["Message"]
    open_group(town, group)
    assert register()["made"] == f"arn:aws:sagemaker:us-east-1:{REGISTRY}:model-package/{group.lower()}/1"
