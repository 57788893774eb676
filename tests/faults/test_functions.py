"""kill -9 while functions run: no invocation that was acknowledged is lost, and nothing of a sandbox outlives the server."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from tests.endpoints import eventually
from tests.functions import role, zipped
from tests.processes import below, frozen, gone
from tests.running import ACCOUNT, RunningYard

pytestmark = [pytest.mark.slow, pytest.mark.ours]

TELLS = (
    "import boto3, json, time\nsqs = boto3.client('sqs')\n"
    "def handler(event, context):\n"
    "    time.sleep(0.05)\n"
    "    number = event['detail']['ModelPackageVersion'] if 'detail' in event else event['n']\n"
    "    sqs.send_message(QueueUrl='{url}', MessageBody=json.dumps(number))\n"
)


def prepare(yard: RunningYard) -> str:
    """A function that tells a queue of each of its events; the queue's URL."""
    url = str(yard.client("sqs").create_queue(QueueName="told")["QueueUrl"])
    runs_as = role(yard.client("iam"), "tells", "sqs:*")
    yard.client("lambda").create_function(
        FunctionName="tells",
        Runtime="python3.11",
        Role=runs_as,
        Handler="app.handler",
        Timeout=20,
        Code={"ZipFile": zipped(TELLS.format(url=url))},
    )
    return url


def gathered(yard: RunningYard, url: str, wanted: set[Any], seconds: float) -> list[Any]:
    """What the function told, until it told of everything that is wanted."""
    sqs, found = yard.client("sqs"), []
    deadline = time.monotonic() + seconds
    while not wanted <= set(found):
        assert time.monotonic() < deadline, f"never told of {sorted(wanted - set(found))}"
        answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        for message in answer.get("Messages", []):
            found.append(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return found


@pytest.mark.timeout(120)
@pytest.mark.parametrize("own_yard", ["sqlite", "postgresql"], indirect=True)
def test_acknowledged_events_are_run_across_kill_9(own_yard: RunningYard):
    """Every event that was answered with 202 is run, also when the server is killed twice while functions are at it."""
    url = prepare(own_yard)
    acknowledged: set[int] = set()
    for round_number in range(3):
        client = own_yard.client("lambda")
        for number in range(round_number * 20, round_number * 20 + 20):
            client.invoke(FunctionName="tells", InvocationType="Event", Payload=json.dumps({"n": number}))
            acknowledged.add(number)
        if round_number < 2:
            assert own_yard.process is not None
            eventually(lambda: below(own_yard.process.pid))
            time.sleep(0.5)
            sandboxes = frozen(own_yard.process.pid)
            assert sandboxes, "functions were at it"
            own_yard.kill()
            gone(sandboxes)
            own_yard.start()
    told = gathered(own_yard, url, acknowledged, 60)
    assert len(told) <= 2 * len(acknowledged), "events are run again only when a server died at them"
    assert own_yard.stop() == 0
    assert not own_yard.defects()
    assert not list((Path(own_yard.data) / "functions").iterdir())


@pytest.mark.timeout(120)
@pytest.mark.parametrize("own_yard", ["sqlite", "postgresql"], indirect=True)
def test_approvals_start_functions_across_kill_9(own_yard: RunningYard):
    """Each approval that was acknowledged starts the function of its rule at least once, though the server is killed in the
    middle of deliveries."""
    url = prepare(own_yard)
    events, registry = own_yard.client("events"), own_yard.client("sagemaker")
    pattern = {"source": ["aws.sagemaker"], "detail": {"ModelApprovalStatus": ["Approved"]}}
    rule = events.put_rule(Name="approved", EventPattern=json.dumps(pattern))["RuleArn"]
    arn = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:tells"
    events.put_targets(Rule="approved", Targets=[{"Id": "f", "Arn": arn}])
    own_yard.client("lambda").add_permission(
        FunctionName="tells",
        StatementId="rule",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=rule,
    )
    registry.create_model_package_group(ModelPackageGroupName="g")
    wanted = set()
    for round_number in range(2):
        registry = own_yard.client("sagemaker")
        for _ in range(10):
            made = registry.create_model_package(ModelPackageGroupName="g")["ModelPackageArn"]
            registry.update_model_package(ModelPackageArn=made, ModelApprovalStatus="Approved")
            wanted.add(int(made.rpartition("/")[2]))
        if not round_number:
            time.sleep(0.2)
            own_yard.kill()
            own_yard.start()
    gathered(own_yard, url, wanted, 60)
    assert not own_yard.defects()
