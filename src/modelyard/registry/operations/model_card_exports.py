"""Exports of model cards: a PDF, written to S3 as the caller.

The job is done by the time CreateModelCardExportJob answers: Completed, or Failed with the reason that S3 gave. So no job
is ever InProgress, and none can be left so by a server that goes down.
"""

from collections.abc import Iterable
from io import BytesIO
from typing import Any

from modelyard.access.permission import Permission, Resource
from modelyard.aws.errors import AwsError, ConflictException, ResourceNotFound, ValidationException
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.registry import model_card, pages
from modelyard.registry import model_card_store as store
from modelyard.registry.model_card import CardName, NotACard, export_job_name
from modelyard.registry.operations.model_cards import card_at, existing, on_card, version_of
from modelyard.storage.interface import Transaction

operation = operations_of("sagemaker")
Request = dict[str, Any]

LONGEST_REASON = 1024
_SORTS = {"Name": "name", "CreationTime": "created", "Status": "status"}


@operation("CreateModelCardExportJob", mode=Mode.STREAM, permissions=on_card("CreateModelCardExportJob"), writes=True)
def create_model_card_export_job(context: Context, request: Request) -> Request:
    """Render a card and write it to the bucket that the request names."""
    # Imported when needed: it brings libraries for fonts and pictures that no other operation wants in memory.
    from modelyard.registry.model_card_pdf import render

    bucket, prefix = _place(request["OutputConfig"]["S3OutputPath"])
    name = request["ModelCardExportJobName"]
    with context.read() as tx:
        card = existing(context.within(tx), card_at(context, request["ModelCardName"]))
        document = version_of(tx, card, request)
        _refuse_second(tx, card.id, card.at, name)
    version = document["ModelCardVersion"]
    key = "/".join(part for part in (prefix, f"{card.at.name}-v{version}-{name}.pdf") if part)
    job: Request = {
        "ModelCardExportJobName": name,
        "ModelCardExportJobArn": card.at.export_job_arn(name),
        "ModelCardName": card.at.name,
        "ModelCardVersion": version,
        "OutputConfig": request["OutputConfig"],
        "CreatedAt": context.now,
        "LastModifiedAt": context.now,
    }
    job.update(_put(context, bucket, key, render(document, context.now)))
    context.write(lambda tx: _keep(tx, card.at, job))
    return {"ModelCardExportJobArn": job["ModelCardExportJobArn"]}


def _place(uri: str) -> tuple[str, str]:
    """The bucket and the prefix that an export goes to."""
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    if not uri.startswith("s3://") or not bucket:
        raise ValidationException(f"S3OutputPath must have the form s3://bucket/prefix, not {uri}.")
    return bucket, prefix.strip("/")


def _refuse_second(tx: Transaction, card_id: int, at: CardName, name: str) -> None:
    if store.export_job(tx, card_id, name) is not None:
        raise ConflictException(f"ModelCardExportJob {at.export_job_arn(name)} already exists.")


def _put(context: Context, bucket: str, key: str, pdf: bytes) -> Request:
    """Write the file as the caller; what became of it, as members of the job."""
    try:
        context.call("s3", "PutObject", {"Bucket": bucket, "Key": key, "Body": BytesIO(pdf), "ContentType": "application/pdf"})
    except AwsError as error:
        return {"Status": "Failed", "FailureReason": f"{error.code}: {error.message}"[:LONGEST_REASON]}
    return {"Status": "Completed", "ExportArtifacts": {"S3ExportArtifacts": f"s3://{bucket}/{key}"}}


def _keep(tx: Transaction, at: CardName, job: Request) -> None:
    card = store.card(tx, at)
    if card is None:
        raise ResourceNotFound(f"ModelCard {at.arn} does not exist.")
    _refuse_second(tx, card.id, at, job["ModelCardExportJobName"])
    store.add_export_job(tx, card.id, job)


def _job_at(context: Context, request: Request) -> tuple[CardName, str]:
    try:
        return export_job_name(request["ModelCardExportJobArn"], context.region)
    except NotACard as error:
        raise ValidationException(str(error)) from None


def _on_job(context: Context, request: Request) -> Iterable[Permission]:
    at, name = _job_at(context, request)
    yield Permission("sagemaker:DescribeModelCardExportJob", Resource(at.export_job_arn(name), at.account))


@operation("DescribeModelCardExportJob", mode=Mode.READ, permissions=_on_job)
def describe_model_card_export_job(context: Context, request: Request) -> Request:
    """One export, by its ARN."""
    at, name = _job_at(context, request)
    card = store.card(context.tx, at)
    job = None if card is None else store.export_job(context.tx, card.id, name)
    if job is None:
        raise ResourceNotFound(f"ModelCardExportJob {at.export_job_arn(name)} does not exist.")
    return job


@operation("ListModelCardExportJobs", mode=Mode.SLOW_READ, permissions=on_card("ListModelCardExportJobs"))
def list_model_card_export_jobs(context: Context, request: Request) -> Request:
    """The exports of a card."""
    card = existing(context, card_at(context, request["ModelCardName"]))
    sort = _SORTS[request.get("SortBy", "CreationTime")]
    page = pages.page(context, "ListModelCardExportJobs", request, descending=True)
    jobs = store.export_jobs(context.tx, card.id, request, page, sort)
    shown = jobs[: page.size]
    answer: Request = {"ModelCardExportJobSummaries": [model_card.export_job_summary(job) for _, job in shown]}
    if len(jobs) > page.size:
        row, last = shown[-1]
        value = {"name": last["ModelCardExportJobName"], "created": last["CreatedAt"], "status": last["Status"]}[sort]
        answer["NextToken"] = pages.token(context, "ListModelCardExportJobs", request, [value, row])
    return answer
