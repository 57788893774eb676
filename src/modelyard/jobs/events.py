"""What jobs tell the world: AWS's event of transform jobs.

Its times are epoch milliseconds. Environments are left out, since those may hold secrets.
"""

from modelyard.dispatch.tags import tags_of
from modelyard.events import outbox
from modelyard.jobs.transform_job import TransformJob, described
from modelyard.storage.interface import Transaction

TRANSFORM_CHANGE = "SageMaker Transform Job State Change"
_TIMES = ("CreationTime", "TransformStartTime", "TransformEndTime")


def transform_changed(tx: Transaction, job: TransformJob, now: float) -> None:
    """A transform job has another status."""
    detail = {
        name: round(value * 1000) if name in _TIMES else value for name, value in described(job).items() if name != "Environment"
    }
    outbox.publish(
        tx,
        source="aws.sagemaker",
        detail_type=TRANSFORM_CHANGE,
        account=job.at.account,
        region=job.at.region,
        resources=[job.at.arn],
        detail={**detail, "Tags": tags_of(tx, job.at.arn)},
        group_key=job.at.arn,
        now=now,
    )
