"""Sending messages, one or up to ten at once."""

from typing import Any

from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.queues import batch, message, store_messages
from modelyard.queues.errors import invalid_value, missing, sqs_error
from modelyard.queues.permissions import Request, on_queue, queue_of
from modelyard.queues.queue import Queue

operation = operations_of("sqs")

DEDUPLICATION_SECONDS = 300.0
LARGEST_BATCH = 1_048_576
"""Bytes of all messages of a batch together."""
WRONG_KIND = "The request include parameter that is not valid for this queue type"


def topic(queue: Queue) -> tuple[str, int]:
    """What those who wait for messages of the queue listen to."""
    return ("sqs", queue.id)


@operation("SendMessage", mode=Mode.WRITE, permissions=on_queue("SendMessage"), writes=False)
def send_message(context: Context, request: Request) -> Request:
    """Put a message into a queue; once this is answered it is on disk."""
    return _send(context, queue_of(context, request), request)


@operation("SendMessageBatch", mode=Mode.WRITE, permissions=on_queue("SendMessage"), writes=False)
def send_message_batch(context: Context, request: Request) -> Request:
    """Put up to ten messages into a queue, in their order; each succeeds or fails by itself."""
    queue, entries = queue_of(context, request), batch.checked(request["Entries"])
    total = sum(len(entry["MessageBody"].encode()) for entry in entries)
    if total > LARGEST_BATCH:
        raise sqs_error(
            "BatchRequestTooLong", f"Batch requests cannot be longer than {LARGEST_BATCH} bytes. You have sent {total} bytes."
        )
    return batch.each(entries, lambda entry: _send(context, queue, entry))


def _send(context: Context, queue: Queue, request: Request) -> dict[str, Any]:
    body, delay = request["MessageBody"], request.get("DelaySeconds")
    message.check_body(body)
    attributes = message.checked_attributes(request.get("MessageAttributes", {}))
    traced = message.checked_attributes(request.get("MessageSystemAttributes", {}))
    if message.size(body, attributes) > queue.number("MaximumMessageSize"):
        limit = queue.attributes["MaximumMessageSize"]
        raise sqs_error(
            "InvalidParameterValue", f"One or more parameters are invalid. Reason: Message must be shorter than {limit} bytes."
        )
    if delay is not None and not 0 <= delay <= 900:
        raise invalid_value(delay, "DelaySeconds", "DelaySeconds must be >= 0 and <= 900.")
    system = {"SenderId": context.principal.unique_id}
    if traced.keys() - {"AWSTraceHeader"}:
        raise sqs_error("InvalidParameterValue", "The message system attribute name is invalid: only AWSTraceHeader can be set.")
    if traced:
        system["AWSTraceHeader"] = traced["AWSTraceHeader"].get("StringValue", "")
    answer = {"MD5OfMessageBody": message.body_digest(body)}
    if attributes:
        answer["MD5OfMessageAttributes"] = message.attributes_digest(attributes)
    if traced:
        answer["MD5OfMessageSystemAttributes"] = message.attributes_digest(traced)
    if queue.is_fifo:
        return answer | _add_in_order(context, queue, request, attributes, system)
    if "MessageDeduplicationId" in request:
        raise invalid_value(request["MessageDeduplicationId"][:128], "MessageDeduplicationId", WRONG_KIND)
    if "MessageGroupId" in request:
        message.check_identifier(request["MessageGroupId"], "MessageGroupId")
        system["MessageGroupId"] = request["MessageGroupId"]
    return answer | _add(context, queue, body, attributes, system, None, delay)


def _add(
    context: Context,
    queue: Queue,
    body: str,
    attributes: message.Attributes,
    system: dict[str, str],
    group_id: str | None,
    delay: int | None,
) -> dict[str, Any]:
    """Keep the message and wake who waits for it."""
    delay = queue.number("DelaySeconds") if delay is None else delay
    message_id = context.ids.request_id()
    number = store_messages.add(
        context.tx,
        queue,
        message_id=message_id,
        body=body,
        attributes=attributes,
        system=system,
        group_id=group_id,
        now=context.now,
        visible_at=context.now + delay,
    )
    if delay == 0:
        context.tell(topic(queue))
    return {"MessageId": message_id} if group_id is None else {"MessageId": message_id, "SequenceNumber": sequence(number)}


def sequence(number: int) -> str:
    """The SequenceNumber of a message."""
    return f"{number:020d}"


def _add_in_order(
    context: Context, queue: Queue, request: Request, attributes: message.Attributes, system: dict[str, str]
) -> dict[str, Any]:
    """Keep a message of a FIFO queue, unless the same was sent in the last five minutes: then answer as for that one."""
    if "MessageGroupId" not in request:
        raise missing("MessageGroupId")
    group_id, body = request["MessageGroupId"], request["MessageBody"]
    message.check_identifier(group_id, "MessageGroupId")
    if request.get("DelaySeconds"):
        raise invalid_value(request["DelaySeconds"], "DelaySeconds", WRONG_KIND)
    deduplication_id = _deduplication_id(queue, request)
    scope = group_id if queue.attributes["DeduplicationScope"] == "messageGroup" else ""
    since = context.now - DEDUPLICATION_SECONDS
    twin = store_messages.earlier_twin(context.tx, queue, scope, deduplication_id, since)
    if twin is not None:
        return {"MessageId": twin[0], "SequenceNumber": sequence(twin[1])}
    system |= {"MessageGroupId": group_id, "MessageDeduplicationId": deduplication_id}
    added = _add(context, queue, body, attributes, system, group_id, None)
    store_messages.remember_twin(
        context.tx,
        queue,
        scope,
        deduplication_id,
        message_id=added["MessageId"],
        sequence=int(added["SequenceNumber"]),
        now=context.now,
    )
    return added


def _deduplication_id(queue: Queue, request: Request) -> str:
    given = request.get("MessageDeduplicationId")
    if given is not None:
        message.check_identifier(given, "MessageDeduplicationId")
        return str(given)
    if queue.attributes["ContentBasedDeduplication"] != "true":
        raise sqs_error(
            "InvalidParameterValue",
            "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly",
        )
    return message.content_digest(request["MessageBody"])
