"""kill -9 while versions are registered and approved, and events of it are delivered: none is lost, none is invented."""

import json
import random
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from tests.running import ACCOUNT, RunningYard

pytestmark = [pytest.mark.ours, pytest.mark.slow]

ROUNDS = 5
TEAMS = ("fraud", "churn", "price")
QUEUE = f"arn:aws:sqs:us-east-1:{ACCOUNT}:approvals"
PATTERN = {
    "source": ["aws.sagemaker"],
    "detail-type": ["SageMaker Model Package State Change"],
    "detail": {"ModelApprovalStatus": ["Approved"], "UpdatedModelPackageFields": ["ModelApprovalStatus"]},
}
POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": QUEUE}
    ],
}


class Team(threading.Thread):
    """Registers and approves versions of its group, one after the other, and goes on when the server is back."""

    def __init__(self, yard: RunningYard, group: str) -> None:
        super().__init__(name=group)
        self._yard = yard
        self._group = group
        self.approved: list[str] = []
        """Versions whose approval was answered."""
        self.stopping = threading.Event()

    def run(self) -> None:
        while not self.stopping.is_set():
            try:
                registry = self._yard.client("sagemaker")
                arn = registry.create_model_package(ModelPackageGroupName=self._group)["ModelPackageArn"]
                registry.update_model_package(
                    ModelPackageArn=arn, ModelApprovalStatus="Approved", ApprovalDescription=f"by {self._group}"
                )
                self.approved.append(arn)
            except (BotoCoreError, ClientError):
                self.stopping.wait(0.05)


def prepare(yard: RunningYard) -> str:
    """Groups, a queue, and a rule that sends approvals to it; the queue's URL."""
    for group in TEAMS:
        yard.client("sagemaker").create_model_package_group(ModelPackageGroupName=group)
    sqs, events = yard.client("sqs"), yard.client("events")
    url = sqs.create_queue(QueueName="approvals", Attributes={"Policy": json.dumps(POLICY)})["QueueUrl"]
    events.put_rule(Name="approvals", EventPattern=json.dumps(PATTERN))
    assert events.put_targets(Rule="approvals", Targets=[{"Id": "queue", "Arn": QUEUE}])["FailedEntryCount"] == 0
    return str(url)


def delivered(yard: RunningYard, url: str, expected: set[str]) -> list[dict[str, Any]]:
    """Everything in the queue, once all that is expected was seen and nothing more comes."""
    sqs, found, deadline = yard.client("sqs"), [], time.monotonic() + 180
    missing = set(expected)
    while time.monotonic() < deadline:
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", [])
        if not messages and not missing:
            return found
        for message in messages:
            found.append(json.loads(message["Body"]))
            missing -= set(found[-1]["resources"])
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    pytest.fail(f"{len(missing)} approvals were answered and never delivered: {sorted(missing)[:5]}")


def approvals(yard: RunningYard, group: str) -> Iterator[str]:
    """The approved versions of a group, as the registry lists them."""
    pages = yard.client("sagemaker").get_paginator("list_model_packages")
    for page in pages.paginate(ModelPackageGroupName=group, ModelApprovalStatus="Approved"):
        yield from (one["ModelPackageArn"] for one in page["ModelPackageSummaryList"])


@pytest.mark.parametrize("own_yard", ["sqlite", "postgresql"], indirect=True)
def test_no_approval_and_no_event_is_lost_by_kill_9(own_yard: RunningYard) -> None:
    """Every answered approval is decided, on record and delivered, in the order of its group; what is delivered did happen."""
    url = prepare(own_yard)
    teams = [Team(own_yard, group) for group in TEAMS]
    for team in teams:
        team.start()
    moments = random.Random(11)
    for round_number in range(ROUNDS):
        while any(len(team.approved) <= round_number for team in teams):
            time.sleep(0.05)
        time.sleep(moments.uniform(0.4, 1.2))
        own_yard.kill()
        own_yard.start()
    time.sleep(0.5)
    for team in teams:
        team.stopping.set()
        team.join(30)
        assert len(team.approved) >= ROUNDS
    answered = {arn for team in teams for arn in team.approved}
    events = delivered(own_yard, url, answered)
    registered = {arn for group in TEAMS for arn in approvals(own_yard, group)}
    arns = [event["resources"][0] for event in events]
    assert answered <= registered
    assert set(arns) == registered, "an approval that nobody was told of, or an event of none"
    assert len({event["id"] for event in events}) == len(registered), "an approval made one event, delivered once or more"
    for group in TEAMS:
        numbers = [int(arn.rpartition("/")[2]) for arn in dict.fromkeys(arns) if f"/{group}/" in arn]
        assert numbers == sorted(numbers), "delivered out of order"
    extras = own_yard.client("modelyard")
    for team in teams:
        decisions = extras.list_approval_decisions(ModelPackageArn=team.approved[-1])["Decisions"]
        assert [(one["To"], one["Reason"]) for one in decisions if one["Effective"]][-1] == ("Approved", f"by {team.name}")
    assert json.loads(own_yard.modelyard("audit", "verify", "--output", "json"))["whole"]
    assert own_yard.stop() == 0
    assert not own_yard.defects(), own_yard.defects()
