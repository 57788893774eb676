"""What SNS's operations ask for: an action on a topic, under the topic's own policy and tags."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from modelyard.access.permission import Permission, Resource
from modelyard.aws.arns import Arn
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Permissions
from modelyard.dispatch.resources import ANY_TYPE, finds
from modelyard.dispatch.tags import TagsOnDemand
from modelyard.topics import store
from modelyard.topics.errors import invalid, not_found
from modelyard.topics.topic import Topic, TopicName, at_arn

Request = dict[str, Any]
SERVICE = "sns.amazonaws.com"
"""As what messages are sent to queues."""


def topic_at(text: str, parameter: str = "TopicArn") -> TopicName:
    """The topic of an ARN. Raises InvalidParameter for what is no topic's."""
    at = at_arn(text)
    if at is None:
        raise invalid(parameter, f"{text[:256]} is no ARN of a topic")
    return at


def topic_of(context: Context, at: TopicName) -> Topic:
    """The topic that a request names, in the region that it came to. Raises NotFound."""
    found = store.topic(context.tx, at) if at.region == context.region else None
    if found is None:
        raise not_found()
    return found


def resource(context: Context, at: TopicName) -> Resource:
    """A topic as policies see it, whether it is there or not."""
    found = store.topic(context.tx, at)
    return Resource(at.arn, at.account, TagsOnDemand(context.tx, at.arn), None if found is None else found.policy)


def on_topic(action: str, *, owners: bool = False) -> Permissions:
    """One action on the topic whose ARN the request has; `owners` for what no topic's policy allows to another account."""

    def permissions(context: Context, request: Request) -> Iterable[Permission]:
        found = resource(context, topic_at(request["TopicArn"]))
        if owners and found.account != context.account:
            found = replace(found, policy=None)
        yield Permission(f"sns:{action}", found)

    return permissions


@finds("sns", ANY_TYPE)
def find_topic(context: Context, arn: Arn) -> Resource | None:
    """A topic by its ARN, for those who ask what may be done with it."""
    at = at_arn(str(arn))
    return None if at is None or store.topic(context.tx, at) is None else resource(context, at)
