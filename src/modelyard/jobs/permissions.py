"""What the operations of jobs ask for."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from modelyard.access.permission import Permission, Resource
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Permissions
from modelyard.dispatch.tags import TagsOnDemand
from modelyard.jobs.transform_job import JobName

Request = dict[str, Any]
Values = dict[str, str | tuple[str, ...]]


def named(context: Context, name: str) -> JobName:
    """A transform job of the caller's account: the operations take names alone."""
    return JobName(context.account, context.region, name)


def resource_of(context: Context, at: JobName) -> Resource:
    """A transform job, as policies see it."""
    return Resource(at.arn, at.account, TagsOnDemand(context.tx, at.arn))


def on_one(action: str) -> Permissions:
    """One action on the job that a request names."""

    def permissions(context: Context, request: Request) -> Iterable[Permission]:
        yield Permission(f"sagemaker:{action}", resource_of(context, named(context, request["TransformJobName"])))

    return permissions


def list_of(context: Context) -> Permission:
    """Listing the transform jobs of the caller's account: those that the caller may see."""
    listing = f"arn:aws:sagemaker:{context.region}:{context.account}:transform-job/"
    return Permission("sagemaker:ListTransformJobs", Resource(f"{listing}*", context.account), listing=listing)


def creation(context: Context, request: Request) -> Iterator[Permission]:
    """Creating a job: the action, and with tags also AddTags on what is made."""
    at = named(context, request["TransformJobName"])
    resource, tags = Resource(at.arn, at.account), request.get("Tags", [])
    values = {**_conditions(context, request), **_tag_conditions(tags)}
    yield Permission("sagemaker:CreateTransformJob", resource, values)
    if tags:
        yield Permission("sagemaker:AddTags", resource, {**values, "sagemaker:TaggingAction": "CreateTransformJob"})


def _conditions(context: Context, request: Request) -> Values:
    """SageMaker's condition keys of transform jobs."""
    resources = request["TransformResources"]
    model = f"arn:aws:sagemaker:{context.region}:{context.account}:model/{request['ModelName'].lower()}"
    values: Values = {"sagemaker:InstanceTypes": (resources["InstanceType"],), "sagemaker:ModelArn": model}
    if "VolumeKmsKeyId" in resources:
        values["sagemaker:VolumeKmsKey"] = resources["VolumeKmsKeyId"]
    if "KmsKeyId" in request["TransformOutput"]:
        values["sagemaker:OutputKmsKey"] = request["TransformOutput"]["KmsKeyId"]
    return values


def _tag_conditions(tags: Iterable[Mapping[str, str]]) -> Values:
    values: Values = {f"aws:RequestTag/{tag['Key']}": tag["Value"] for tag in tags}
    if values:
        values["aws:TagKeys"] = tuple(tag["Key"] for tag in tags)
    return values
