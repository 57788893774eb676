"""Queues as real clients use them: boto3, the AWS CLI, clients that take a queue's URL for the endpoint; and after kill -9."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError, ClientError
from tests.postgresql import postgresql_address, postgresql_server  # noqa: F401
from tests.running import ACCOUNT, OTHER_ACCOUNT, RunningYard, both_databases

pytestmark = pytest.mark.slow

AWS = Path(sys.executable).with_name("aws")


@pytest.fixture(params=["sqlite", "postgresql"])
def mortal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunningYard]:
    """A server that only this test uses, so that it may be killed."""
    settings = {} if request.param == "sqlite" else {"database": request.getfixturevalue("postgresql_address")}
    running = RunningYard(tmp_path / "data", **settings)
    running.start()
    yield running
    if running.process is not None:
        assert running.stop() == 0
    assert not running.defects()


def code(call: Any, **request: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**request)
    answer: str = caught.value.response["Error"]["Code"]
    return answer


@both_databases
@pytest.mark.documented
def test_boto3(yard: RunningYard) -> None:
    """The life of a queue and its messages with boto3, which checks the digest of every body, and its errors by name."""
    sqs = yard.client("sqs")
    url = sqs.create_queue(QueueName="boto", Attributes={"SqsManagedSseEnabled": "true"}, tags={"team": "weather"})["QueueUrl"]
    assert url == f"{yard.endpoint}/{ACCOUNT}/boto"
    assert sqs.get_queue_url(QueueName="boto")["QueueUrl"] == url
    attribute = {"DataType": "Binary", "BinaryValue": b"\x00\x01"}
    sent = sqs.send_message(QueueUrl=url, MessageBody="héllo 🌧", MessageAttributes={"b": attribute})
    (message,) = sqs.receive_message(
        QueueUrl=url, AttributeNames=["All"], MessageAttributeNames=["All"], WaitTimeSeconds=20
    )["Messages"]  # fmt: skip
    assert (message["Body"], message["MessageId"]) == ("héllo 🌧", sent["MessageId"])
    assert message["MessageAttributes"] == {"b": attribute}
    assert message["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=10)
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"team": "weather"}
    assert url in [found for page in sqs.get_paginator("list_queues").paginate() for found in page["QueueUrls"]]
    with pytest.raises(sqs.exceptions.QueueDoesNotExist) as caught:
        sqs.get_queue_url(QueueName="none")
    assert caught.value.response["Error"]["Code"] == "AWS.SimpleQueueService.NonExistentQueue"
    with pytest.raises(sqs.exceptions.ReceiptHandleIsInvalid):
        sqs.delete_message(QueueUrl=url, ReceiptHandle="x")
    assert code(sqs.create_queue, QueueName="boto", Attributes={"DelaySeconds": "5"}) == "QueueAlreadyExists"
    assert code(sqs.get_queue_attributes, QueueUrl=url, AttributeNames=["Colour"]) == "InvalidAttributeName"
    assert code(sqs.send_message_batch, QueueUrl=url, Entries=[]) == "AWS.SimpleQueueService.EmptyBatchRequest"
    stranger = yard.client("sqs", account=OTHER_ACCOUNT)
    assert code(stranger.send_message, QueueUrl=url, MessageBody="x") == "AccessDenied"
    sqs.delete_queue(QueueUrl=url)


@pytest.mark.documented
def test_a_queues_url_is_an_endpoint(yard: RunningYard) -> None:
    """Clients that send to the queue's own URL, as AWS's newer SDKs do, reach the queue there."""
    url = yard.client("sqs").create_queue(QueueName="endpoint")["QueueUrl"]
    signer = yard.admin()
    body = json.dumps({"QueueUrl": url, "MessageBody": "x"}).encode()
    headers = {"X-Amz-Target": "AmazonSQS.SendMessage", "Content-Type": "application/x-amz-json-1.0"}
    request = AWSRequest("POST", url, headers=headers, data=body)
    SigV4Auth(Credentials(signer.access_key_id, signer.secret_access_key), "sqs", "us-east-1").add_auth(request)
    answer = httpx.post(url, content=body, headers=dict(request.headers.items()))
    assert answer.status_code == 200, answer.text
    assert answer.json()["MD5OfMessageBody"] == "9dd4e461268c8034f5c8564e155c67a6"


@both_databases
@pytest.mark.documented
def test_long_polling(yard: RunningYard) -> None:
    """A receive that waits is answered as soon as somebody sends; twenty of them at once do not hold up other calls."""
    sqs = yard.client("sqs", config=Config(max_pool_connections=30))
    url = sqs.create_queue(QueueName="poll", Attributes={"ReceiveMessageWaitTimeSeconds": "20"})["QueueUrl"]
    received: list[str] = []

    def wait() -> None:
        received.extend(message["Body"] for message in sqs.receive_message(QueueUrl=url).get("Messages", []))

    threads = [threading.Thread(target=wait) for _ in range(20)]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    started = time.perf_counter()
    for number in range(20):
        sqs.send_message(QueueUrl=url, MessageBody=str(number))
    for thread in threads:
        thread.join(15)
    assert sorted(received, key=int) == [str(number) for number in range(20)]
    assert time.perf_counter() - started < 10


@both_databases
@pytest.mark.documented
def test_the_command_line(yard: RunningYard) -> None:
    """`aws sqs`: create, send, receive, delete a message, and the count of what is left."""

    def aws(*arguments: str) -> Any:
        command = [AWS, "sqs", *arguments]
        done = subprocess.run(command, env=yard.environment(), capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None

    url = aws("create-queue", "--queue-name", "cli.fifo", "--attributes", "FifoQueue=true,ContentBasedDeduplication=true")[
        "QueueUrl"
    ]
    for _ in range(2):
        aws("send-message", "--queue-url", url, "--message-body", "approved", "--message-group-id", "fraud")
    named = ("--queue-url", url)
    (message,) = aws("receive-message", *named, "--max-number-of-messages", "10", "--wait-time-seconds", "1")["Messages"]
    assert message["Body"] == "approved"
    aws("delete-message", *named, "--receipt-handle", message["ReceiptHandle"])
    counted = aws("get-queue-attributes", *named, "--attribute-names", "ApproximateNumberOfMessages")
    assert counted == {"Attributes": {"ApproximateNumberOfMessages": "0"}}


@pytest.mark.ours
def test_nothing_acknowledged_is_lost_by_kill_9(mortal: RunningYard) -> None:
    """Messages whose send was answered are there after kill -9, in order, and those whose deletion was answered are not."""
    once = Config(read_timeout=5)
    sqs = mortal.client("sqs", config=once)
    attributes = {"FifoQueue": "true", "VisibilityTimeout": "0"}
    url = sqs.create_queue(QueueName="durable.fifo", Attributes=attributes)["QueueUrl"]
    acknowledged: list[str] = []

    def send() -> None:
        own = mortal.client("sqs", config=once)
        for number in range(100_000):
            try:
                own.send_message(QueueUrl=url, MessageBody=str(number), MessageGroupId="g", MessageDeduplicationId=str(number))
            except (BotoCoreError, ClientError):  # the server is gone
                return
            acknowledged.append(str(number))

    sender = threading.Thread(target=send)
    sender.start()
    while len(acknowledged) < 50:
        time.sleep(0.01)
    (first,) = sqs.receive_message(QueueUrl=url, VisibilityTimeout=600)["Messages"]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"])
    mortal.kill()
    sender.join(30)
    mortal.start()
    sqs = mortal.client("sqs")
    received: list[str] = []
    while found := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=60).get("Messages"):
        received += [message["Body"] for message in found]
        entries = [{"Id": str(n), "ReceiptHandle": message["ReceiptHandle"]} for n, message in enumerate(found)]
        assert "Failed" not in sqs.delete_message_batch(QueueUrl=url, Entries=entries)
    assert first["Body"] == "0"
    # What was sent and not answered may be there or not.
    assert received[: len(acknowledged) - 1] == acknowledged[1:]
    assert len(received) <= len(acknowledged)


@pytest.mark.ours
def test_a_server_stops_while_receivers_wait(mortal: RunningYard) -> None:
    """SIGTERM lets waiting receivers go at once: the server does not sit out their twenty seconds."""
    sqs = mortal.client("sqs")
    url = sqs.create_queue(QueueName="stop")["QueueUrl"]
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)))
    thread.start()
    time.sleep(1)
    started = time.perf_counter()
    assert mortal.stop() == 0
    thread.join(5)
    assert time.perf_counter() - started < 8
    assert "Messages" not in answers[0]
