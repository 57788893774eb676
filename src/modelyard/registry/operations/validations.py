"""Validations: a package that asks for one is in progress until a transform job of its model has passed.

The model and the job are made as a customer would make them, by SageMaker itself under the ValidationRole. Their names are in the
row, so whichever server looks next goes on where the last one ended, and two that look at once do no harm.
"""

import json
import logging
from typing import Any

from modelyard.aws.errors import AwsError
from modelyard.dispatch.acting import as_service
from modelyard.dispatch.dispatcher import Dispatcher
from modelyard.dispatch.registered import VALIDATION
from modelyard.registry import events, store, store_validations, validation
from modelyard.registry.operations.packages import reindex
from modelyard.registry.validation import State, Validation
from modelyard.storage.interface import Transaction

Request = dict[str, Any]

POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": [
                    "sagemaker:DescribeModelPackage",
                    "sagemaker:CreateModel",
                    "sagemaker:DeleteModel",
                    "sagemaker:CreateTransformJob",
                    "sagemaker:DescribeTransformJob",
                    "sagemaker:StopTransformJob",
                    "iam:PassRole",
                ],
                "Resource": "*",
            }
        ],
    }
)
ENDED = ("Completed", "Failed", "Stopped")
LONGEST_REASON = 1024

log = logging.getLogger("modelyard.registry.validations")


def look(dispatcher: Dispatcher) -> int:
    """Move every validation on; how many there are."""
    count, after = 0, 0
    while True:
        with dispatcher.storage.read() as tx:
            found = store_validations.all_of_them(tx, after)
        for one in found:
            try:
                _Validating(dispatcher, one).move_on()
            except Exception:
                # One validation must not hold up the others; it is tried again in the next turn.
                log.exception("the validation of %s cannot go on", one.arn)
        count += len(found)
        if len(found) < store_validations.MOST:
            return count
        after = found[-1].package_id


class _Validating:
    """One validation, and the calls that it makes."""

    def __init__(self, dispatcher: Dispatcher, one: Validation) -> None:
        self._one = one
        self._context = as_service(dispatcher, one.arn, "validations", POLICY, VALIDATION)

    def move_on(self) -> None:
        """Do what is next."""
        if self._one.state is State.ABANDONED:
            self._clear_away()
            return
        job = self._job()
        if job is None:
            self._begin()
        elif job["TransformJobStatus"] in ENDED:
            self._end(_failure(job))
        elif self._one.state is State.NOT_STARTED:
            self._context.write(self._started)

    def _begin(self) -> None:
        one = self._one
        try:
            self._make("CreateModel", _model(one))
            self._make("CreateTransformJob", {"TransformJobName": one.name, "ModelName": one.name, **one.definition})
        except AwsError as error:
            self._end(error.message)
        else:
            self._context.write(self._started)

    def _make(self, operation: str, request: Request) -> None:
        """Make something, unless it was made before."""
        try:
            self._context.call("sagemaker", operation, request)
        except AwsError as error:
            if "already exist" not in error.message:
                raise

    def _job(self) -> Request | None:
        try:
            found: Request = self._context.call("sagemaker", "DescribeTransformJob", {"TransformJobName": self._one.name})
        except AwsError as error:
            if error.code != "ValidationException":
                raise
            return None
        return found

    def _started(self, tx: Transaction) -> None:
        if store_validations.put_state(tx, self._one.package_id, State.IN_PROGRESS, before=State.NOT_STARTED):
            self._changed(tx, lambda document, now: validation.started(document, self._one.profile, now))

    def _end(self, failure: str | None) -> None:
        self._delete_model()
        self._context.write(lambda tx: self._over(tx, None if failure is None else failure[:LONGEST_REASON]))

    def _over(self, tx: Transaction, failure: str | None) -> None:
        if store_validations.remove(tx, self._one.package_id):
            self._changed(tx, lambda document, now: validation.over(document, self._one.profile, failure, now))

    def _changed(self, tx: Transaction, change: Any) -> None:
        """The package has another status, if it is there still."""
        found = store.package_by_id(tx, self._one.package_id)
        if found is None:
            return
        now = self._context.now
        document = change(found.document, now)
        store.update_package(tx, found.id, document)
        reindex(self._context.within(tx), found, document, now)
        events.package_changed(tx, found.at, document, now, {})

    def _clear_away(self) -> None:
        """Its package is gone."""
        job = self._job()
        if job is not None and job["TransformJobStatus"] not in ENDED:
            self._context.call("sagemaker", "StopTransformJob", {"TransformJobName": self._one.name})
        self._delete_model()
        self._context.write(lambda tx: store_validations.remove(tx, self._one.package_id))

    def _delete_model(self) -> None:
        """The job has all that it runs for itself."""
        try:
            self._context.call("sagemaker", "DeleteModel", {"ModelName": self._one.name})
        except AwsError as error:
            if error.code != "ValidationException":
                raise


def _model(one: Validation) -> Request:
    return {
        "ModelName": one.name,
        "PrimaryContainer": {"ModelPackageName": one.arn},
        "ExecutionRoleArn": one.role,
    }


def _failure(job: Request) -> str | None:
    """Why a job that has ended did not pass."""
    if job["TransformJobStatus"] == "Completed":
        return None
    return str(job.get("FailureReason") or f"The transform job {job['TransformJobName']} was stopped.")
