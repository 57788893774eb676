"""Takes one event to one target: as the rule's service, or as the role that the target names."""

from dataclasses import dataclass, replace
from typing import Any, Protocol

import orjson

from modelyard.access.evaluation import decide
from modelyard.access.keyring import KeyRing
from modelyard.access.permission import Permission, RequestFacts, Resource
from modelyard.access.principal import Principal, PrincipalKind
from modelyard.access.roles import assumed_by_service
from modelyard.aws.errors import AwsError
from modelyard.blobs.interface import BlobStore
from modelyard.clock import Clock
from modelyard.dispatch.context import Context
from modelyard.dispatch.dispatcher import Dispatcher
from modelyard.dispatch.recording import Journal
from modelyard.ids import Ids
from modelyard.settings import Settings
from modelyard.storage.interface import Storage, Transaction
from modelyard.triggers import api_destination, envelope, failure, json_path, store_destinations, webhook
from modelyard.triggers.connection import secret_of
from modelyard.triggers.failure import Failure
from modelyard.triggers.operations.connections import purpose
from modelyard.triggers.pace import Pace
from modelyard.triggers.permissions import EVENTS_PRINCIPAL, SCHEDULER_PRINCIPAL
from modelyard.triggers.store_deliveries import Delivery, Line
from modelyard.triggers.target import Kind, kind_of
from modelyard.triggers.transformation import TransformationError, payload


class House(Protocol):
    """What deliveries need of the server they run in."""

    settings: Settings
    key_ring: KeyRing
    storage: Storage
    blobs: BlobStore
    dispatcher: Dispatcher
    clock: Clock
    ids: Ids


@dataclass(frozen=True, slots=True)
class Sender:
    """Sends events to targets. Each method answers None, or why it failed."""

    house: House
    pace: Pace

    def within(self, tx: Transaction, line: Line, delivery: Delivery, journal: Journal) -> Failure | None:
        """Send to a queue, in a transaction: the message is there when the transaction is."""
        try:
            body = self._body(line, delivery)
            context = self._context(tx, line, line.target["Arn"], line.target.get("RoleArn"), journal)
            self._to_queue(context, line.target, body)
        except AwsError as error:
            return failure.of_error(error)
        except TransformationError as error:
            return Failure("InvalidInputTemplate", str(error), permanent=True)
        return None

    def outside(self, line: Line, delivery: Delivery) -> Failure | None:
        """Send to a target that is not reached by a transaction of this database."""
        arn = line.target["Arn"]
        try:
            body = self._body(line, delivery)
            with self.house.storage.read() as tx:
                context = self._context(tx, line, arn, line.target.get("RoleArn"), None).within(None)
                call = self._http_call(tx, context, line, delivery, body) if kind_of(arn) is Kind.DESTINATION else None
            if call is not None:
                return self._send(arn, call)
            if kind_of(arn) is Kind.FUNCTION:
                context.call("lambda", "Invoke", {"FunctionName": arn, "InvocationType": "Event", "Payload": body.encode()})
            else:
                self._start_pipeline(context, line, delivery)
        except AwsError as error:
            return failure.of_error(error)
        except TransformationError as error:
            return Failure("InvalidInputTemplate", str(error), permanent=True)
        return None

    def dead_letter(
        self, tx: Transaction, line: Line, delivery: Delivery, failed: Failure, condition: str, attempts: int
    ) -> Failure | None:
        """Send an event that is given up to the dead-letter queue of its target.

        As in AWS, a rule needs the leave of the queue's policy for it, whatever role it takes up; a schedule that of its role.
        """
        queue = line.target["DeadLetterConfig"]["Arn"]
        role = line.target["RoleArn"] if _is_schedule(line) else None
        attributes = {
            "SCHEDULE_ARN" if _is_schedule(line) else "RULE_ARN": line.source,
            "TARGET_ARN": line.target["Arn"],
            "ERROR_CODE": failed.word,
            "ERROR_MESSAGE": failed.message[: failure.LONGEST_MESSAGE] or failed.code,
            "RETRY_ATTEMPTS": str(max(attempts - 1, 0)),
        }
        if condition:
            attributes["EXHAUSTED_RETRY_CONDITION"] = condition
        request: dict[str, Any] = {
            "QueueUrl": _queue_url(queue),
            "MessageBody": delivery.event,
            "MessageAttributes": {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()},
        }
        try:
            self._context(tx, line, queue, role, Journal()).call("sqs", "SendMessage", request)
        except AwsError as error:
            return failure.of_error(error)
        return None

    def _body(self, line: Line, delivery: Delivery) -> str:
        event = delivery.event
        if _is_schedule(line):
            text = line.target.get("Input", event)
            known = {
                "schedule-arn": line.source,
                "scheduled-time": str(orjson.loads(event)["time"]),
                "execution-id": delivery.event_id,
                "attempt-number": str(delivery.attempts + 1),
            }
            for name, value in known.items():
                text = text.replace(f"<aws.scheduler.{name}>", value)
            return str(text)
        known = {
            "aws.events.rule-arn": line.source,
            "aws.events.rule-name": line.source.rpartition("/")[2],
            "aws.events.event.ingestion-time": envelope.moment(delivery.created),
        }
        return payload(line.target, event, known)

    def _context(self, tx: Transaction, line: Line, arn: str, role: str | None, journal: Journal | None) -> Context:
        """The context of a call to what `arn` names for a rule or schedule, as its service or a role. Raises AwsError."""
        house = self.house
        facts = RequestFacts(
            now=house.clock.now(),
            region=arn.split(":")[3],
            source_ip="",
            secure_transport=True,
            user_agent=_service(line),
            signature_version="",
            source_arn=line.source,
            source_account=line.place.account,
        )
        return Context(
            principal=self._principal(tx, line, role, facts),
            facts=facts,
            request_id=house.ids.request_id(),
            ids=house.ids,
            storage=house.storage,
            blobs=house.blobs,
            settings=house.settings,
            tokens=house.dispatcher.tokens,
            dispatcher=house.dispatcher,
            transaction=tx,
            journal=journal,
        )

    def _principal(self, tx: Transaction, line: Line, role: str | None, facts: RequestFacts) -> Principal:
        service = _service(line)
        if role is None:
            return Principal(arn=service, account="", kind=PrincipalKind.SERVICE, unique_id=service, name=service)
        name = line.source.rpartition("/")[2][:64]
        assumed = assumed_by_service(tx, self.house.ids, role, service, name, facts)
        if assumed is None:
            raise AwsError(f"{service} may not assume {role}.", code="AccessDeniedException")
        return assumed

    def _to_queue(self, context: Context, target: Any, body: str) -> None:
        request = {"QueueUrl": _queue_url(target["Arn"]), "MessageBody": body}
        if "MessageGroupId" in target.get("SqsParameters", {}):
            request["MessageGroupId"] = target["SqsParameters"]["MessageGroupId"]
        context.call("sqs", "SendMessage", request)

    def _start_pipeline(self, context: Context, line: Line, delivery: Delivery) -> None:
        """The client token makes a repeated start the same execution."""
        event = orjson.loads(delivery.event)
        given = line.target.get("SageMakerPipelineParameters", {}).get("PipelineParameterList", [])
        parameters = [{"Name": each["Name"], "Value": _parameter(each["Value"], event)} for each in given]
        request: dict[str, Any] = {
            "PipelineName": line.target["Arn"].rpartition("/")[2],
            "ClientRequestToken": f"delivery-{delivery.event_id}-{delivery.id}",
        }
        if parameters:
            request["PipelineParameters"] = parameters
        context.call("sagemaker", "StartPipelineExecution", request)

    def _http_call(
        self, tx: Transaction, context: Context, line: Line, delivery: Delivery, body: str
    ) -> tuple[api_destination.HttpCall, float]:
        """The request to an API destination, signed, and how many a second it takes. Raises AwsError."""
        arn = line.target["Arn"]
        permission = Permission("events:InvokeApiDestination", Resource(arn, arn.split(":")[4]))
        decision = decide(context.principal, permission, context.facts)
        if not decision.allowed:
            raise AwsError(decision.message, code="AccessDeniedException")
        destination = store_destinations.destination_by_arn(tx, arn)
        connection = None if destination is None else store_destinations.connection_by_arn(tx, destination.connection)
        if destination is None or connection is None:
            raise AwsError(f"{arn} or its connection does not exist.", code="ResourceNotFoundException")
        kind = connection.document["AuthorizationType"]
        parameters = orjson.loads(self.house.key_ring.open_sealed(connection.secrets, purpose(connection.arn)))
        call = api_destination.call_of(destination.document, kind, parameters, line.target, body, delivery.event)
        headers = {**call.headers, webhook.DELIVERY_HEADER: f"{delivery.event_id}/{delivery.id}"}
        headers = webhook.signed(headers, secret_of(kind, parameters), context.now, call.body)
        return replace(call, headers=headers), float(destination.document["InvocationRateLimitPerSecond"])

    def _send(self, arn: str, call: tuple[api_destination.HttpCall, float]) -> Failure | None:
        request, rate = call
        self.pace.take(arn, rate)
        allowed = self.house.settings.webhooks
        try:
            answer = webhook.send(request.method, request.url, request.headers, request.body, allowed)
        except webhook.WebhookError as error:
            code = "TIMEOUT" if error.timed_out else "AddressNotAllowed" if error.refused else "CONNECTION_FAILURE"
            return Failure(code, str(error), permanent=error.refused)
        return None if 200 <= answer.status < 300 else failure.of_status(answer.status, answer.retry_after)


def _is_schedule(line: Line) -> bool:
    return line.source.startswith("arn:aws:scheduler:")


def _service(line: Line) -> str:
    return SCHEDULER_PRINCIPAL if _is_schedule(line) else EVENTS_PRINCIPAL


def _queue_url(arn: str) -> str:
    """Any URL of the queue: its host does not matter."""
    _, _, _, region, account, name = arn.split(":")
    return f"https://sqs.{region}.amazonaws.com/{account}/{name}"


def _parameter(value: str, event: Any) -> str:
    """A parameter of a pipeline: a constant, or what a path leads to in the event."""
    if not value.startswith("$."):
        return value
    try:
        found = json_path.find(event, value)
    except json_path.PathError:
        return value
    if found is json_path.MISSING:
        return ""
    return found if isinstance(found, str) else orjson.dumps(found).decode()
