"""Models of registered versions: who may make them, of what, and what they hold on to, on every database."""

import hashlib
import json
from typing import Any

import pytest
from tests.contract.endpoints.hosting import ARN, Hosting, document, refused
from tests.harness import ACCOUNT, OTHER_ACCOUNT, user

from modelyard.dispatch.artifacts import keeper
from modelyard.endpoints import store
from modelyard.endpoints.model import Runnable, model_at

INVALID, DENIED = "ValidationException", "AccessDeniedException"
STRANGER = user(OTHER_ACCOUNT, "stranger")


def held(hosting: Hosting, name: str) -> list[Runnable]:
    """What a model has to run, as the part that runs it reads it."""
    with hosting.yard.house.storage.read() as tx:
        found = store.model_at(tx, model_at(ACCOUNT, "us-east-1", hosting.named(name)))
    assert found is not None
    return list(found.containers)


def held_bytes(hosting: Hosting, name: str) -> bytes:
    [container] = held(hosting, name)
    [kept] = next(artifact for artifact in container.artifacts if artifact.kind == "Object").objects
    keeps = keeper()
    assert keeps is not None
    with hosting.yard.house.storage.read() as tx:
        return b"".join(keeps.read_pinned(hosting.yard.house.blobs, tx, kept["Pin"], hosting.yard.context()))


@pytest.mark.documented
@pytest.mark.parametrize("status", ["PendingManualApproval", "Rejected"])
def test_only_approved_versions_become_models(hosting: Hosting, status: str) -> None:
    """A version that waits or was rejected is refused by status and rule; once approved it is deployed, until it is rejected."""
    package = hosting.register(approval=status)
    with refused(INVALID, f"^ModelPackage {package} has the ModelApprovalStatus {status}: by the rule ApprovedVersionsOnly"):
        hosting.of_package("m", package)
    hosting.sagemaker("UpdateModelPackage", ModelPackageArn=package, ModelApprovalStatus="Approved")
    hosting.of_package("m", package)
    assert hosting.described("m")["PrimaryContainer"] == {"ModelPackageName": package}
    hosting.sagemaker("UpdateModelPackage", ModelPackageArn=package, ModelApprovalStatus="Rejected")
    assert hosting.described("m")["PrimaryContainer"] == {"ModelPackageName": package}
    with refused(INVALID, "has the ModelApprovalStatus Rejected"):
        hosting.of_package("again", package)
    hosting.sagemaker("UpdateModelPackage", ModelPackageArn=package, ModelApprovalStatus="Approved")
    hosting.of_package("again", package)


@pytest.mark.documented
def test_unversioned_packages_need_no_approval(hosting: Hosting) -> None:
    """A package without a version has no approval; it is named by its name or its ARN."""
    name = hosting.named("Alone")
    specification = {"Containers": [{"Image": "image"}]}
    made = hosting.sagemaker("CreateModelPackage", ModelPackageName=name, InferenceSpecification=specification)
    hosting.of_package("by-name", name)
    hosting.of_package("by-arn", made["ModelPackageArn"])
    assert hosting.described("by-name")["PrimaryContainer"]["ModelPackageName"] == name
    assert held(hosting, "by-name")[0].package_arn == made["ModelPackageArn"]


@pytest.mark.seen
def test_what_is_no_package(hosting: Hosting) -> None:
    """What is not there, has nothing to run, or is no package at all."""
    missing = f"{ARN}:model-package/{hosting.group.lower()}/7"
    with refused(INVALID, f"^ModelPackage {missing} does not exist.$"):
        hosting.of_package("m", missing)
    with refused(INVALID, "is not the ARN of a model package"):
        hosting.of_package("m", f"{ARN}:model/thing")
    answer = hosting.sagemaker(
        "CreateModelPackage", ModelPackageGroupName=hosting.group, SourceUri="anything", ModelApprovalStatus="Approved"
    )
    with refused(INVALID, "has no InferenceSpecification to make a model of"):
        hosting.of_package("m", answer["ModelPackageArn"])
    with refused(INVALID, "has no additional inference specification gpu"):
        hosting.of_package("m", hosting.register(), InferenceSpecificationName="gpu")


@pytest.mark.ours
def test_a_model_runs_the_registered_bytes(hosting: Hosting) -> None:
    """Overwritten, deleted, the bucket and the version deleted: the model holds the bytes that were registered, until it goes."""
    package = hosting.register()
    hosting.put("model.tar.gz", b"tampered with")
    blind = hosting.role("blind", document({"Effect": "Allow", "Action": "ecr:*", "Resource": "*"}))
    with refused(INVALID, f"No policy of {blind} in account {ACCOUNT} allows s3:GetObject on arn:aws:s3:::{hosting.bucket}/"):
        hosting.create("m", PrimaryContainer={"ModelPackageName": package}, ExecutionRoleArn=blind)
    hosting.of_package("m", package)
    assert held_bytes(hosting, "m") == hosting.weights
    [container] = hosting.integrity("m")["Containers"]
    image, artifact = container["Artifacts"]
    assert (container["ModelPackageArn"], image["Status"], artifact["Status"]) == (package, "Unverified", "Verified")
    assert artifact["Location"] == "PrimaryContainer.ModelDataUrl"
    assert artifact["Objects"][0]["Sha256"] == hashlib.sha256(hosting.weights).hexdigest() and "Pin" not in artifact["Objects"][0]
    hosting.call("s3", "DeleteObject", Bucket=hosting.bucket, Key="model.tar.gz")
    hosting.call("s3", "DeleteBucket", Bucket=hosting.bucket)
    hosting.of_package("bucketless", package)
    hosting.sagemaker("DeleteModelPackage", ModelPackageName=package)
    hosting.clear_up()
    assert held_bytes(hosting, "m") == hosting.weights
    assert hosting.described("m")["PrimaryContainer"] == {"ModelPackageName": package}
    hosting.sagemaker("DeleteModel", ModelName=hosting.named("bucketless"))
    hosting.clear_up()
    assert held_bytes(hosting, "m") == hosting.weights
    hosting.sagemaker("DeleteModel", ModelName=hosting.named("m"))
    assert hosting.clear_up() == 1
    with refused(INVALID, "does not exist"):
        hosting.of_package("m", package)


@pytest.mark.ours
def test_what_has_another_etag_than_was_registered(hosting: Hosting) -> None:
    """A registration that names an ETag which the object does not have is not deployed with other bytes."""
    package = hosting.register({"ModelDataUrl": hosting.uri, "ModelDataETag": "0" * 32})
    with refused(INVALID, f"^Could not find model data at {hosting.uri}. It was given with the ETag 0000"):
        hosting.of_package("m", package)


@pytest.mark.ours
def test_packages_of_several_containers_and_specifications(hosting: Hosting) -> None:
    """A package brings all its containers, with the model's environment over its own; another specification is chosen by name."""
    gpu = {"Name": "gpu", "Containers": [{"Image": "gpu-image", "ModelDataUrl": hosting.put("gpu.tar.gz", b"gpu")}]}
    containers = [{"ModelDataUrl": hosting.uri, "Environment": {"A": "1", "B": "2"}}, {"Image": "second"}]
    package = hosting.register(*containers, AdditionalInferenceSpecifications=[gpu])
    hosting.create("m", Containers=[{"ModelPackageName": package, "Environment": {"B": "3"}}, {"Image": "last"}])
    first, second, last = held(hosting, "m")
    assert [one.location for one in (first, second, last)] == ["Containers[0][0]", "Containers[0][1]", "Containers[1]"]
    assert (first.definition["Environment"], second.definition["Image"]) == ({"A": "1", "B": "3"}, "second")
    assert (second.package_arn, last.package_arn) == (package, None)
    hosting.of_package("g", package, InferenceSpecificationName="gpu")
    assert held(hosting, "g")[0].definition["Image"] == "gpu-image" and held_bytes(hosting, "g") == b"gpu"
    many = hosting.register(*[{"Image": "i"}] * 8)
    with refused(INVALID, "at most 15 containers, this would make 16"):
        hosting.create("many", Containers=[{"ModelPackageName": many}, {"ModelPackageName": many}])


@pytest.mark.documented
def test_the_caller_needs_to_see_and_to_deploy_the_version(hosting: Hosting) -> None:
    """Both DescribeModelPackage and CreateModel on the version, also in one's own account; tags of the group count."""
    package = hosting.register()
    hosting.sagemaker(
        "AddTags", ResourceArn=f"{ARN}:model-package-group/{hosting.group}", Tags=[{"Key": "MLProject", "Value": "weather"}]
    )

    def may(*actions: str, **condition: Any) -> Any:
        own = {
            "Effect": "Allow",
            "Action": ["sagemaker:CreateModel", "s3:GetObject"],
            "Resource": ["arn:aws:s3:::*", f"{ARN}:model/*"],
        }
        more = {"Effect": "Allow", "Action": list(actions), "Resource": f"{ARN}:model-package/*", **condition}
        return user(ACCOUNT, "deployer", document(own, more))

    create, describe = "sagemaker:CreateModel", "sagemaker:DescribeModelPackage"
    with refused(DENIED, f"{create} on resource: {package}"):
        hosting.of_package("m", package, may(describe))
    with refused(DENIED, f"{describe} on resource: {package}"):
        hosting.of_package("m", package, may(create))
    for project, code in (("news", DENIED), ("weather", None)):
        condition = {"StringEquals": {"aws:ResourceTag/MLProject": project}}
        deployer = may(create, describe, Condition=condition)
        if code is not None:
            with refused(code, create):
                hosting.of_package("m", package, deployer)
        else:
            hosting.of_package("m", package, deployer)


@pytest.mark.documented
def test_another_account_deploys_what_the_group_lets_it(hosting: Hosting) -> None:
    """The group's policy must allow both actions, and whether a version is there is not told before that."""
    package = hosting.register({"Image": "image"})
    versions = f"{ARN}:model-package/{hosting.group}/*"

    def let(*actions: str) -> None:
        allowed = {
            "Sid": "s",
            "Effect": "Allow",
            "Principal": {"AWS": OTHER_ACCOUNT},
            "Action": list(actions),
            "Resource": versions,
        }
        hosting.sagemaker("PutModelPackageGroupPolicy", ModelPackageGroupName=hosting.group, ResourcePolicy=document(allowed))

    because = "because no resource-based policy allows the sagemaker:{} action"
    for arn in (package, package[:-1] + "9"):
        with refused(DENIED, because.format("CreateModel")):
            hosting.of_package("m", arn, STRANGER)
    let("sagemaker:CreateModel")
    with refused(DENIED, because.format("DescribeModelPackage")):
        hosting.of_package("m", package, STRANGER)
    let("sagemaker:CreateModel", "sagemaker:DescribeModelPackage")
    with refused(INVALID, "does not exist"):
        hosting.of_package("m", package[:-1] + "9", STRANGER)
    made = hosting.of_package("m", package, STRANGER)
    assert made == f"arn:aws:sagemaker:us-east-1:{OTHER_ACCOUNT}:model/m-{hosting.number}"
    hosting.sagemaker("DeleteModelPackageGroupPolicy", ModelPackageGroupName=hosting.group)
    assert hosting.sagemaker("DescribeModel", STRANGER, ModelName=hosting.named("m"))["ModelArn"] == made


@pytest.mark.ours
def test_an_encrypted_model_needs_its_key_also_when_the_object_is_gone(hosting: Hosting) -> None:
    """The registered bytes stay encrypted: the execution role must be let use the key."""
    key = hosting.call("kms", "CreateKey")["KeyMetadata"]["Arn"]
    encrypted = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
    hosting.call("s3", "PutObject", Bucket=hosting.bucket, Key="secret.tar.gz", Body=b"secret", **encrypted)
    package = hosting.register({"ModelDataUrl": f"s3://{hosting.bucket}/secret.tar.gz"})
    hosting.call("s3", "DeleteObject", Bucket=hosting.bucket, Key="secret.tar.gz")
    role = hosting.role("keyless", document({"Effect": "Allow", "Action": "s3:*", "Resource": "*"}))
    model: dict[str, Any] = {"PrimaryContainer": {"ModelPackageName": package}, "ExecutionRoleArn": role}
    with refused(INVALID, f"No policy of {role} in account {ACCOUNT} allows kms:Decrypt on {key}."):
        hosting.create("m", **model)
    decrypts = document({"Effect": "Allow", "Action": "kms:Decrypt", "Resource": key})
    hosting.call("iam", "PutRolePolicy", RoleName=hosting.named("keyless"), PolicyName="key", PolicyDocument=decrypts)
    hosting.create("m", **model)
    assert held_bytes(hosting, "m") == b"secret"


@pytest.mark.ours
def test_images_of_repositories_here(hosting: Hosting) -> None:
    """The image must be there and the role must be let pull it; a registered digest stays though its tag moves."""
    repository = hosting.named("images")
    uri = hosting.call("ecr", "CreateRepository", repositoryName=repository)["repository"]["repositoryUri"]

    def push(annotation: str) -> str:
        manifest = json.dumps({"schemaVersion": 2, "manifests": [], "annotations": {"a": annotation}})
        kind = {"imageManifestMediaType": "application/vnd.oci.image.index.v1+json"}
        answer = hosting.call("ecr", "PutImage", repositoryName=repository, imageManifest=manifest, imageTag="latest", **kind)
        return str(answer["image"]["imageId"]["imageDigest"])

    before = push("first")
    package = hosting.register({"Image": f"{uri}:latest"})
    after = push("second")
    role = hosting.role("imageless", document({"Effect": "Allow", "Action": "s3:*", "Resource": "*"}))
    why = f"No policy of {role} in account {ACCOUNT} allows ecr:BatchGetImage on arn:aws:ecr:us-east-1:{ACCOUNT}:repository/"
    with refused(INVALID, f"^Could not pull the image {uri}:latest. {why}{repository}.$"):
        hosting.create("m", PrimaryContainer={"ModelPackageName": package}, ExecutionRoleArn=role)
    hosting.of_package("m", package)
    hosting.create("plain", PrimaryContainer={"Image": f"{uri}:latest"})
    assert [held(hosting, name)[0].artifacts[0].digest for name in ("m", "plain")] == [before, after]
    assert (hosting.integrity("m")["Status"], hosting.integrity("plain")["Status"]) == ("Verified", "Unverified")
    with refused(INVALID, f"Could not pull the image {uri}:none. There is no image"):
        hosting.create("n", PrimaryContainer={"Image": f"{uri}:none"})
    hosting.call("ecr", "BatchDeleteImage", repositoryName=repository, imageIds=[{"imageDigest": before}])
    with refused(INVALID, f"There is no image {uri}@{before}"):
        hosting.of_package("n", package)
    hosting.create("elsewhere", PrimaryContainer={"Image": f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/no-such:1"})
    assert "There is no repository" in hosting.integrity("elsewhere")["Containers"][0]["Artifacts"][0]["Reason"]


@pytest.mark.ours
def test_a_failed_creation_keeps_nothing(hosting: Hosting) -> None:
    """What was held before the refusal is let go of with it."""
    hosting.clear_up()  # what other tests have let go of
    package = hosting.register()
    with refused(INVALID, "Could not find model data"):
        hosting.create(
            "m",
            Containers=[{"ModelPackageName": package}, {"Image": "i", "ModelDataUrl": f"s3://{hosting.bucket}/none"}],
        )
    hosting.call("s3", "DeleteObject", Bucket=hosting.bucket, Key="model.tar.gz")
    hosting.sagemaker("DeleteModelPackage", ModelPackageName=package)
    assert hosting.clear_up() == 1


@pytest.mark.seen
def test_a_model_is_registered_by_its_arn(hosting: Hosting) -> None:
    """SourceUri of a model fills the specification with what it runs, containers of packages included."""
    package = hosting.register({"ModelDataUrl": hosting.uri, "Environment": {"A": "1"}})
    container = {"Image": "plain", "Mode": "MultiModel", "ModelDataUrl": "s3://elsewhere/models/"}
    arn = hosting.create("m", Containers=[{"ModelPackageName": package, "Environment": {"B": "2"}}, container])
    made = hosting.sagemaker("CreateModelPackage", ModelPackageGroupName=hosting.group, SourceUri=arn)["ModelPackageArn"]
    described = hosting.sagemaker("DescribeModelPackage", ModelPackageName=made)
    first, second = described["InferenceSpecification"]["Containers"]
    assert (first["Image"], first["ModelDataUrl"], first["Environment"]) == ("image", hosting.uri, {"A": "1", "B": "2"})
    assert second == {"Image": "plain", "ModelDataUrl": "s3://elsewhere/models/"}
    assert described["SourceUri"] == arn
    with refused(INVALID, "Could not find model"):
        hosting.sagemaker("CreateModelPackage", ModelPackageGroupName=hosting.group, SourceUri=f"{ARN}:model/none")
    other = arn.replace(ACCOUNT, OTHER_ACCOUNT)
    made = hosting.sagemaker("CreateModelPackage", ModelPackageGroupName=hosting.group, SourceUri=other)["ModelPackageArn"]
    assert "InferenceSpecification" not in hosting.sagemaker("DescribeModelPackage", ModelPackageName=made)
