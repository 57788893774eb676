"""Topics: made once, subscribed to by queues that let them in, and each message in every one of those."""

import json
from typing import Any

import pytest
from tests.contract.queues.conftest import refused
from tests.contract.topics.conftest import Call
from tests.harness import ACCOUNT, OTHER_ACCOUNT, user

from modelyard.topics.operations import topics

INVALID, MISSING, DENIED = "InvalidParameter", "NotFound", "AccessDeniedException"


def policy(arn: str, **condition: Any) -> str:
    """A queue's policy that lets SNS in."""
    principal = {"Service": "sns.amazonaws.com"}
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sqs:SendMessage", "Resource": arn, **condition}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def queue(sqs: Call, region: str, name: str, lets: bool = True, **condition: Any) -> tuple[str, str]:
    """URL and ARN of a queue."""
    arn = f"arn:aws:sqs:{region}:{ACCOUNT}:{name}"
    attributes = {"Policy": policy(arn, **condition)} if lets else {}
    return sqs("CreateQueue", QueueName=name, Attributes=attributes)["QueueUrl"], arn


def received(sqs: Call, url: str) -> list[dict[str, Any]]:
    """The messages of a queue."""
    more = {"MaxNumberOfMessages": 10, "MessageAttributeNames": ["All"]}
    return list(sqs("ReceiveMessage", QueueUrl=url, **more).get("Messages", []))


@pytest.mark.documented
def test_a_message_goes_to_every_queue_that_lets_it_in(sns: Call, sqs: Call, region: str) -> None:
    """With its envelope or raw; a queue whose policy does not allow the topic gets nothing, and holds up no other."""
    topic = sns("CreateTopic", Name="results")["TopicArn"]
    assert topic == f"arn:aws:sns:{region}:{ACCOUNT}:results"
    source = {"Condition": {"ArnEquals": {"aws:SourceArn": topic}}}
    shut, _ = queue(sqs, region, "shut", lets=False)
    wrapped, raw = queue(sqs, region, "wrapped", **source), queue(sqs, region, "raw")
    other = queue(sqs, region, "other", Condition={"ArnEquals": {"aws:SourceArn": f"{topic}-of-another"}})
    for arn, attributes in (
        (f"arn:aws:sqs:{region}:{ACCOUNT}:shut", {}),
        (f"arn:aws:sqs:{region}:{ACCOUNT}:gone", {}),
        (other[1], {}),
        (wrapped[1], {}),
        (raw[1], {"RawMessageDelivery": "true"}),
    ):
        made = sns("Subscribe", TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=attributes)
        assert made["SubscriptionArn"].startswith(f"{topic}:")
    attribute = {"team": {"DataType": "String", "StringValue": "fraud"}}
    sent = sns("Publish", TopicArn=topic, Message="done", Subject="news", MessageAttributes=attribute)["MessageId"]
    [told] = received(sqs, wrapped[0])
    shown = json.loads(told["Body"])
    assert shown.pop("Timestamp").endswith("Z")
    assert shown == {
        "Type": "Notification",
        "MessageId": sent,
        "TopicArn": topic,
        "Subject": "news",
        "Message": "done",
        "MessageAttributes": {"team": {"Type": "String", "Value": "fraud"}},
    }
    [plain] = received(sqs, raw[0])
    assert (plain["Body"], plain["MessageAttributes"]["team"]["StringValue"]) == ("done", "fraud")
    assert received(sqs, shut) == received(sqs, other[0]) == []


@pytest.mark.documented
def test_messages_may_differ_by_protocol(sns: Call, sqs: Call, region: str) -> None:
    """With MessageStructure json queues get what is for them, or the default, which has to be there."""
    topic = sns("CreateTopic", Name="results")["TopicArn"]
    url, arn = queue(sqs, region, "q")
    sns("Subscribe", TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    for message in ({"default": "a", "sqs": "b"}, {"default": "c", "email": "d"}):
        sns("Publish", TargetArn=topic, Message=json.dumps(message), MessageStructure="json")
    assert sorted(one["Body"] for one in received(sqs, url)) == ["b", "c"]
    for wrong in ("no json", "[]", '{"sqs": "b"}'):
        with refused(INVALID, "No default entry in JSON message body"):
            sns("Publish", TopicArn=topic, Message=wrong, MessageStructure="json")


@pytest.mark.documented
def test_topics_and_subscriptions_are_made_once(sns: Call, sqs: Call, region: str) -> None:
    """The same again is answered the same; another is refused. Deleted, which may be done twice, a topic takes nothing."""
    topic = sns("CreateTopic", Name="t", Attributes={"DisplayName": "a"}, Tags=[{"Key": "k", "Value": "v"}])["TopicArn"]
    assert sns("CreateTopic", Name="t")["TopicArn"] == topic
    with refused(INVALID, "Topic already exists with different attributes"):
        sns("CreateTopic", Name="t", Attributes={"DisplayName": "b"})
    url, arn = queue(sqs, region, "q")
    asked = {"TopicArn": topic, "Protocol": "sqs", "Endpoint": arn}
    first = sns("Subscribe", **asked)["SubscriptionArn"]
    assert sns("Subscribe", **asked)["SubscriptionArn"] == first
    with refused(INVALID, "Subscription already exists with different attributes"):
        sns("Subscribe", **asked, Attributes={"RawMessageDelivery": "true"})
    sns("Publish", TopicArn=topic, Message="once")
    assert len(received(sqs, url)) == 1
    sns("DeleteTopic", TopicArn=topic)
    sns("DeleteTopic", TopicArn=topic)
    for operation, more in (("Publish", {"Message": "m"}), ("Subscribe", {"Protocol": "sqs", "Endpoint": arn})):
        with refused(MISSING, "^Topic does not exist$"):
            sns(operation, TopicArn=topic, **more)


@pytest.mark.ours
def test_what_is_refused(sns: Call, region: str) -> None:
    """Names, ARNs and attributes that are none, other protocols, queues of others, empty and long messages."""
    topic = sns("CreateTopic", Name="t")["TopicArn"]
    here, there = f"arn:aws:sqs:{region}:{ACCOUNT}:q", f"arn:aws:sqs:{region}:{OTHER_ACCOUNT}:q"
    cases: tuple[tuple[str, dict[str, Any], str], ...] = (
        ("CreateTopic", {"Name": "a.fifo"}, "FIFO topics are not here"),
        ("CreateTopic", {"Name": "a", "Attributes": {"KmsMasterKeyId": "k"}}, "topics have no KmsMasterKeyId"),
        ("CreateTopic", {"Name": "a", "Attributes": {"Policy": "{}"}}, "Policy"),
        ("CreateTopic", {"Name": "a", "Attributes": {"Policy": policy("*") + " " * 30_720}}, "Policy .* 30720 bytes"),
        ("CreateTopic", {"Name": "a", "Attributes": {"DisplayName": "é" * 51}}, "DisplayName .* 100 bytes"),
        ("CreateTopic", {"Name": "a", "DataProtectionPolicy": "{}"}, "DataProtectionPolicy"),
        ("DeleteTopic", {"TopicArn": "arn:aws:s3:::b"}, "is no ARN of a topic"),
        ("Subscribe", {"TopicArn": topic, "Protocol": "https", "Endpoint": "https://a"}, "delivers to sqs alone, not to https"),
        ("Subscribe", {"TopicArn": topic, "Protocol": "sqs", "Endpoint": "q"}, "is no ARN of a queue"),
        ("Subscribe", {"TopicArn": topic, "Protocol": "sqs"}, "is no ARN of a queue"),
        ("Subscribe", {"TopicArn": topic, "Protocol": "sqs", "Endpoint": there}, "subscribed by its own account"),
        ("Subscribe", {"TopicArn": topic, "Protocol": "sqs", "Endpoint": f"{here}.fifo"}, "FIFO queues cannot be"),
        (
            "Subscribe",
            {"TopicArn": topic, "Protocol": "sqs", "Endpoint": here, "Attributes": {"FilterPolicy": "{}"}},
            "subscriptions have no FilterPolicy",
        ),
        ("Publish", {"TopicArn": topic, "Message": ""}, "Empty message"),
        ("Publish", {"TopicArn": topic, "Message": "x" * 262_145}, "Message too long"),
        ("Publish", {"TopicArn": topic, "Message": "m", "Subject": "a\nb"}, "Subject"),
        ("Publish", {"TopicArn": topic, "Message": "m", "MessageStructure": "xml"}, "MessageStructure"),
        ("Publish", {"Message": "m"}, "exactly one of them"),
        ("Publish", {"PhoneNumber": "+123", "Message": "m"}, "standard topics alone"),
    )
    for operation, request, words in cases:
        with refused(INVALID, words):
            sns(operation, **request)


@pytest.mark.ours
def test_there_are_only_so_many_topics_and_subscriptions(
    sns: Call, sqs: Call, region: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message goes to at most a hundred queues, and an account has so many topics; what is there is no more of them."""
    topic = sns("CreateTopic", Name="t")["TopicArn"]

    def subscribe(number: int) -> str:
        endpoint = f"arn:aws:sqs:{region}:{ACCOUNT}:q{number}"
        return str(sns("Subscribe", TopicArn=topic, Protocol="sqs", Endpoint=endpoint)["SubscriptionArn"])

    made = [subscribe(number) for number in range(topics.MOST_SUBSCRIPTIONS)]
    with refused("SubscriptionLimitExceeded", "at most 100 subscriptions"):
        subscribe(100)
    assert subscribe(0) == made[0]
    monkeypatch.setattr(topics, "MOST_TOPICS", 2)
    sns("CreateTopic", Name="second")
    with refused("TopicLimitExceeded", "at most 2 topics"):
        sns("CreateTopic", Name="third")
    assert sns("CreateTopic", Name="t")["TopicArn"] == topic
    sns("DeleteTopic", TopicArn=topic)
    sns("CreateTopic", Name="third")


@pytest.mark.documented
def test_a_topics_policy_decides_about_other_accounts(sns: Call, sqs: Call, region: str) -> None:
    """Whoever it names may publish, and none of another account may delete the topic."""
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": OTHER_ACCOUNT},
        "Action": ["sns:Publish", "sns:DeleteTopic"],
        "Resource": "*",
    }
    shared = {"Policy": json.dumps({"Version": "2012-10-17", "Statement": [statement]})}
    open_, shut = sns("CreateTopic", Name="open", Attributes=shared)["TopicArn"], sns("CreateTopic", Name="shut")["TopicArn"]
    url, arn = queue(sqs, region, "q")
    sns("Subscribe", TopicArn=open_, Protocol="sqs", Endpoint=arn)
    sns("Publish", by=user(OTHER_ACCOUNT), TopicArn=open_, Message="hello")
    assert json.loads(received(sqs, url)[0]["Body"])["Message"] == "hello"
    for operation, topic, more in (("Publish", shut, {"Message": "m"}), ("DeleteTopic", open_, {})):
        with refused(DENIED, f"sns:{operation}"):
            sns(operation, by=user(OTHER_ACCOUNT), TopicArn=topic, **more)
