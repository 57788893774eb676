"""Queues: made, found, described, changed, emptied, deleted; and who may."""

import json
from dataclasses import replace

import pytest
from tests.contract.queues.conftest import Sqs, bodies, refused
from tests.harness import ACCOUNT, OTHER_ACCOUNT, Yard, user

from modelyard.aws.errors import AwsError
from modelyard.aws.http import HttpRequest
from modelyard.queues.permissions import url as queue_url
from modelyard.queues.queue import QueueName
from modelyard.queues.worker import sweep


def shown(sqs: Sqs, url: str, *names: str) -> dict[str, str]:
    found: dict[str, str] = sqs("GetQueueAttributes", QueueUrl=url, AttributeNames=list(names) or ["All"])["Attributes"]
    return found


@pytest.mark.documented
def test_a_queue_has_what_it_was_given_and_the_defaults(sqs: Sqs) -> None:
    """GetQueueAttributes answers AWS's defaults, what was set over them, and the counts, as texts."""
    url = sqs("CreateQueue", QueueName="q", Attributes={"VisibilityTimeout": "60", "SqsManagedSseEnabled": "true"})["QueueUrl"]
    assert url.endswith(f"/{ACCOUNT}/q")
    found = shown(sqs, url)
    assert (
        found.items()
        >= {
            "QueueArn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:q",
            "VisibilityTimeout": "60",
            "MaximumMessageSize": "1048576",
            "MessageRetentionPeriod": "345600",
            "DelaySeconds": "0",
            "ReceiveMessageWaitTimeSeconds": "0",
            "ApproximateNumberOfMessages": "0",
            "CreatedTimestamp": "1700000000",
        }.items()
    )
    assert "FifoQueue" not in found and "Policy" not in found
    assert shown(sqs, url, "VisibilityTimeout") == {"VisibilityTimeout": "60"}
    assert sqs("GetQueueAttributes", QueueUrl=url) == {}
    with refused("InvalidAttributeName", "Unknown Attribute Colour"):
        shown(sqs, url, "Colour")


@pytest.mark.documented
def test_creating_twice_is_harmless_unless_it_contradicts(sqs: Sqs) -> None:
    """The same name with the same attributes finds the queue; with others it is QueueNameExists."""
    first = sqs("CreateQueue", QueueName="q", Attributes={"VisibilityTimeout": "60"})
    assert sqs("CreateQueue", QueueName="q", Attributes={"VisibilityTimeout": "60"}) == first
    assert sqs("CreateQueue", QueueName="q") == first
    with refused("QueueNameExists", "VisibilityTimeout"):
        sqs("CreateQueue", QueueName="q", Attributes={"VisibilityTimeout": "61"})


@pytest.mark.documented
@pytest.mark.parametrize(
    ("name", "attributes", "code"),
    [
        ("a b", {}, "InvalidParameterValue"),
        ("x" * 81, {}, "InvalidParameterValue"),
        ("q.fifo", {}, "InvalidParameterValue"),
        ("q", {"FifoQueue": "true"}, "InvalidParameterValue"),
        ("q", {"ContentBasedDeduplication": "true"}, "InvalidAttributeName"),
        ("q", {"QueueArn": "x"}, "InvalidAttributeName"),
        ("q", {"Nothing": "x"}, "InvalidAttributeName"),
        ("q", {"VisibilityTimeout": "43201"}, "InvalidAttributeValue"),
        ("q", {"DelaySeconds": "-1"}, "InvalidAttributeValue"),
        ("q", {"Policy": "{}"}, "InvalidAttributeValue"),
        ("q", {"RedrivePolicy": "[]"}, "InvalidAttributeValue"),
        ("q", {"RedrivePolicy": '{"deadLetterTargetArn": "arn:aws:sqs:us-east-1:111122223333:none"}'}, "InvalidParameterValue"),
    ],
)
def test_what_no_queue_can_be(sqs: Sqs, name: str, attributes: dict[str, str], code: str) -> None:
    """Names and attributes that AWS refuses are refused with its code, and nothing is made."""
    with refused(code):
        sqs("CreateQueue", QueueName=name, Attributes=attributes)
    assert sqs("ListQueues") == {}


@pytest.mark.documented
def test_attributes_change_and_an_empty_policy_goes(sqs: Sqs, queue: str) -> None:
    """SetQueueAttributes changes what it names; an empty text removes a policy; FifoQueue never changes."""
    policy = json.dumps({"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Principal": "*", "Action": "sqs:PurgeQueue"}})
    sqs("SetQueueAttributes", QueueUrl=queue, Attributes={"DelaySeconds": "5", "Policy": policy})
    assert shown(sqs, queue, "DelaySeconds", "Policy") == {"DelaySeconds": "5", "Policy": policy}
    with refused("AccessDeniedException"):
        sqs("PurgeQueue", QueueUrl=queue)
    sqs("SetQueueAttributes", QueueUrl=queue, Attributes={"Policy": ""})
    assert shown(sqs, queue, "DelaySeconds", "Policy") == {"DelaySeconds": "5"}
    sqs("PurgeQueue", QueueUrl=queue)
    with refused("InvalidAttributeName"):
        sqs("SetQueueAttributes", QueueUrl=queue, Attributes={"FifoQueue": "true"})


@pytest.mark.documented
def test_lists_come_in_pages(sqs: Sqs) -> None:
    """ListQueues filters by prefix and pages by MaxResults; another region has no queues."""
    for name in ("b-2", "a", "b-1", "b-3"):
        sqs("CreateQueue", QueueName=name)
    assert len(sqs("ListQueues")["QueueUrls"]) == 4
    first = sqs("ListQueues", QueueNamePrefix="b-", MaxResults=2)
    second = sqs("ListQueues", QueueNamePrefix="b-", MaxResults=2, NextToken=first["NextToken"])
    assert [url.rpartition("/")[2] for url in first["QueueUrls"] + second["QueueUrls"]] == ["b-1", "b-2", "b-3"]
    assert "NextToken" not in second
    assert sqs("ListQueues", region="eu-west-1") == {}


@pytest.mark.documented
def test_what_is_not_there(sqs: Sqs, queue: str) -> None:
    """A queue that is gone is QueueDoesNotExist for every operation; what is no queue's URL is InvalidAddress."""
    sqs("SendMessage", QueueUrl=queue, MessageBody="lost")
    sqs("DeleteQueue", QueueUrl=queue)
    with refused("QueueDoesNotExist"):
        sqs("GetQueueUrl", QueueName="standard")
    for operation, more in (("DeleteQueue", {}), ("ReceiveMessage", {}), ("SendMessage", {"MessageBody": "x"})):
        with refused("QueueDoesNotExist"):
            sqs(operation, QueueUrl=queue, **more)
    for url in ("", "standard", "http://host/1/standard", "http://[", f"http://host/{ACCOUNT}/a/b"):
        with refused("InvalidAddress"):
            sqs("ReceiveMessage", QueueUrl=url)
    sqs("CreateQueue", QueueName="standard")
    assert bodies(sqs("ReceiveMessage", QueueUrl=queue)) == []


@pytest.mark.documented
def test_purge_empties_at_once_and_once_a_minute(yard_in_process: Yard, sqs: Sqs, queue: str) -> None:
    """After PurgeQueue nothing is left, not even what is in flight; a second one within 60 seconds is refused."""
    for number in range(3):
        sqs("SendMessage", QueueUrl=queue, MessageBody=str(number))
    handle = sqs("ReceiveMessage", QueueUrl=queue)["Messages"][0]["ReceiptHandle"]
    sqs("PurgeQueue", QueueUrl=queue)
    assert shown(sqs, queue)["ApproximateNumberOfMessages"] == shown(sqs, queue)["ApproximateNumberOfMessagesNotVisible"] == "0"
    sqs("DeleteMessage", QueueUrl=queue, ReceiptHandle=handle)
    with refused("PurgeQueueInProgress"):
        sqs("PurgeQueue", QueueUrl=queue)
    yard_in_process.clock.advance(60)
    sqs("PurgeQueue", QueueUrl=queue)


@pytest.mark.ours
def test_the_worker_leaves_no_rows_behind(yard_in_process: Yard, sqs: Sqs, queue: str, fifo: str) -> None:
    """Messages of purged and deleted queues, those past their retention and old deduplication ids are gone; the others stay."""
    house = yard_in_process.house
    for url, more in ((queue, {}), (fifo, {"MessageGroupId": "g"})):
        sqs("SendMessage", QueueUrl=url, MessageBody="old", **more)
    sqs("PurgeQueue", QueueUrl=fifo)
    gone = sqs("CreateQueue", QueueName="gone")["QueueUrl"]
    sqs("SendMessage", QueueUrl=gone, MessageBody="x")
    sqs("DeleteQueue", QueueUrl=gone)
    yard_in_process.clock.advance(345_600)
    sqs("SendMessage", QueueUrl=queue, MessageBody="new")
    sqs("SendMessage", QueueUrl=fifo, MessageBody="new", MessageGroupId="g")
    sweep(house.storage, house.clock)
    with house.storage.read() as tx:
        assert [body for (body,) in tx.all("SELECT body FROM queue_message ORDER BY id")] == ["new", "new"]
        assert tx.one("SELECT count(*) FROM queue_deduplication") == (1,)
        assert tx.one("SELECT count(*) FROM queue_space") == (2,)


@pytest.mark.documented
def test_another_account_needs_both_policies(sqs: Sqs, queue: str) -> None:
    """A queue policy lets another account send and nothing else; without it that account may do nothing."""
    stranger = user(OTHER_ACCOUNT, "bob")
    with refused("AccessDeniedException"):
        sqs("SendMessage", by=stranger, QueueUrl=queue, MessageBody="x")
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": OTHER_ACCOUNT},
        "Action": ["sqs:SendMessage", "sqs:GetQueueUrl"],
        "Resource": f"arn:aws:sqs:us-east-1:{ACCOUNT}:standard",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sqs("SetQueueAttributes", QueueUrl=queue, Attributes={"Policy": policy})
    found = sqs("GetQueueUrl", by=stranger, QueueName="standard", QueueOwnerAWSAccountId=ACCOUNT)
    sqs("SendMessage", by=stranger, QueueUrl=found["QueueUrl"], MessageBody="x")
    entries = [{"Id": "1", "MessageBody": "y"}]
    assert len(sqs("SendMessageBatch", by=stranger, QueueUrl=queue, Entries=entries)["Successful"]) == 1
    with refused("AccessDeniedException"):
        sqs("ReceiveMessage", by=stranger, QueueUrl=queue)
    weak = user(
        OTHER_ACCOUNT, "weak", '{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}'
    )
    with refused("AccessDeniedException"):
        sqs("SendMessage", by=weak, QueueUrl=queue, MessageBody="x")
    assert len(bodies(sqs("ReceiveMessage", QueueUrl=queue, MaxNumberOfMessages=10))) == 2


@pytest.mark.documented
def test_tags_are_kept_and_count_in_policies(sqs: Sqs, queue: str) -> None:
    """Tags are listed, overwritten, removed, and decide where a condition looks at them."""
    assert sqs("ListQueueTags", QueueUrl=queue) == {}
    sqs("TagQueue", QueueUrl=queue, Tags={"team": "weather", "stage": "a"})
    sqs("TagQueue", QueueUrl=queue, Tags={"stage": "b"})
    sqs("UntagQueue", QueueUrl=queue, TagKeys=["none"])
    assert sqs("ListQueueTags", QueueUrl=queue) == {"Tags": {"stage": "b", "team": "weather"}}
    condition = {"StringEquals": {"aws:ResourceTag/team": "weather"}}
    statement = {"Effect": "Allow", "Action": "sqs:*", "Resource": "*", "Condition": condition}
    weather = user(ACCOUNT, "ann", json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    sqs("SendMessage", by=weather, QueueUrl=queue, MessageBody="x")
    sqs("UntagQueue", QueueUrl=queue, TagKeys=["team"])
    with refused("AccessDeniedException"):
        sqs("SendMessage", by=weather, QueueUrl=queue, MessageBody="x")


@pytest.mark.ours
def test_messages_leave_the_audit_trail_alone(yard_in_process: Yard, sqs: Sqs, queue: str) -> None:
    """Messages that pass are not recorded, their contents least of all; what is done to queues is."""
    storage = yard_in_process.house.storage

    def records() -> int:
        with storage.read() as tx:
            row = tx.one("SELECT count(*) FROM audit_record")
        assert row is not None
        return int(row[0])

    before = records()
    sqs("SendMessage", QueueUrl=queue, MessageBody="secret")
    sqs("ReceiveMessage", QueueUrl=queue)
    assert records() == before
    sqs("PurgeQueue", QueueUrl=queue)
    assert records() == before + 1


@pytest.mark.ours
@pytest.mark.parametrize(
    ("host", "scheme", "url"),
    [
        ("yard.example:9100", "http", "http://yard.example:9100"),
        ("yard.example", "https", "https://yard.example"),
        ("queue.amazonaws.com", "https", "http://10.0.0.1:9100"),
        ("sqs.eu-west-1.amazonaws.com:443", "https", "http://10.0.0.1:9100"),
    ],
)
def test_a_queues_url_leads_here(yard_in_process: Yard, host: str, scheme: str, url: str) -> None:
    """A queue's URL has the host that the client used, but never a name of AWS: who took it for the endpoint would send there."""
    http = HttpRequest("POST", "/", "", {"host": host}, scheme=scheme, server=("10.0.0.1", 9100))
    context = replace(yard_in_process.context(), http=http)
    assert queue_url(context, QueueName(ACCOUNT, "us-east-1", "q")) == f"{url}/{ACCOUNT}/q"


@pytest.mark.documented
@pytest.mark.parametrize(
    ("operation", "request_"),
    [
        ("SetQueueAttributes", {"Attributes": {"DelaySeconds": "1"}}),
        ("DeleteQueue", {}),
        ("TagQueue", {"Tags": {"a": "b"}}),
        ("UntagQueue", {"TagKeys": ["a"]}),
        ("ListQueueTags", {}),
    ],
)
def test_a_queues_policy_does_not_hand_the_queue_over(sqs: Sqs, operation: str, request_: dict[str, object]) -> None:
    """`sqs:*` for another account is leave to use the queue, not to change it or its policy, or to delete it."""
    url = sqs("CreateQueue", QueueName="q")["QueueUrl"]
    statement = {"Effect": "Allow", "Principal": {"AWS": OTHER_ACCOUNT}, "Action": "sqs:*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sqs("SetQueueAttributes", QueueUrl=url, Attributes={"Policy": policy})
    stranger = user(OTHER_ACCOUNT, "bob")
    sqs("SendMessage", by=stranger, QueueUrl=url, MessageBody="x")
    with refused("AccessDeniedException"):
        sqs(operation, by=stranger, QueueUrl=url, **request_)
    sqs(operation, QueueUrl=url, **request_)


@pytest.mark.ours
def test_a_dead_letter_queue_of_another_account_is_not_told_of(sqs: Sqs) -> None:
    """Whether another account has a queue of that name does not show in the refusal."""
    sqs("CreateQueue", by=user(OTHER_ACCOUNT, "bob"), QueueName="there")
    said = set()
    for name in ("there", "nowhere"):
        redrive = {"deadLetterTargetArn": f"arn:aws:sqs:us-east-1:{OTHER_ACCOUNT}:{name}", "maxReceiveCount": 3}
        with pytest.raises(AwsError) as refusal:
            sqs("CreateQueue", QueueName="q", Attributes={"RedrivePolicy": json.dumps(redrive)})
        said.add(refusal.value.message.replace(name, ""))
    assert len(said) == 1
