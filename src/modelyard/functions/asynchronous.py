"""Begins asynchronous invocations and sees to what comes of them, at least once each.

An accepted invocation is a row. A server takes it for a short while, and for longer as long as it lives; so another one, or the
same after a restart, begins again what a server that died was at. Source for the times between attempts: "Asynchronous
invocation" and "How Lambda handles errors and retries" of the developer guide.
"""

import logging
import secrets
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson

from modelyard.aws.errors import AwsError
from modelyard.dispatch.dispatcher import Dispatcher
from modelyard.functions import store, store_events
from modelyard.functions.acting import context_of
from modelyard.functions.environments import Environments
from modelyard.functions.function import Version, moment
from modelyard.functions.invocation import Invocation, Outcome
from modelyard.functions.store_events import Event
from modelyard.storage.interface import Transaction

CLAIM_SECONDS = 15.0
RENEW_SECONDS = 5.0
RETRY_SECONDS = 60.0
"""Between a function's failure and the next attempt, times the number of failures."""
LONGEST_PAUSE = 300.0
LONGEST_AGE = 6 * 3600.0
MOST_RETRIES = 2
SETTLING_THREADS = 2

log = logging.getLogger("modelyard.functions")


class Asynchronous:
    """The engine of asynchronous invocations (`dispatch.engines`)."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        self._environments = Environments.of(dispatcher)
        self._most = max(1, dispatcher.settings.function_environments // 2)
        """So that as many again are left for those who wait for an answer."""
        self._owner = secrets.token_hex(8)
        self._lock = threading.Lock()
        self._running = 0
        self._renewed = time.monotonic()
        self._settling = ThreadPoolExecutor(SETTLING_THREADS, thread_name_prefix="function-events")
        self._closed = False

    @classmethod
    def of(cls, dispatcher: Dispatcher) -> "Asynchronous":
        """That of a server."""
        return dispatcher.engines.get(cls, lambda: cls(dispatcher))

    @property
    def running(self) -> int:
        """How many run now."""
        return self._running

    def turn(self) -> int:
        """Begin what is due, as far as there is room; how many that were."""
        storage, now = self._dispatcher.storage, self._dispatcher.clock.now()
        if self._running and time.monotonic() - self._renewed > RENEW_SECONDS:
            self._renewed = time.monotonic()
            storage.write(lambda tx: store_events.renew(tx, now + CLAIM_SECONDS, self._owner))
        room = min(self._most - self._running, self._environments.room)
        if room <= 0:
            return 0
        with storage.read() as tx:
            if not store_events.any_due(tx, now):
                return 0
        events = storage.write(lambda tx: store_events.claim(tx, now, now + CLAIM_SECONDS, self._owner, room))
        for event in events:
            self._begin(event)
        return len(events)

    def _begin(self, event: Event) -> None:
        storage = self._dispatcher.storage
        with storage.read() as tx:
            version = store.version_of(tx, event.function_id, event.qualifier)
            config = _config(tx, event)
        if version is None:
            storage.write(lambda tx: store_events.over(tx, event))
            return
        if self._dispatcher.clock.now() - event.created > config.get("MaximumEventAgeInSeconds", LONGEST_AGE):
            outcome = Outcome(b"", refused=AwsError("The event is older than it may be.", code="EventAgeExceeded"))
            storage.write(lambda tx: self._give_up(tx, event, version, config, outcome, "EventAgeExceeded"))
            return
        arn = f"{version.at.arn}:{event.qualifier}" if event.qualifier else version.at.arn
        with self._lock:
            self._running += 1

        def done(outcome: Outcome) -> None:
            # On the runtime's thread.
            if self._closed:
                self._ended()
            else:
                self._settling.submit(self._settle, event, version, config, outcome)

        self._environments.invoke(Invocation(event.request_id, version, arn, event.payload, done))

    def _ended(self) -> None:
        with self._lock:
            self._running -= 1

    def _settle(self, event: Event, version: Version, config: dict[str, Any], outcome: Outcome) -> None:
        try:
            self._dispatcher.storage.write(lambda tx: self._note(tx, event, version, config, outcome))
        except Exception:
            log.exception("what came of an invocation of %s could not be kept; it is made again", version.at.arn)
        finally:
            self._ended()

    def _note(self, tx: Transaction, event: Event, version: Version, config: dict[str, Any], outcome: Outcome) -> None:
        now = self._dispatcher.clock.now()
        if outcome.refused is not None:
            pause = min(LONGEST_PAUSE, 2.0 ** min(event.tries, 16))
            store_events.try_again(tx, event, now + pause, event.attempts)
            return
        if outcome.function_error is None:
            store_events.over(tx, event)
            self._tell(tx, event, version, config, outcome, "Success")
            return
        attempts = event.attempts + 1
        if attempts <= config.get("MaximumRetryAttempts", MOST_RETRIES):
            store_events.try_again(tx, event, now + RETRY_SECONDS * attempts, attempts)
            return
        self._give_up(tx, event, version, config, outcome, "RetriesExhausted")

    def _give_up(
        self, tx: Transaction, event: Event, version: Version, config: dict[str, Any], outcome: Outcome, condition: str
    ) -> None:
        store_events.over(tx, event)
        self._tell(tx, event, version, config, outcome, condition)
        queue = version.document.get("DeadLetterConfig", {}).get("TargetArn")
        if queue:
            message = _error_message(outcome)
            attributes = {"RequestID": event.request_id, "ErrorCode": "200", "ErrorMessage": message[:1024] or "none"}
            self._send(tx, version, queue, event.payload.decode("utf-8", "replace"), attributes)

    def _tell(
        self, tx: Transaction, event: Event, version: Version, config: dict[str, Any], outcome: Outcome, condition: str
    ) -> None:
        """Send what came of it to the destination for that."""
        side = "OnSuccess" if condition == "Success" else "OnFailure"
        queue = config.get("DestinationConfig", {}).get(side, {}).get("Destination")
        if not queue:
            return
        told = {
            "version": "1.0",
            "timestamp": moment(self._dispatcher.clock.now()).replace("+0000", "Z"),
            "requestContext": {
                "requestId": event.request_id,
                "functionArn": f"{version.at.arn}:{version.at.qualifier}",
                "condition": condition,
                "approximateInvokeCount": event.attempts + 1,
            },
            "requestPayload": orjson.loads(event.payload),
            "responseContext": {"statusCode": 200, "executedVersion": outcome.executed_version},
            "responsePayload": _as_json(outcome.payload),
        }
        if outcome.function_error is not None:
            told["responseContext"]["functionError"] = outcome.function_error
        self._send(tx, version, queue, orjson.dumps(told).decode(), {})

    def _send(self, tx: Transaction, version: Version, queue: str, body: str, attributes: dict[str, str]) -> None:
        """Send a message as the function's role; one that cannot be sent is lost, as on AWS."""
        _, _, _, region, account, name = queue.split(":")
        request: dict[str, Any] = {"QueueUrl": f"https://sqs.{region}.amazonaws.com/{account}/{name}", "MessageBody": body}
        if attributes:
            request["MessageAttributes"] = {
                key: {"DataType": "String", "StringValue": value} for key, value in attributes.items()
            }
        try:
            context_of(self._dispatcher, version, tx).call("sqs", "SendMessage", request)
        except AwsError as error:
            log.error("a failed invocation of %s is lost, %s cannot be reached: %s", version.at.arn, queue, error.message)

    def close(self) -> None:
        """Begin nothing more; what runs is begun again by whoever comes after."""
        self._closed = True
        self._settling.shutdown(wait=True)


def _config(tx: Transaction, event: Event) -> dict[str, Any]:
    """What is said of such invocations."""
    found = store_events.invoke_config(tx, event.function_id, event.qualifier)
    return found if found is not None else store_events.invoke_config(tx, event.function_id, "") or {}


def _as_json(payload: bytes) -> Any:
    try:
        return orjson.loads(payload)
    except orjson.JSONDecodeError:
        return payload.decode("utf-8", "replace") or None


def _error_message(outcome: Outcome) -> str:
    if outcome.refused is not None:
        return outcome.refused.message
    content = _as_json(outcome.payload)
    return str(content.get("errorMessage", "")) if isinstance(content, dict) else ""
