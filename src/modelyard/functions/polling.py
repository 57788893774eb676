"""Reads queues for functions: as the function's role, in batches, each message away from the queue once it is worked off.

Several servers may read the same queue: a message that one has is not seen by the others until its visibility time-out.
"""

import base64
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson

from modelyard.aws.errors import AwsError
from modelyard.dispatch.context import Context
from modelyard.dispatch.dispatcher import Dispatcher
from modelyard.functions import store, store_mappings
from modelyard.functions.acting import context_of
from modelyard.functions.environments import Environments
from modelyard.functions.function import Version
from modelyard.functions.invocation import Invocation, Outcome
from modelyard.functions.store_mappings import SourceMapping

IDLE_SECONDS = 1.0
"""After this long a queue that was empty is looked at again."""
REFUSED_SECONDS = 10.0
THREADS = 2

log = logging.getLogger("modelyard.functions")


class Polling:
    """The engine that reads queues (`dispatch.engines`)."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        self._environments = Environments.of(dispatcher)
        self._lock = threading.Lock()
        self._busy: set[int] = set()
        self._later: dict[int, float] = {}
        """When a mapping's queue is worth a look again, on the monotonic clock."""
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="function-queues")
        self._closed = False

    @classmethod
    def of(cls, dispatcher: Dispatcher) -> "Polling":
        """That of a server."""
        return dispatcher.engines.get(cls, lambda: cls(dispatcher))

    def turn(self) -> None:
        """Look at the queues that nobody here is at."""
        with self._dispatcher.storage.read() as tx:
            mappings = store_mappings.enabled(tx)
        now = time.monotonic()
        with self._lock:
            ready = [each for each in mappings if each.id not in self._busy and self._later.get(each.id, 0.0) <= now]
            self._busy.update(each.id for each in ready)
            self._later = {each.id: self._later.get(each.id, 0.0) for each in mappings}
        for mapping in ready:
            self._threads.submit(self._read, mapping)

    def close(self) -> None:
        """Read nothing more; messages that are being worked off come again."""
        self._closed = True
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _free(self, mapping: SourceMapping, seconds: float) -> None:
        with self._lock:
            self._busy.discard(mapping.id)
            self._later[mapping.id] = time.monotonic() + seconds

    def _read(self, mapping: SourceMapping) -> None:
        """Take a batch and invoke the function with it."""
        try:
            with self._dispatcher.storage.read() as tx:
                version = store.version_of(tx, mapping.function_id, mapping.qualifier)
            if version is None or self._environments.room <= 0:
                self._free(mapping, IDLE_SECONDS)
                return
            messages = self._receive(context_of(self._dispatcher, version), mapping)
            if not messages:
                self._free(mapping, IDLE_SECONDS)
                return
            self._invoke(mapping, version, messages)
        except AwsError as error:
            log.warning("%s cannot read %s: %s", mapping.document["FunctionArn"], mapping.source, error.message)
            self._note(mapping, f"PROBLEM: {error.code}")
            self._free(mapping, REFUSED_SECONDS)
        except Exception:
            log.exception("%s could not be read; it is tried again", mapping.source)
            self._free(mapping, REFUSED_SECONDS)

    def _receive(self, context: Context, mapping: SourceMapping) -> list[dict[str, Any]]:
        request = {
            "QueueUrl": queue_url(mapping.source),
            "MaxNumberOfMessages": mapping.batch_size,
            "MessageSystemAttributeNames": ["All"],
            "MessageAttributeNames": ["All"],
            "WaitTimeSeconds": 0,
        }
        found: list[dict[str, Any]] = context.call("sqs", "ReceiveMessage", request).get("Messages", [])
        return found

    def _invoke(self, mapping: SourceMapping, version: Version, messages: list[dict[str, Any]]) -> None:
        records = [_record(mapping, message) for message in messages]
        payload = orjson.dumps({"Records": records})

        def done(outcome: Outcome) -> None:
            # On the runtime's thread.
            if not self._closed:
                self._threads.submit(self._settle, mapping, version, messages, outcome)

        request_id = self._dispatcher.ids.request_id()
        arn = mapping.document["FunctionArn"]
        self._environments.invoke(Invocation(request_id, version, arn, payload, done))

    def _settle(self, mapping: SourceMapping, version: Version, messages: list[dict[str, Any]], outcome: Outcome) -> None:
        """Delete what was worked off; what was not is seen again after its visibility time-out."""
        try:
            worked_off = _worked_off(mapping, messages, outcome)
            if worked_off:
                entries = [
                    {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]} for number, message in enumerate(worked_off)
                ]
                request = {"QueueUrl": queue_url(mapping.source), "Entries": entries}
                context_of(self._dispatcher, version).call("sqs", "DeleteMessageBatch", request)
            self._note(mapping, "OK" if len(worked_off) == len(messages) else "PROBLEM: Function call failed")
            self._free(mapping, IDLE_SECONDS if outcome.refused is not None else 0.0)
            if outcome.refused is None:
                self._again(mapping)
        except Exception:
            log.exception("messages of %s could not be deleted; they come again", mapping.source)
            self._free(mapping, REFUSED_SECONDS)

    def _again(self, mapping: SourceMapping) -> None:
        """Go on with the same queue at once, unless the mapping was changed."""
        with self._dispatcher.storage.read() as tx:
            present = store_mappings.by_uuid(tx, mapping.account, mapping.region, mapping.uuid)
        if present is None or not present.enabled or self._closed:
            return
        with self._lock:
            if mapping.id in self._busy:
                return
            self._busy.add(mapping.id)
        self._threads.submit(self._read, present)

    def _note(self, mapping: SourceMapping, result: str) -> None:
        """Keep what came of the last batch, when that is news."""
        if mapping.document.get("LastProcessingResult") == result:
            return

        def write(tx: Any) -> None:
            present = store_mappings.by_uuid(tx, mapping.account, mapping.region, mapping.uuid)
            if present is not None:
                document = present.document | {"LastProcessingResult": result}
                store_mappings.change(tx, present, document, enabled=present.enabled)

        self._dispatcher.storage.write(write)


def queue_url(arn: str) -> str:
    """Any URL of a queue: its host does not matter."""
    _, _, _, region, account, name = arn.split(":")
    return f"https://sqs.{region}.amazonaws.com/{account}/{name}"


def _record(mapping: SourceMapping, message: dict[str, Any]) -> dict[str, Any]:
    """A message as a function gets it."""
    attributes = {
        name: {
            **({"stringValue": value["StringValue"]} if "StringValue" in value else {}),
            **({"binaryValue": _text(value["BinaryValue"])} if "BinaryValue" in value else {}),
            "stringListValues": [],
            "binaryListValues": [],
            "dataType": value["DataType"],
        }
        for name, value in message.get("MessageAttributes", {}).items()
    }
    record = {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message.get("Attributes", {}),
        "messageAttributes": attributes,
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": mapping.source,
        "awsRegion": mapping.region,
    }
    if "MD5OfMessageAttributes" in message:
        record["md5OfMessageAttributes"] = message["MD5OfMessageAttributes"]
    return record


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


def _worked_off(mapping: SourceMapping, messages: list[dict[str, Any]], outcome: Outcome) -> list[dict[str, Any]]:
    """The messages that the function has worked off.

    All or none, unless it reports failures; an answer that is no valid report means none, as on AWS.
    """
    if outcome.refused is not None or outcome.function_error is not None:
        return []
    if not mapping.reports_failures:
        return messages
    try:
        report = orjson.loads(outcome.payload)
        failures = [] if report is None else report.get("batchItemFailures") or []
        failed = {failure["itemIdentifier"] for failure in failures}
    except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError):
        return []
    if failed - {message["MessageId"] for message in messages}:
        return []
    if mapping.source.endswith(".fifo") and failed:
        first = next(place for place, message in enumerate(messages) if message["MessageId"] in failed)
        return messages[:first]
    return [message for message in messages if message["MessageId"] not in failed]
