"""Events as real clients use them: an approval that reaches a queue, pipelines' schedules, and deliveries through kill -9."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from tests.postgresql import postgresql_address, postgresql_server  # noqa: F401
from tests.running import ACCOUNT, RunningYard, both_databases

pytestmark = pytest.mark.slow

IMAGE = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/sklearn:1"
APPROVED = {
    "source": ["aws.sagemaker"],
    "detail-type": ["SageMaker Model Package State Change"],
    "detail": {"ModelPackageGroupName": ["events-fraud"], "ModelApprovalStatus": ["Approved"]},
}


def queue_for_rules(yard: RunningYard, name: str) -> tuple[str, str]:
    """URL and ARN of a queue that rules of its account may send to."""
    sqs, arn = yard.client("sqs"), f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}"
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    return sqs.create_queue(QueueName=name, Attributes={"Policy": policy})["QueueUrl"], arn


def receive(yard: RunningYard, url: str, wait: int = 10) -> list[dict[str, Any]]:
    """Messages of a queue until it stays empty for so many seconds, parsed and deleted."""
    sqs, found = yard.client("sqs"), []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=wait).get("Messages"):
        entries = [{"Id": str(number), "ReceiptHandle": each["ReceiptHandle"]} for number, each in enumerate(messages)]
        sqs.delete_message_batch(QueueUrl=url, Entries=entries)
        found += [json.loads(message["Body"]) for message in messages]
        wait = 1
    return found


@both_databases
@pytest.mark.documented
def test_an_approval_reaches_a_queue(yard: RunningYard) -> None:
    """Registered, nothing comes; approved, the event of the version is in the queue within moments."""
    sagemaker, events = yard.client("sagemaker"), yard.client("events")
    url, arn = queue_for_rules(yard, "events-approvals")
    events.put_rule(Name="events-approvals", EventPattern=json.dumps(APPROVED))
    assert events.put_targets(Rule="events-approvals", Targets=[{"Id": "queue", "Arn": arn}])["FailedEntryCount"] == 0
    sagemaker.create_model_package_group(ModelPackageGroupName="events-fraud")
    package = sagemaker.create_model_package(
        ModelPackageGroupName="events-fraud",
        ModelApprovalStatus="PendingManualApproval",
        InferenceSpecification={
            "Containers": [{"Image": IMAGE}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
    )["ModelPackageArn"]
    assert receive(yard, url, wait=1) == []
    began = time.monotonic()
    sagemaker.update_model_package(ModelPackageArn=package, ModelApprovalStatus="Approved", ApprovalDescription="good")
    (event,) = receive(yard, url)
    assert time.monotonic() - began < 5
    assert event["resources"] == [package]
    assert event["detail"]["ModelApprovalStatus"] == "Approved"
    assert set(event["detail"]["UpdatedModelPackageFields"]) == {"ModelApprovalStatus", "ApprovalDescription"}
    events.remove_targets(Rule="events-approvals", Ids=["queue"])
    events.delete_rule(Name="events-approvals")


@pytest.mark.documented
def test_boto3(yard: RunningYard) -> None:
    """boto3 reads the answers of both services and knows their errors by name."""
    events, scheduler = yard.client("events"), yard.client("scheduler")
    arn = events.put_rule(Name="boto", ScheduleExpression="rate(1 day)", State="DISABLED", Tags=[{"Key": "a", "Value": "b"}])
    assert events.list_tags_for_resource(ResourceARN=arn["RuleArn"])["Tags"] == [{"Key": "a", "Value": "b"}]
    assert "boto" in [rule["Name"] for page in events.get_paginator("list_rules").paginate() for rule in page["Rules"]]
    with pytest.raises(events.exceptions.ResourceNotFoundException):
        events.describe_rule(Name="none")
    with pytest.raises(events.exceptions.InvalidEventPatternException, match=r"Event pattern is not valid\. Reason: "):
        events.put_rule(Name="boto", EventPattern="[]")
    events.delete_rule(Name="boto")
    trust = {"Effect": "Allow", "Principal": {"Service": "scheduler.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = yard.client("iam").create_role(
        RoleName="starts", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )
    target = {"Arn": f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:pipeline/train", "RoleArn": role["Role"]["Arn"]}
    target["SageMakerPipelineParameters"] = {"PipelineParameterList": [{"Name": "a", "Value": "b"}]}  # type: ignore[assignment]
    schedule = {"Name": "boto", "Target": target, "FlexibleTimeWindow": {"Mode": "OFF"}, "ScheduleExpression": "rate(1 day)"}
    # What the SageMaker SDK does to put a pipeline's schedule.
    with pytest.raises(scheduler.exceptions.ResourceNotFoundException):
        scheduler.update_schedule(**schedule)
    scheduler.create_schedule(**schedule, State="DISABLED")
    with pytest.raises(scheduler.exceptions.ConflictException):
        scheduler.create_schedule(**schedule)
    found = scheduler.get_schedule(Name="boto")
    assert (found["State"], found["Target"]) == ("DISABLED", target)
    assert found["CreationDate"].tzinfo is not None
    assert [each["Name"] for each in scheduler.list_schedules(NamePrefix="boto")["Schedules"]] == ["boto"]
    scheduler.delete_schedule(Name="boto")


@pytest.fixture
def hook() -> Iterator[tuple[str, list[int]]]:
    """An HTTP endpoint: its URL, and the numbers of the events it got."""
    got: list[int] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["detail"]["number"])
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/", got
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(params=["sqlite", "postgresql"])
def mortal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunningYard]:
    """A server that only this test uses, so that it may be killed."""
    settings = {} if request.param == "sqlite" else {"database": request.getfixturevalue("postgresql_address")}
    running = RunningYard(tmp_path / "data", webhooks="private", **settings)
    running.start()
    yield running
    if running.process is not None:
        assert running.stop() == 0
    assert not running.defects()


def rule_with_both(yard: RunningYard, arn: str, hook: str) -> None:
    """A rule for everything of the source `shop`, to a queue and to an endpoint."""
    events, iam = yard.client("events"), yard.client("iam")

    def document(**statement: Any) -> str:
        return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})

    trust = document(Principal={"Service": "events.amazonaws.com"}, Action="sts:AssumeRole")
    role = iam.create_role(RoleName="hooks", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    policy = document(Action="events:InvokeApiDestination", Resource="*")
    iam.put_role_policy(RoleName="hooks", PolicyName="call", PolicyDocument=policy)
    key = {"ApiKeyAuthParameters": {"ApiKeyName": "X-Key", "ApiKeyValue": "secret"}}
    connection = events.create_connection(Name="key", AuthorizationType="API_KEY", AuthParameters=key)["ConnectionArn"]
    destination = events.create_api_destination(
        Name="hook", ConnectionArn=connection, InvocationEndpoint=hook, HttpMethod="POST", InvocationRateLimitPerSecond=1000
    )["ApiDestinationArn"]
    events.put_rule(Name="shop", EventPattern='{"source": ["shop"]}')
    targets = [{"Id": "queue", "Arn": arn}, {"Id": "hook", "Arn": destination, "RoleArn": role}]
    assert events.put_targets(Rule="shop", Targets=targets)["FailedEntryCount"] == 0


@pytest.mark.ours
def test_nothing_acknowledged_is_lost_by_kill_9(mortal: RunningYard, hook: tuple[str, list[int]]) -> None:
    """Every event whose put was answered reaches the queue once and in order, and the endpoint at least once."""
    url, arn = queue_for_rules(mortal, "shop")
    endpoint, got = hook
    rule_with_both(mortal, arn, endpoint)
    acknowledged: list[int] = []
    finished = threading.Event()

    def produce() -> None:
        events = mortal.client("events", config=Config(read_timeout=5, connect_timeout=2))
        number = 0
        while not finished.is_set():
            number += 1
            entry = {"Source": "shop", "DetailType": "Sold", "Detail": json.dumps({"number": number})}
            try:
                events.put_events(Entries=[entry])
            except (BotoCoreError, ClientError):  # the server is gone; the event may be there or not
                time.sleep(0.05)
                continue
            acknowledged.append(number)

    producer = threading.Thread(target=produce)
    producer.start()
    for wanted in (60, 120, 180):
        _until(lambda wanted=wanted: len(acknowledged) >= wanted)  # type: ignore[misc]
        mortal.kill()
        mortal.start()
    _until(lambda: len(acknowledged) >= 220)
    finished.set()
    producer.join()
    received = [event["detail"]["number"] for event in receive(mortal, url)]
    assert set(acknowledged) <= set(received)
    assert received == sorted(set(received))
    _until(lambda: set(received) <= set(got), seconds=60)


def _until(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)
