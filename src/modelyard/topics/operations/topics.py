"""Topics and who is subscribed to them: CreateTopic, Subscribe, DeleteTopic."""

from collections.abc import Iterable, Mapping
from typing import Any

from modelyard.access.permission import Permission, Resource
from modelyard.access.policy import MalformedPolicy, PolicyKind, parse_policy
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.dispatch.tags import forget_tags, from_list, put_tags
from modelyard.topics import store
from modelyard.topics.errors import invalid, too_many
from modelyard.topics.permissions import Request, on_topic, topic_at, topic_of
from modelyard.topics.topic import QUEUE, RAW, SETTABLE, Subscription, TopicName, is_name

operation = operations_of("sns")

MOST_TOPICS = 1000
"""Of an account in a region."""
MOST_SUBSCRIPTIONS = 100
"""Of a topic: whoever writes waits while a message goes into all their queues."""


def _creation(context: Context, request: Request) -> Iterable[Permission]:
    tags = from_list(request.get("Tags", []))
    conditions: dict[str, str | tuple[str, ...]] = {f"aws:RequestTag/{key}": value for key, value in tags.items()}
    if tags:
        conditions["aws:TagKeys"] = tuple(tags)
    at = _named(context, request)
    yield Permission("sns:CreateTopic", Resource(at.arn, at.account), conditions)


def _named(context: Context, request: Request) -> TopicName:
    if not is_name(request["Name"]):
        raise invalid("Topic Name", "it must have 1 to 256 letters, digits, hyphens and underscores; FIFO topics are not here")
    return TopicName(context.account, context.region, request["Name"])


@operation("CreateTopic", mode=Mode.WRITE, permissions=_creation)
def create_topic(context: Context, request: Request) -> Request:
    """Make a topic; one that is there already, and was made the same, is answered with."""
    at, attributes = _named(context, request), request.get("Attributes", {})
    _check(attributes)
    if "DataProtectionPolicy" in request:
        raise invalid("DataProtectionPolicy", "this server protects no data of messages")
    found = store.topic(context.tx, at)
    if found is None:
        if store.count(context.tx, at.account, at.region) >= MOST_TOPICS:
            raise too_many("Topic", f"An account has at most {MOST_TOPICS} topics in a region on this server")
        store.add(context.tx, at, attributes)
        put_tags(context.tx, at.arn, from_list(request.get("Tags", [])))
    elif any(found.attributes.get(name) != value for name, value in attributes.items()):
        raise invalid("Attributes", "Topic already exists with different attributes")
    return {"TopicArn": at.arn}


def _check(attributes: Mapping[str, Any]) -> None:
    for name, value in attributes.items():
        if name not in SETTABLE:
            raise invalid("AttributeName", f"topics have no {name} on this server")
        if len(value.encode()) > SETTABLE[name]:
            raise invalid(name, f"it may have {SETTABLE[name]} bytes")
    if "Policy" in attributes:
        try:
            parse_policy(attributes["Policy"], PolicyKind.RESOURCE)
        except MalformedPolicy as error:
            raise invalid("Policy", str(error)) from None


@operation("DeleteTopic", mode=Mode.WRITE, permissions=on_topic("DeleteTopic", owners=True))
def delete_topic(context: Context, request: Request) -> None:
    """Remove a topic and its subscriptions; one that is not there is no error."""
    at = topic_at(request["TopicArn"])
    found = store.topic(context.tx, at) if at.region == context.region else None
    if found is not None:
        store.remove(context.tx, found)
        forget_tags(context.tx, at.arn)


@operation("Subscribe", mode=Mode.WRITE, permissions=on_topic("Subscribe"))
def subscribe(context: Context, request: Request) -> Request:
    """Have a queue of the caller's account get what is published; nobody has to confirm that."""
    found = topic_of(context, topic_at(request["TopicArn"]))
    endpoint, attributes = request.get("Endpoint", ""), request.get("Attributes", {})
    if request["Protocol"] != QUEUE:
        raise invalid("Protocol", f"this server delivers to {QUEUE} alone, not to {request['Protocol'][:64]}")
    _check_queue(context, endpoint)
    for name in attributes:
        if name != RAW:
            raise invalid("Attributes", f"subscriptions have no {name[:64]} on this server")
    raw = attributes.get(RAW, "false").lower()
    if raw not in ("true", "false"):
        raise invalid("Attributes", f"{RAW} must be true or false")
    wanted = Subscription(f"{found.at.arn}:{context.ids.request_id()}", endpoint, raw == "true")
    subscriptions = store.subscriptions(context.tx, found)
    there = next((one for one in subscriptions if one.endpoint == endpoint), None)
    if there is None:
        if len(subscriptions) >= MOST_SUBSCRIPTIONS:
            raise too_many("Subscription", f"A topic has at most {MOST_SUBSCRIPTIONS} subscriptions on this server")
        store.subscribe(context.tx, found, wanted)
        there = wanted
    elif there.raw is not wanted.raw and RAW in attributes:
        raise invalid("Attributes", "Subscription already exists with different attributes")
    return {"SubscriptionArn": there.arn}


def _check_queue(context: Context, endpoint: str) -> None:
    pieces = endpoint.split(":")
    if len(pieces) != 6 or pieces[:3] != ["arn", "aws", "sqs"]:
        raise invalid("SQS endpoint ARN", f"{endpoint[:256]} is no ARN of a queue")
    if pieces[4] != context.account:
        raise invalid("SQS endpoint ARN", "a queue is subscribed by its own account: there is no way to confirm it otherwise")
    if endpoint.endswith(".fifo"):
        raise invalid("Endpoint", "FIFO queues cannot be subscribed to standard topics")
