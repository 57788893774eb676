"""Publish. A message is in the queues of all subscribers in the transaction that takes it: acknowledged, it is there."""

import logging
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from modelyard.access.permission import Permission
from modelyard.access.principal import Principal, PrincipalKind
from modelyard.aws.errors import AwsError
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.topics import store
from modelyard.topics.errors import invalid
from modelyard.topics.permissions import SERVICE, Request, resource, topic_at, topic_of
from modelyard.topics.topic import LARGEST_MESSAGE, Subscription, Topic, TopicName, for_queues, notification, size

operation = operations_of("sns")

LONGEST_SUBJECT = 100
MOST_ATTRIBUTES = 10
"""That fit into a message of SQS."""

log = logging.getLogger("modelyard.topics")


def _at(request: Request) -> TopicName:
    for member in ("PhoneNumber", "MessageGroupId", "MessageDeduplicationId"):
        if member in request:
            raise invalid(member, "this server publishes to standard topics alone")
    given = [request[member] for member in ("TopicArn", "TargetArn") if member in request]
    if len(given) != 1:
        raise invalid("TopicArn or TargetArn", "exactly one of them must be given")
    return topic_at(given[0])


def _publishing(context: Context, request: Request) -> Iterable[Permission]:
    yield Permission("sns:Publish", resource(context, _at(request)))


@operation("Publish", mode=Mode.WRITE, permissions=_publishing, writes=False)
def publish(context: Context, request: Request) -> Request:
    """Send a message to all who are subscribed; once this is answered it is in their queues."""
    found = topic_of(context, _at(request))
    message = _checked(request)
    message_id = context.ids.request_id()
    for subscription in store.subscriptions(context.tx, found):
        _deliver(context, found, subscription, message_id, message, request)
    return {"MessageId": message_id}


def _checked(request: Request) -> str:
    """The message for queues. Raises InvalidParameter."""
    attributes, structure = request.get("MessageAttributes", {}), request.get("MessageStructure")
    if not request["Message"]:
        raise invalid("Message", "Empty message")
    if size(request["Message"], attributes) > LARGEST_MESSAGE:
        raise invalid("Message", f"Message too long: it may have {LARGEST_MESSAGE} bytes")
    subject = request.get("Subject")
    if subject is not None and not (subject.isascii() and subject.isprintable() and 0 < len(subject) <= LONGEST_SUBJECT):
        raise invalid("Subject", f"it must have 1 to {LONGEST_SUBJECT} printable ASCII characters")
    if structure not in (None, "json"):
        raise invalid("MessageStructure", "it must be json, where it is given")
    message = for_queues(request["Message"], structure)
    if message is None:
        raise invalid("Message Structure", "No default entry in JSON message body")
    return message


def _deliver(context: Context, found: Topic, subscription: Subscription, message_id: str, message: str, request: Request) -> None:
    """Send to one queue, under its policy; a queue that is gone or refuses loses the message, as on AWS."""
    _, _, _, region, account, name = subscription.endpoint.split(":")
    attributes = request.get("MessageAttributes", {})
    sent: dict[str, Any] = {"QueueUrl": f"https://sqs.{region}.amazonaws.com/{account}/{name}"}
    if subscription.raw:
        sent["MessageBody"] = message
        if attributes and len(attributes) <= MOST_ATTRIBUTES:
            sent["MessageAttributes"] = attributes
    else:
        sent["MessageBody"] = notification(found.at, message_id, message, request, context.now)
    facts = replace(context.facts, region=region, user_agent=SERVICE, source_arn=found.at.arn, source_account=found.at.account)
    service = Principal(arn=SERVICE, account="", kind=PrincipalKind.SERVICE, unique_id=SERVICE, name=SERVICE)
    try:
        replace(context, facts=facts).call("sqs", "SendMessage", sent, principal=service)
    except AwsError as error:
        log.warning("a message of %s is lost, %s does not take it: %s", found.at.arn, subscription.endpoint, error.message)
