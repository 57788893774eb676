"""Messages: what becomes of them from sending to deletion."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tests.contract.queues.conftest import Sqs, bodies, refused
from tests.harness import ACCOUNT, Yard

TEXT = {"DataType": "String", "StringValue": "x"}


def send(sqs: Sqs, url: str, *texts: str, **more: Any) -> None:
    for text in texts:
        sqs("SendMessage", QueueUrl=url, MessageBody=text, **more)


def receive(sqs: Sqs, url: str, **more: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = sqs("ReceiveMessage", QueueUrl=url, **{"MaxNumberOfMessages": 10, **more}).get("Messages", [])
    return found


@pytest.mark.documented
def test_a_message_is_hidden_until_its_time_out_and_gone_once_deleted(yard_in_process: Yard, sqs: Sqs, queue: str) -> None:
    """What was received is seen by nobody for the visibility time-out, then again with a count of 2, and never after deletion."""
    send(sqs, queue, "hello")
    (first,) = receive(sqs, queue, AttributeNames=["All"])
    assert first["Body"] == "hello"
    assert first["MD5OfBody"] == "5d41402abc4b2a76b9719d911017c592"
    assert first["Attributes"].items() >= {"ApproximateReceiveCount": "1", "SentTimestamp": "1700000000000"}.items()
    yard_in_process.clock.advance(29.9)
    assert receive(sqs, queue) == []
    yard_in_process.clock.advance(0.2)
    (again,) = receive(sqs, queue, MessageSystemAttributeNames=["ApproximateReceiveCount", "ApproximateFirstReceiveTimestamp"])
    assert again["MessageId"] == first["MessageId"]
    assert again["ReceiptHandle"] != first["ReceiptHandle"]
    assert again["Attributes"] == {"ApproximateReceiveCount": "2", "ApproximateFirstReceiveTimestamp": "1700000000000"}
    sqs("DeleteMessage", QueueUrl=queue, ReceiptHandle=first["ReceiptHandle"])  # an old handle: accepted, and deletes nothing
    sqs("ChangeMessageVisibility", QueueUrl=queue, ReceiptHandle=again["ReceiptHandle"], VisibilityTimeout=0)
    (third,) = receive(sqs, queue)
    sqs("DeleteMessage", QueueUrl=queue, ReceiptHandle=third["ReceiptHandle"])
    sqs("DeleteMessage", QueueUrl=queue, ReceiptHandle=third["ReceiptHandle"])
    yard_in_process.clock.advance(60)
    assert receive(sqs, queue) == []


@pytest.mark.documented
def test_delays_and_retention(yard_in_process: Yard, sqs: Sqs, queue: str) -> None:
    """A message appears after its own delay, or the queue's, and is gone after the queue's retention."""
    sqs("SetQueueAttributes", QueueUrl=queue, Attributes={"DelaySeconds": "10", "MessageRetentionPeriod": "60"})
    send(sqs, queue, "late")
    send(sqs, queue, "now", DelaySeconds=0)
    counts = sqs("GetQueueAttributes", QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    assert (counts["ApproximateNumberOfMessages"], counts["ApproximateNumberOfMessagesDelayed"]) == ("1", "1")
    assert bodies({"Messages": receive(sqs, queue, VisibilityTimeout=0)}) == ["now"]
    yard_in_process.clock.advance(10)
    assert sorted(bodies({"Messages": receive(sqs, queue, VisibilityTimeout=0)})) == ["late", "now"]
    yard_in_process.clock.advance(50)
    assert receive(sqs, queue) == []


@pytest.mark.documented
def test_attributes_and_their_digest(sqs: Sqs, queue: str) -> None:
    """Attributes come back as asked for, by name, by prefix or all; their MD5 is AWS's, over those that come."""
    attributes = {
        "timestamp": {"DataType": "Number", "StringValue": "1493147359900"},
        "blob.b": {"DataType": "Binary.png", "BinaryValue": b"\x00\xff"},
        "blob.n": {"DataType": "Number", "StringValue": "1.5e3"},
    }
    sent = sqs("SendMessage", QueueUrl=queue, MessageBody="x", MessageAttributes=attributes)
    (all_of_it,) = receive(sqs, queue, MessageAttributeNames=["All"], VisibilityTimeout=0)
    assert all_of_it["MessageAttributes"] == attributes
    assert all_of_it["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]
    (one,) = receive(sqs, queue, MessageAttributeNames=["timestamp"], VisibilityTimeout=0)
    assert one["MD5OfMessageAttributes"] == "235c5c510d26fb653d073faed50ae77c"  # published, from a test against AWS
    (some,) = receive(sqs, queue, MessageAttributeNames=["blob.*"], VisibilityTimeout=0)
    assert sorted(some["MessageAttributes"]) == ["blob.b", "blob.n"]
    (none,) = receive(sqs, queue, VisibilityTimeout=0)
    assert "MessageAttributes" not in none and "Attributes" not in none


@pytest.mark.documented
@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"MessageBody": ""}, "MissingParameter"),
        ({"MessageBody": "\x01"}, "InvalidMessageContents"),
        ({"MessageBody": "x" * 1025}, "InvalidParameterValue"),
        ({"MessageBody": "x", "DelaySeconds": 901}, "InvalidParameterValue"),
        ({"MessageBody": "x", "MessageDeduplicationId": "d"}, "InvalidParameterValue"),
        ({"MessageBody": "x", "MessageGroupId": "ä"}, "InvalidParameterValue"),
        ({"MessageBody": "x", "MessageAttributes": {"a..b": TEXT}}, "InvalidParameterValue"),
        ({"MessageBody": "x", "MessageAttributes": {"AWS.a": TEXT}}, "InvalidParameterValue"),
        ({"MessageBody": "x", "MessageAttributes": {"a": {"DataType": "Text", "StringValue": "x"}}}, "InvalidParameterValue"),
        ({"MessageBody": "x", "MessageAttributes": {"a": {"DataType": "String"}}}, "InvalidParameterValue"),
        ({"MessageBody": "x", "MessageAttributes": {"a": {"DataType": "Number", "StringValue": "x"}}}, "InvalidParameterValue"),
        ({"MessageBody": "x", "MessageAttributes": {str(n): {"DataType": "String", "StringValue": "x"} for n in range(11)}},
         "InvalidParameterValue"),
        ({"MessageBody": "x", "MessageSystemAttributes": {"Other": {"DataType": "String", "StringValue": "x"}}},
         "InvalidParameterValue"),
    ],
)  # fmt: skip
def test_what_no_message_can_be(sqs: Sqs, queue: str, request_: dict[str, Any], code: str) -> None:
    """Bodies, delays and attributes that AWS refuses are refused with its code."""
    sqs("SetQueueAttributes", QueueUrl=queue, Attributes={"MaximumMessageSize": "1024"})
    with refused(code):
        sqs("SendMessage", QueueUrl=queue, **request_)
    assert receive(sqs, queue) == []


@pytest.mark.documented
def test_what_no_receive_can_be(sqs: Sqs, queue: str) -> None:
    """Numbers out of range and unknown names of attributes are refused, deprecated names are taken."""
    for name, value in (
        ("MaxNumberOfMessages", 11),
        ("MaxNumberOfMessages", 0),
        ("WaitTimeSeconds", 21),
        ("VisibilityTimeout", 43201),
    ):
        with refused("InvalidParameterValue", name):
            receive(sqs, queue, **{name: value})
    with refused("InvalidAttributeName"):
        receive(sqs, queue, AttributeNames=["VisibilityTimeout"])
    send(sqs, queue, "x")
    assert receive(sqs, queue, AttributeNames=["SenderId"])[0]["Attributes"].keys() == {"SenderId"}


@pytest.mark.documented
def test_receipt_handles(yard_in_process: Yard, sqs: Sqs, queue: str) -> None:
    """A handle that is made up, or another queue's, is invalid; one whose message is back in the queue is not in flight."""
    other = sqs("CreateQueue", QueueName="other")["QueueUrl"]
    send(sqs, queue, "x")
    handle = receive(sqs, queue)[0]["ReceiptHandle"]
    for url, text in ((queue, "made up"), (other, handle), (queue, handle[:-2] + "AA"), (queue, "")):
        with refused("ReceiptHandleIsInvalid"):
            sqs("DeleteMessage", QueueUrl=url, ReceiptHandle=text)
    sqs("ChangeMessageVisibility", QueueUrl=queue, ReceiptHandle=handle, VisibilityTimeout=100)
    yard_in_process.clock.advance(99)
    assert receive(sqs, queue) == []
    yard_in_process.clock.advance(1)
    with refused("MessageNotInflight"):
        sqs("ChangeMessageVisibility", QueueUrl=queue, ReceiptHandle=handle, VisibilityTimeout=1)
    sqs("DeleteMessage", QueueUrl=queue, ReceiptHandle=handle)
    assert receive(sqs, queue) == []
    with refused("InvalidParameterValue", "not available for visibility timeout change"):
        sqs("ChangeMessageVisibility", QueueUrl=queue, ReceiptHandle=handle, VisibilityTimeout=1)


@pytest.mark.documented
def test_batches(sqs: Sqs, queue: str) -> None:
    """Entries of a batch succeed and fail each by itself, under their ids; a batch that is none is refused as a whole."""
    entries = [{"Id": str(number), "MessageBody": str(number)} for number in range(9)]
    answer = sqs("SendMessageBatch", QueueUrl=queue, Entries=[*entries, {"Id": "bad", "MessageBody": "\x02"}])
    assert [entry["Id"] for entry in answer["Successful"]] == [str(number) for number in range(9)]
    assert [(entry["Id"], entry["Code"], entry["SenderFault"]) for entry in answer["Failed"]] == [
        ("bad", "InvalidMessageContents", True)
    ]
    received = receive(sqs, queue)
    assert bodies({"Messages": received}) == [str(number) for number in range(9)]
    handles = [{"Id": message["Body"], "ReceiptHandle": message["ReceiptHandle"]} for message in received]
    changed = sqs("ChangeMessageVisibilityBatch", QueueUrl=queue, Entries=[{**handles[0], "VisibilityTimeout": 0}])
    assert changed == {"Successful": [{"Id": "0"}]}
    deleted = sqs("DeleteMessageBatch", QueueUrl=queue, Entries=[*handles, {"Id": "x", "ReceiptHandle": "x"}])
    assert len(deleted["Successful"]) == 9
    assert deleted["Failed"][0]["Code"] == "ReceiptHandleIsInvalid"
    for wrong, code in (
        ([], "EmptyBatchRequest"),
        ([{"Id": str(n), "MessageBody": "x"} for n in range(11)], "TooManyEntriesInBatchRequest"),
        ([{"Id": "a", "MessageBody": "x"}] * 2, "BatchEntryIdsNotDistinct"),
        ([{"Id": "a b", "MessageBody": "x"}], "InvalidBatchEntryId"),
        ([{"Id": str(n), "MessageBody": "x" * 600_000} for n in range(2)], "BatchRequestTooLong"),
    ):
        with refused(code):
            sqs("SendMessageBatch", QueueUrl=queue, Entries=wrong)


@pytest.mark.documented
def test_what_is_received_too_often_goes_to_the_dead_letter_queue(yard_in_process: Yard, sqs: Sqs, queue: str) -> None:
    """After maxReceiveCount receives a message is in the dead-letter queue, with its id, its count and where it came from."""
    dead = sqs("CreateQueue", QueueName="dead")["QueueUrl"]
    redrive = f'{{"deadLetterTargetArn": "arn:aws:sqs:us-east-1:{ACCOUNT}:dead", "maxReceiveCount": "2"}}'
    sqs("SetQueueAttributes", QueueUrl=queue, Attributes={"RedrivePolicy": redrive})
    send(sqs, queue, "poison")
    for _ in range(2):
        assert len(receive(sqs, queue, VisibilityTimeout=0)) == 1
    send(sqs, queue, "good")
    yard_in_process.clock.advance(1)
    assert bodies({"Messages": receive(sqs, queue, MaxNumberOfMessages=1)}) == ["good"]
    (buried,) = receive(sqs, dead, AttributeNames=["All"])
    assert buried["Body"] == "poison"
    assert buried["Attributes"]["ApproximateReceiveCount"] == "3"
    assert buried["Attributes"]["DeadLetterQueueSourceArn"] == f"arn:aws:sqs:us-east-1:{ACCOUNT}:standard"
    sqs("SetQueueAttributes", QueueUrl=dead, Attributes={"RedriveAllowPolicy": '{"redrivePermission": "denyAll"}'})
    with refused("InvalidParameterValue", "permission"):
        sqs("SetQueueAttributes", QueueUrl=queue, Attributes={"RedrivePolicy": redrive})


@pytest.mark.documented
def test_groups_of_a_fifo_queue_are_in_order_and_one_at_a_time(yard_in_process: Yard, sqs: Sqs, fifo: str) -> None:
    """Of a group with messages in flight nothing more is received until they are deleted or back; other groups go on."""
    for group, text in (("a", "a1"), ("b", "b1"), ("a", "a2"), ("a", "a3"), ("b", "b2")):
        send(sqs, fifo, text, MessageGroupId=group)
    (first,) = receive(sqs, fifo, MaxNumberOfMessages=1, AttributeNames=["All"])
    assert first["Body"] == "a1"
    assert first["Attributes"]["MessageGroupId"] == "a"
    both = receive(sqs, fifo)
    assert bodies({"Messages": both}) == ["b1", "b2"]
    assert receive(sqs, fifo) == []
    sqs("DeleteMessage", QueueUrl=fifo, ReceiptHandle=first["ReceiptHandle"])
    rest = receive(sqs, fifo)
    assert bodies({"Messages": rest}) == ["a2", "a3"]
    # The first of two that were taken together is back: it waits for the other, so that the order stays.
    sqs("ChangeMessageVisibility", QueueUrl=fifo, ReceiptHandle=rest[0]["ReceiptHandle"], VisibilityTimeout=0)
    assert receive(sqs, fifo) == []
    yard_in_process.clock.advance(30)
    assert bodies({"Messages": receive(sqs, fifo)}) == ["b1", "a2", "a3", "b2"]
    with refused("InvalidParameterValue", "expired"):
        sqs("DeleteMessage", QueueUrl=fifo, ReceiptHandle=both[0]["ReceiptHandle"])


@pytest.mark.documented
def test_what_was_sent_twice_is_there_once(yard_in_process: Yard, sqs: Sqs, fifo: str) -> None:
    """Within five minutes the same content, or the same deduplication id, is one message, also after it was deleted."""
    first = sqs("SendMessage", QueueUrl=fifo, MessageBody="x", MessageGroupId="g")
    assert sqs("SendMessage", QueueUrl=fifo, MessageBody="x", MessageGroupId="h") == first
    (message,) = receive(sqs, fifo)
    sqs("DeleteMessage", QueueUrl=fifo, ReceiptHandle=message["ReceiptHandle"])
    assert sqs("SendMessage", QueueUrl=fifo, MessageBody="x", MessageGroupId="g") == first
    assert receive(sqs, fifo) == []
    other = sqs("SendMessage", QueueUrl=fifo, MessageBody="x", MessageGroupId="g", MessageDeduplicationId="own")
    assert other["SequenceNumber"] > first["SequenceNumber"]
    yard_in_process.clock.advance(300)
    later = sqs("SendMessage", QueueUrl=fifo, MessageBody="x", MessageGroupId="g")
    assert later["SequenceNumber"] > other["SequenceNumber"]
    sqs("SetQueueAttributes", QueueUrl=fifo, Attributes={"ContentBasedDeduplication": "false"})
    with refused("InvalidParameterValue", "MessageDeduplicationId"):
        send(sqs, fifo, "x", MessageGroupId="g")
    with refused("MissingParameter", "MessageGroupId"):
        send(sqs, fifo, "x", MessageDeduplicationId="d")
    with refused("InvalidParameterValue", "DelaySeconds"):
        send(sqs, fifo, "x", MessageDeduplicationId="d", MessageGroupId="g", DelaySeconds=1)


@pytest.mark.documented
def test_a_delayed_group_keeps_its_order(yard_in_process: Yard, sqs: Sqs, fifo: str) -> None:
    """A message that is not delayed does not overtake one of its group that is."""
    sqs("SetQueueAttributes", QueueUrl=fifo, Attributes={"DelaySeconds": "10"})
    send(sqs, fifo, "first", MessageGroupId="g")
    sqs("SetQueueAttributes", QueueUrl=fifo, Attributes={"DelaySeconds": "0"})
    send(sqs, fifo, "second", MessageGroupId="g")
    assert receive(sqs, fifo) == []
    yard_in_process.clock.advance(10)
    assert bodies({"Messages": receive(sqs, fifo)}) == ["first", "second"]


@pytest.mark.ours
def test_many_receivers_never_share_a_message(sqs: Sqs, queue: str) -> None:
    """Eight threads that receive and delete at once see each of 200 messages exactly once."""
    for start in range(0, 200, 10):
        entries = [{"Id": str(number), "MessageBody": str(number)} for number in range(start, start + 10)]
        sqs("SendMessageBatch", QueueUrl=queue, Entries=entries)

    def consume(_: int) -> list[str]:
        seen: list[str] = []
        while found := receive(sqs, queue, MaxNumberOfMessages=3):
            seen += bodies({"Messages": found})
            for message in found:
                sqs("DeleteMessage", QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return seen

    with ThreadPoolExecutor(8) as threads:
        seen = [text for part in threads.map(consume, range(8)) for text in part]
    assert sorted(seen, key=int) == [str(number) for number in range(200)]
