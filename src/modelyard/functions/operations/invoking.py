"""Invoke."""

import base64
import json
import threading
from collections.abc import Iterable

import orjson

from modelyard.access.permission import Permission
from modelyard.aws.errors import AwsError
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.dispatch.waiting import NothingYet
from modelyard.functions import store_events
from modelyard.functions.environments import Environments
from modelyard.functions.failures import invalid, stopping, too_large
from modelyard.functions.function import Version
from modelyard.functions.function_name import FunctionName
from modelyard.functions.invocation import Invocation, Outcome, answer
from modelyard.functions.permissions import Request, existing, function_at, resource
from modelyard.functions.results import Results

operation = operations_of("lambda")

LARGEST_PAYLOAD = 6 * 1024 * 1024
LARGEST_EVENT = 256 * 1024
LONGEST_CONTEXT = 3583
SPARE_SECONDS = 60.0
"""What an invocation may take beyond its timeout: the start of its environment."""


def _invoking(context: Context, request: Request) -> Iterable[Permission]:
    yield Permission("lambda:InvokeFunction", resource(context.tx, function_at(context, request)))


@operation("Invoke", mode=Mode.STREAM, permissions=_invoking, largest_body=LARGEST_PAYLOAD + 1024)
def invoke(context: Context, request: Request) -> Request | NothingYet:
    """Run a function and answer what it returns, or take the event down to run it later."""
    results = Results.of(context.dispatcher)
    with_log = request.get("LogType") == "Tail"
    heard = context.heard(_topic(context))
    outcome = None if context.http is None else results.take(context.request_id)
    if outcome is not None:
        return answer(outcome, with_log=with_log)
    at = function_at(context, request)
    with context.read() as tx:
        version = existing(tx, at)
    kind = request.get("InvocationType", "RequestResponse")
    payload = _payload(request, LARGEST_EVENT if kind == "Event" else LARGEST_PAYLOAD)
    if not context.owns_journal:
        # Of a call that another part makes in its transaction, which would be held; and writing would wait for itself.
        raise invalid("A function is not invoked in a transaction.")
    if kind == "DryRun":
        return {"StatusCode": 204}
    if kind == "Event":
        store_events.accept(context, version, at.qualifier, payload)
        return {"StatusCode": 202, "Payload": b""}
    if context.http is None:
        return answer(_run_here(context, version, at, payload, request), with_log=with_log)
    return _run(context, results, heard, _invocation(context.request_id, version, at, payload, request))


def _payload(request: Request, most: int) -> bytes:
    """The event, which is JSON. Raises AwsError."""
    payload = request.get("Payload", b"")
    payload = payload if isinstance(payload, bytes) else payload.read()
    if len(payload) > most:
        raise too_large(len(payload), most)
    if not payload:
        return b"{}"
    try:
        orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise AwsError(
            f"Could not parse request body into json: {str(error)[:256]}", code="InvalidRequestContentException", status=400
        ) from None
    return bytes(payload)


def _invocation(request_id: str, version: Version, at: FunctionName, payload: bytes, request: Request) -> Invocation:
    context = _client_context(request)
    return Invocation(request_id, version, at.qualified_arn, payload, lambda _: None, context)


def _client_context(request: Request) -> str | None:
    """What the caller says of itself, as JSON in ASCII. Raises InvalidRequestContentException."""
    text = request.get("ClientContext")
    if text is None:
        return None
    try:
        if len(text) > LONGEST_CONTEXT:
            raise ValueError("it is too long")
        return json.dumps(json.loads(base64.b64decode(text, validate=True)))
    except ValueError as error:
        raise AwsError(
            f"Client context must be a valid Base64-encoded JSON object: {error}",
            code="InvalidRequestContentException",
            status=400,
        ) from None


def _topic(context: Context) -> tuple[str, str]:
    return ("lambda", context.request_id)


def _run(context: Context, results: Results, heard: int, invocation: Invocation) -> NothingYet:
    """Begin an invocation, unless that was done before; whoever asks waits for the result."""
    topic = _topic(context)
    if results.expect(context.request_id):
        signals = context.dispatcher.signals

        def done(outcome: Outcome) -> None:
            results.put(context.request_id, outcome)
            signals.tell(topic)

        invocation.done = done
        Environments.of(context.dispatcher).invoke(invocation)
    return NothingYet(stopping(), topic, heard, invocation.timeout + SPARE_SECONDS)


def _run_here(context: Context, version: Version, at: FunctionName, payload: bytes, request: Request) -> Outcome:
    """Run it while another part waits on a thread of its own."""
    over = threading.Event()
    outcomes: list[Outcome] = []
    invocation = _invocation(context.ids.request_id(), version, at, payload, request)

    def done(outcome: Outcome) -> None:
        outcomes.append(outcome)
        over.set()

    invocation.done = done
    Environments.of(context.dispatcher).invoke(invocation)
    if not over.wait(invocation.timeout + SPARE_SECONDS):
        raise stopping()
    return outcomes[0]
