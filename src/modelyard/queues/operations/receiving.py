"""Receiving messages, and what is done with those that were received."""

from collections.abc import Sequence
from typing import Any

from modelyard.aws.errors import ValidationException
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.dispatch.waiting import NothingYet
from modelyard.queues import batch, message, store, store_messages
from modelyard.queues.errors import invalid_value, sqs_error, unknown_attribute
from modelyard.queues.message import Message
from modelyard.queues.operations.sending import sequence, topic
from modelyard.queues.permissions import Request, on_queue, queue_of
from modelyard.queues.queue import Queue, at_arn

operation = operations_of("sqs")

MOST_AT_ONCE = 10
LONGEST_WAIT = 20
LONGEST_TIMEOUT = 43_200
MOST_IN_FLIGHT = 120_000
ROUNDS = 10
"""How often a receive looks again after it moved messages to the dead-letter queue; the rest of them move with the next one."""
SYSTEM = frozenset(
    {
        "All",
        "SenderId",
        "SentTimestamp",
        "ApproximateReceiveCount",
        "ApproximateFirstReceiveTimestamp",
        "SequenceNumber",
        "MessageDeduplicationId",
        "MessageGroupId",
        "AWSTraceHeader",
        "DeadLetterQueueSourceArn",
    }
)


@operation("ReceiveMessage", mode=Mode.WRITE, permissions=on_queue("ReceiveMessage"), writes=False)
def receive_message(context: Context, request: Request) -> Request | NothingYet:
    """Take up to ten messages, which nobody else gets until their visibility time-out ends; wait for one when there is none."""
    queue = queue_of(context, request)
    most, wait = request.get("MaxNumberOfMessages", 1), request.get("WaitTimeSeconds")
    if not 1 <= most <= MOST_AT_ONCE:
        raise invalid_value(most, "MaxNumberOfMessages", "Must be between 1 and 10, if provided.")
    if wait is not None and not 0 <= wait <= LONGEST_WAIT:
        raise invalid_value(wait, "WaitTimeSeconds", "Must be >= 0 and <= 20, if provided.")
    timeout = _timeout(request.get("VisibilityTimeout", queue.number("VisibilityTimeout")))
    system = [*request.get("AttributeNames", []), *request.get("MessageSystemAttributeNames", [])]
    for name in system:
        if name not in SYSTEM:
            raise unknown_attribute(name)
    heard = context.heard(topic(queue))
    taken = _take(context, queue, most, timeout)
    if taken:
        named = request.get("MessageAttributeNames", [])
        return {"Messages": [_shown(context, queue, one, system, named) for one in taken]}
    wait = queue.number("ReceiveMessageWaitTimeSeconds") if wait is None else wait
    if wait == 0:
        return {}
    return NothingYet({}, topic(queue), heard, wait, store_messages.next_visible(context.tx, queue, context.now))


def _timeout(seconds: int) -> int:
    if not 0 <= seconds <= LONGEST_TIMEOUT:
        raise invalid_value(seconds, "VisibilityTimeout", "Must be between 0 and 43200, if provided.")
    return seconds


def _take(context: Context, queue: Queue, most: int, timeout: int) -> Sequence[Message]:
    """The next messages, in flight from now on; those that were received too often go to the dead-letter queue instead."""
    if store_messages.has_in_flight(context.tx, queue, context.now, MOST_IN_FLIGHT):
        if queue.is_fifo:
            return ()
        raise sqs_error("OverLimit", f"The maximum number of in flight messages is reached: {MOST_IN_FLIGHT}.")
    for _ in range(ROUNDS):
        found = store_messages.receivable(context.tx, queue, context.now, most)
        if not _bury(context, queue, found):
            store_messages.take(context.tx, found, context.now, context.now + timeout)
            return found
    return ()


def _bury(context: Context, queue: Queue, found: Sequence[Message]) -> bool:
    """Move those that were received too often to the dead-letter queue, while there is one; whether any was."""
    redrive = queue.redrive
    if redrive is None:
        return False
    spent = [one for one in found if one.received - one.received_before >= redrive.most_receives]
    target = at_arn(redrive.target)
    grave = store.queue(context.tx, target) if spent and target is not None else None
    if grave is None:
        return False
    store_messages.move(context.tx, spent, grave, queue.at.arn, context.now)
    context.tell(topic(grave), len(spent))
    return True


def _shown(context: Context, queue: Queue, one: Message, system: Sequence[str], named: list[str]) -> dict[str, Any]:
    """A message as its receiver sees it."""
    received = one.received + 1
    shown: dict[str, Any] = {
        "MessageId": one.message_id,
        "ReceiptHandle": context.tokens.seal({"queue": queue.id}, [one.id, received]),
        "MD5OfBody": message.body_digest(one.body),
        "Body": one.body,
    }
    facts = {
        **one.system,
        "SentTimestamp": _milliseconds(one.sent),
        "ApproximateReceiveCount": str(received),
        "ApproximateFirstReceiveTimestamp": _milliseconds(context.now if one.first_received is None else one.first_received),
    }
    if one.group_id is not None:
        facts["SequenceNumber"] = sequence(one.id)
    chosen = facts if "All" in system else {name: value for name, value in facts.items() if name in system}
    attributes = message.selected(one.attributes, named)
    if chosen:
        shown["Attributes"] = chosen
    if attributes:
        shown["MessageAttributes"] = attributes
        shown["MD5OfMessageAttributes"] = message.attributes_digest(attributes)
    return shown


def _milliseconds(seconds: float) -> str:
    return str(round(seconds * 1000))


def _receipt(context: Context, queue: Queue, handle: str) -> tuple[int, int]:
    """The number of the message that a handle is for, and its how manieth receive. Raises ReceiptHandleIsInvalid."""
    try:
        number, received = context.tokens.open(handle, {"queue": queue.id})
    except ValidationException:
        raise sqs_error(
            "ReceiptHandleIsInvalid", f'The input receipt handle "{handle[:256]}" is not a valid receipt handle.'
        ) from None
    return number, received


def _delete(context: Context, queue: Queue, handle: str) -> None:
    """Remove a message. A handle of an earlier receive removes nothing, and says so for FIFO queues only, as on AWS."""
    number, received = _receipt(context, queue, handle)
    if queue.is_fifo:
        held = store_messages.held(context.tx, queue, number)
        if held is not None and (held.received != received or held.visible_at <= context.now):
            raise invalid_value(handle[:256], "ReceiptHandle", "The receipt handle has expired.")
    if store_messages.delete(context.tx, queue, number, received) and queue.is_fifo:
        # The next one of its group may be received.
        context.tell(topic(queue))


@operation("DeleteMessage", mode=Mode.WRITE, permissions=on_queue("DeleteMessage"), writes=False)
def delete_message(context: Context, request: Request) -> None:
    """Remove a message that was received; harmless when it is gone."""
    _delete(context, queue_of(context, request), request["ReceiptHandle"])


@operation("DeleteMessageBatch", mode=Mode.WRITE, permissions=on_queue("DeleteMessage"), writes=False)
def delete_message_batch(context: Context, request: Request) -> Request:
    """Remove up to ten messages; each succeeds or fails by itself."""
    queue = queue_of(context, request)
    return batch.each(batch.checked(request["Entries"]), lambda entry: _delete(context, queue, entry["ReceiptHandle"]))


def _change(context: Context, queue: Queue, handle: str, timeout: int) -> None:
    number, received = _receipt(context, queue, handle)
    held = store_messages.held(context.tx, queue, number)
    if held is None or held.received != received:
        reason = "Message does not exist or is not available for visibility timeout change."
        raise invalid_value(handle[:256], "ReceiptHandle", reason)
    if held.visible_at <= context.now:
        raise sqs_error("MessageNotInflight", "The message referred to is not in flight.")
    store_messages.set_visible_at(context.tx, number, context.now + timeout)
    context.tell(topic(queue))


@operation("ChangeMessageVisibility", mode=Mode.WRITE, permissions=on_queue("ChangeMessageVisibility"), writes=False)
def change_message_visibility(context: Context, request: Request) -> None:
    """Give a receiver more time, or its message back to the others."""
    timeout = _timeout(request["VisibilityTimeout"])
    _change(context, queue_of(context, request), request["ReceiptHandle"], timeout)


@operation("ChangeMessageVisibilityBatch", mode=Mode.WRITE, permissions=on_queue("ChangeMessageVisibility"), writes=False)
def change_message_visibility_batch(context: Context, request: Request) -> Request:
    """The same for up to ten messages; each succeeds or fails by itself."""
    queue = queue_of(context, request)

    def change(entry: Request) -> None:
        _change(context, queue, entry["ReceiptHandle"], _timeout(entry.get("VisibilityTimeout", 0)))

    return batch.each(batch.checked(request["Entries"]), change)
