"""Transform jobs: create, describe, list, stop."""

from typing import Any

from modelyard.access.permission import Resource
from modelyard.aws.arns import Arn
from modelyard.aws.errors import AwsError, ValidationException
from modelyard.dispatch import registered
from modelyard.dispatch.context import Context
from modelyard.dispatch.model_lending import Terms, lender
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.dispatch.resources import finds
from modelyard.dispatch.seeing import Seeing, filled
from modelyard.dispatch.tags import from_list, put_tags
from modelyard.jobs import events, store, transform_job, wakening
from modelyard.jobs.permissions import creation, list_of, named, on_one, resource_of
from modelyard.jobs.store import Page
from modelyard.jobs.transform_job import JobName, RuleBroken, Status, TransformJob, holder

operation = operations_of("sagemaker")
Request = dict[str, Any]

PAGE_SIZE = 100


class ResourceInUse(AwsError):
    """A name is taken."""

    code = "ResourceInUse"


def existing(context: Context, name: str) -> TransformJob:
    """The job. Raises ValidationException."""
    found = store.job(context.tx, named(context, name))
    if found is None:
        raise ValidationException(f"Could not find requested job with name: {name}")
    return found


@operation("CreateTransformJob", mode=Mode.WRITE, permissions=creation)
def create_transform_job(context: Context, request: Request) -> Request:
    """Begin to send what is in S3 through a model, as the model is now."""
    at = named(context, request["TransformJobName"])
    try:
        transform_job.check(request)
    except RuleBroken as error:
        raise ValidationException(str(error)) from None
    if registered.is_of_others_validation(at.name, context.within_operation):
        raise ValidationException(
            f'A transform job cannot be called "{at.name}": names that begin with {registered.VALIDATIONS} are those of the jobs '
            "by which model packages are validated."
        )
    if store.is_there(context.tx, at):
        raise ResourceInUse(
            "Transform job names must be unique within an AWS account and region, and a transform job with this name already"
            f" exists ({at.arn})"
        )
    terms = Terms(request["ModelName"], request["TransformResources"]["InstanceType"], transform_job.environment(request))
    plan = lender().plan(context, holder(at), terms)
    if plan["Role"] is None:
        raise ValidationException(
            f'The model "{plan["Model"]}" has no ExecutionRoleArn: a transform job reads and writes as the role of its model.'
        )
    store.add(context.tx, at, transform_job.new_document(request, request["ModelName"]), plan, context.now)
    put_tags(context.tx, at.arn, from_list(request.get("Tags", [])))
    _changed(context, at)
    return {"TransformJobArn": at.arn}


def _changed(context: Context, at: JobName) -> None:
    """Tell the world that a job has another status, and the worker that there is something to do."""
    job = store.job(context.tx, at)
    assert job is not None, "it was just written"
    events.transform_changed(context.tx, job, context.now)
    context.tx.after_commit(wakening.tell)


@operation("DescribeTransformJob", mode=Mode.READ, permissions=on_one("DescribeTransformJob"))
def describe_transform_job(context: Context, request: Request) -> Request:
    """One transform job."""
    return transform_job.described(existing(context, request["TransformJobName"]))


@operation("StopTransformJob", mode=Mode.WRITE, permissions=on_one("StopTransformJob"))
def stop_transform_job(context: Context, request: Request) -> Request:
    """Begin to stop a job; outputs that are whole stay. One that has ended stays as it is."""
    found = existing(context, request["TransformJobName"])
    if found.status is Status.IN_PROGRESS:
        store.stop(context.tx, found.id, context.now)
        _changed(context, found.at)
    return {}


@operation("ListTransformJobs", mode=Mode.SLOW_READ, permissions=lambda context, request: [list_of(context)])
def list_transform_jobs(context: Context, request: Request) -> Request:
    """Transform jobs of the caller's account, newest first unless the request says otherwise."""
    query = {name: value for name, value in request.items() if name not in ("NextToken", "MaxResults")}
    fingerprint = {"operation": "ListTransformJobs", "account": context.account, "region": context.region, **query}
    after = context.tokens.open(request["NextToken"], fingerprint) if "NextToken" in request else None
    descending = request.get("SortOrder", "Descending") == "Descending"
    page = Page(after, request.get("SortBy", "CreationTime"), descending, request.get("MaxResults", PAGE_SIZE))
    found, then = filled(
        page,
        Seeing(context, list_of(context)),
        lambda one: store.page_of(context.tx, context.account, context.region, request, one),
        lambda job: (job.at.arn,),
        lambda job: store.key_of(page, job),
    )
    answer: Request = {"TransformJobSummaries": [transform_job.summary(job) for job in found]}
    if then is not None:
        answer["NextToken"] = context.tokens.seal(fingerprint, then)
    return answer


@finds("sagemaker", "transform-job")
def find_transform_job(context: Context, arn: Arn) -> Resource | None:
    """A transform job by its ARN, for the operations that take any ARN."""
    at = JobName(arn.account, arn.region, arn.resource.partition("/")[2])
    return resource_of(context, at) if store.is_there(context.tx, at) else None
