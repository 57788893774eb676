"""Transform jobs as rows: made, refused, listed, stopped, and taken up by one server at a time."""

import json
import re
from typing import Any

import pytest
from tests.contract.endpoints.hosting import ARN, Hosting, document, refused
from tests.harness import OTHER_ACCOUNT, user

from modelyard.jobs import store
from modelyard.jobs.transform_job import Status
from modelyard.storage.interface import Transaction


def request(hosting: Hosting, name: str, model: str, **more: Any) -> dict[str, Any]:
    source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{hosting.bucket}/in/"}
    return {
        "TransformJobName": hosting.named(name),
        "ModelName": hosting.named(model),
        "TransformInput": {"DataSource": {"S3DataSource": source}, "ContentType": "text/csv"},
        "TransformOutput": {"S3OutputPath": f"s3://{hosting.bucket}/out", **more.pop("wanted", {})},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
        **more,
    }


def model(hosting: Hosting, name: str = "Model") -> str:
    """A model that a job could run; its name as `request` takes it."""
    container = {"Image": "image", "ModelDataUrl": hosting.uri}
    hosting.create(name, PrimaryContainer=container, ExecutionRoleArn=hosting.role("runs"))
    return name


def numbered(hosting: Hosting, name: str) -> int:
    with hosting.yard.house.storage.read() as tx:
        found = store.job(tx, store.JobName(ARN.split(":")[4], "us-east-1", hosting.named(name)))
    assert found is not None
    return found.id


def ended(hosting: Hosting, name: str, status: Status = Status.COMPLETED) -> None:
    """End a job as the server that runs it does."""
    storage, number = hosting.yard.house.storage, numbered(hosting, name)
    storage.write(lambda tx: store.take(tx, number, "server", 1.0, 2.0))
    assert storage.write(lambda tx: store.end(tx, number, "server", status, None, 3.0))


@pytest.mark.documented
def test_a_job_is_described_as_it_was_asked_for(hosting: Hosting) -> None:
    """Describe answers the request with SageMaker's defaults and the name as it was given; the ARN is in lower case."""
    asked = request(hosting, "Job", model(hosting), Environment={"A": "b"}, DataProcessing={"OutputFilter": "$[0]"})
    asked["ModelClientConfig"] = {"InvocationsMaxRetries": 1}
    arn = hosting.sagemaker("CreateTransformJob", **asked, Tags=[{"Key": "team", "Value": "a"}])["TransformJobArn"]
    assert arn == f"{ARN}:transform-job/{hosting.named('job')}"
    shown = hosting.sagemaker("DescribeTransformJob", TransformJobName=hosting.named("Job"))
    assert shown.pop("CreationTime") == hosting.yard.clock.now()
    assert shown == {
        **asked,
        "TransformJobArn": arn,
        "TransformJobStatus": "InProgress",
        "TransformInput": {**asked["TransformInput"], "CompressionType": "None", "SplitType": "None"},
        "TransformOutput": {**asked["TransformOutput"], "AssembleWith": "None"},
        "DataProcessing": {"InputFilter": "$", "OutputFilter": "$[0]", "JoinSource": "None"},
    }
    assert hosting.sagemaker("ListTags", ResourceArn=arn)["Tags"] == [{"Key": "team", "Value": "a"}]


@pytest.mark.seen
def test_what_is_refused(hosting: Hosting) -> None:
    """Names that are taken, models that are not there, and models that could read nothing are refused in AWS's words."""
    asked = request(hosting, "Job", model(hosting))
    arn = hosting.sagemaker("CreateTransformJob", **asked)["TransformJobArn"]
    taken = {**asked, "TransformJobName": asked["TransformJobName"].upper()}
    text = (
        "Transform job names must be unique within an AWS account and region, and a transform job with this name already"
        f" exists ({arn})"
    )
    with refused("ResourceInUse", re.escape(text)):
        hosting.sagemaker("CreateTransformJob", **taken)
    with refused("ValidationException", f'^Could not find model "{ARN}:model/{hosting.named("nobody")}".$'):
        hosting.sagemaker("CreateTransformJob", **request(hosting, "other", "nobody"))
    hosting.create("roleless", PrimaryContainer={"Image": "image"})
    with refused("ValidationException", "has no ExecutionRoleArn"):
        hosting.sagemaker("CreateTransformJob", **request(hosting, "other", "roleless"))
    several = {"Image": "image", "ModelDataUrl": f"s3://{hosting.bucket}/", "Mode": "MultiModel"}
    hosting.create("several", PrimaryContainer=several, ExecutionRoleArn=hosting.role("more"))
    with refused("ValidationException", "which jobs do not run"):
        hosting.sagemaker("CreateTransformJob", **request(hosting, "other", "several"))
    for operation in ("DescribeTransformJob", "StopTransformJob"):
        with refused("ValidationException", "^Could not find requested job with name: nobody$"):
            hosting.sagemaker(operation, TransformJobName="nobody")


@pytest.mark.documented
def test_jobs_are_listed(hosting: Hosting) -> None:
    """Lists are sorted, filtered and paged; without a word they begin with the newest."""
    name = model(hosting)
    for number in range(3):
        hosting.yard.clock.advance(1)
        hosting.sagemaker("CreateTransformJob", **request(hosting, f"job-{number}", name))
    ended(hosting, "job-1", Status.FAILED)
    query = {"NameContains": str(hosting.number)}

    def names(**more: Any) -> list[str]:
        found = hosting.sagemaker("ListTransformJobs", **query, **more)["TransformJobSummaries"]
        return [one["TransformJobName"].split("-")[1] for one in found]

    assert names() == ["2", "1", "0"]
    assert names(SortBy="Name", SortOrder="Ascending") == ["0", "1", "2"]
    assert names(SortBy="Status", SortOrder="Ascending") == ["1", "0", "2"]
    assert names(StatusEquals="Failed") == ["1"]
    page = hosting.sagemaker("ListTransformJobs", **query, MaxResults=2)
    assert len(page["TransformJobSummaries"]) == 2
    assert names(MaxResults=2, NextToken=page["NextToken"]) == ["0"]
    with refused("ValidationException", "."):
        hosting.sagemaker("ListTransformJobs", NextToken=page["NextToken"])


@pytest.mark.documented
def test_who_may(hosting: Hosting) -> None:
    """Creating takes the action on the job, under the conditions of SageMaker, and tags take AddTags; lists show what is seen."""
    name = model(hosting)
    creating = {"Effect": "Allow", "Action": "sagemaker:CreateTransformJob", "Resource": f"{ARN}:transform-job/mine-*"}
    own_model = {"StringEquals": {"sagemaker:ModelArn": f"{ARN}:model/{hosting.named('model')}"}}
    small = {"ForAllValues:StringEquals": {"sagemaker:InstanceTypes": ["ml.m5.large"]}}
    listing = {"Effect": "Allow", "Action": "sagemaker:ListTransformJobs", "Resource": f"{ARN}:transform-job/mine-*"}
    caller = user(ARN.split(":")[4], "some", document({**creating, "Condition": {**own_model, **small}}, listing))
    hosting.sagemaker("CreateTransformJob", caller, **request(hosting, "mine", name))
    other = request(hosting, "mine-2", name)
    other["TransformResources"] = {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1}
    for asked in (request(hosting, "yours", name), other, request(hosting, "mine-3", name, Tags=[{"Key": "a", "Value": "b"}])):
        with refused("AccessDeniedException", "."):
            hosting.sagemaker("CreateTransformJob", caller, **asked)
    hosting.sagemaker("CreateTransformJob", **request(hosting, "yours", name))
    found = hosting.sagemaker("ListTransformJobs", caller, NameContains=str(hosting.number))["TransformJobSummaries"]
    assert [one["TransformJobName"] for one in found] == [hosting.named("mine")]
    stranger = user(OTHER_ACCOUNT, "stranger")
    assert hosting.sagemaker("ListTransformJobs", stranger)["TransformJobSummaries"] == []


@pytest.mark.ours
def test_a_job_holds_what_it_runs(hosting: Hosting) -> None:
    """Model and object may go while a job is under way: what it runs stays until it has ended."""
    name = model(hosting)
    hosting.sagemaker("CreateTransformJob", **request(hosting, "holds", name))
    hosting.sagemaker("DeleteModel", ModelName=hosting.named(name))
    hosting.call("s3", "DeleteObject", Bucket=hosting.bucket, Key="model.tar.gz")
    hosting.clear_up()
    with hosting.yard.house.storage.read() as tx:
        job = store.by_id(tx, numbered(hosting, "holds"))
    assert job is not None
    [kept] = job.plan["Hosted"]["containers"][0]["artifacts"][1]["objects"]
    assert kept["Size"] == len(hosting.weights)


@pytest.mark.documented
def test_stopping(hosting: Hosting) -> None:
    """A job that is under way begins to stop; one that has ended stays as it ended. Each change is an event."""
    hosting.sagemaker("CreateTransformJob", **request(hosting, "stops", model(hosting)))
    hosting.sagemaker("CreateTransformJob", **request(hosting, "done", "Model"))
    ended(hosting, "done")
    for name, status in (("stops", "Stopping"), ("done", "Completed")):
        hosting.sagemaker("StopTransformJob", TransformJobName=hosting.named(name))
        shown = hosting.sagemaker("DescribeTransformJob", TransformJobName=hosting.named(name))
        assert shown["TransformJobStatus"] == status
    with hosting.yard.house.storage.read() as tx:
        told = tx.all(
            "SELECT detail FROM event WHERE group_key = :arn ORDER BY place",
            {"arn": f"{ARN}:transform-job/{hosting.named('stops')}"},
        )
    details = [json.loads(row[0]) for row in told]
    assert [one["TransformJobStatus"] for one in details] == ["InProgress", "Stopping"]
    assert details[0]["CreationTime"] == round(hosting.yard.clock.now() * 1000)
    assert "Environment" not in details[0]


@pytest.mark.ours
def test_accounts_take_turns(hosting: Hosting) -> None:
    """Who has many jobs waiting has them run in turn with those of others, the oldest first, and only so many at a time."""
    storage, region = hosting.yard.house.storage, "us-east-1"
    accounts = {str(hosting.number).zfill(12)[:11] + letter: letter for letter in "abc"}
    first, second, third = accounts
    server, added = f"server-{hosting.number}", []

    def add(tx: Transaction, account: str) -> str:
        name = f"job-{len(added)}"
        store.add(tx, store.JobName(account, region, name), {}, {}, 1.0)
        job = store.job(tx, store.JobName(account, region, name))
        assert job is not None
        added.append(job.id)
        return name

    def waiting(now: float = 10.0) -> str:
        """Whose jobs are to be run next, with their numbers."""
        with storage.read() as tx:
            jobs = [store.by_id(tx, number) for number in store.free(tx, server, now, 3, 1000) if number in added]
        return " ".join(f"{accounts[job.at.account]}{added.index(job.id)}" for job in jobs if job is not None)

    for account in (first, first, first, first, second, second, third):
        storage.write(lambda tx, account=account: add(tx, account))  # type: ignore[misc]
    assert waiting() == "a0 b4 c6 a1 b5 a2"
    for number in added[:2]:
        storage.write(lambda tx, number=number: store.take(tx, number, server, 10.0, 20.0))  # type: ignore[misc]
    assert waiting() == "b4 c6 b5 a2"
    assert waiting(now=30.0) == "b4 c6 b5 a2", "it does not take again what it runs"
    storage.write(lambda tx: store.take(tx, added[2], server, 10.0, 20.0))
    assert waiting() == "b4 c6 b5"
    for number in added:
        storage.write(lambda tx, number=number: store.take(tx, number, "end", 100.0, 101.0))  # type: ignore[misc]
        storage.write(lambda tx, number=number: store.end(tx, number, "end", Status.STOPPED, None, 2.0))  # type: ignore[misc]


@pytest.mark.ours
def test_a_job_is_one_servers_at_a_time(hosting: Hosting) -> None:
    """A job is taken by one server; another has it when the lease has run out, or it was given back; its owner ends it."""
    hosting.sagemaker("CreateTransformJob", **request(hosting, "taken", model(hosting)))
    storage, number = hosting.yard.house.storage, numbered(hosting, "taken")

    def takes(server: str, now: float) -> bool:
        return storage.write(lambda tx: store.take(tx, number, server, now, now + 10)) is not None

    assert takes("one", 100)
    assert not takes("two", 105)
    storage.write(lambda tx: store.renew(tx, "one", 120))
    assert not takes("two", 115)
    assert takes("two", 121)
    storage.write(lambda tx: store.add_done(tx, number, "s3://b/k"))
    assert not storage.write(lambda tx: store.end(tx, number, "one", Status.FAILED, "late", 122))
    storage.write(lambda tx: store.give_back(tx, number, "two"))
    assert takes("three", 122)
    with storage.read() as tx:
        assert store.done(tx, number) == {"s3://b/k"}
        job = store.by_id(tx, number)
    assert job is not None and (job.status, job.attempts) == (Status.IN_PROGRESS, 2)
    storage.write(lambda tx: store.forget(tx, "three"))
    assert takes("four", 123)
    assert storage.write(lambda tx: store.end(tx, number, "four", Status.COMPLETED, None, 124))
    with storage.read() as tx:
        assert store.done(tx, number) == set()
