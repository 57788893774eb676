"""Relaying one request to the instance that answers it. On the event loop, with no thread, transaction or row held meanwhile.

A request that an instance never got is tried on another one. One that it got, and whose connection ended before its answer was
whole, or before its stream began, is tried once more: models compute, they do not keep books, and the alternative is an error
each time a worker dies.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Protocol

from modelyard.aws.errors import AwsError
from modelyard.endpoints.capture import Event
from modelyard.endpoints.connection import Answer, Lost, TooLate, Unintelligible
from modelyard.endpoints.instance import Container, Instance, State
from modelyard.endpoints.many_models import NotLoaded
from modelyard.endpoints.metering import Measured, Meter
from modelyard.endpoints.model import log_group
from modelyard.endpoints.pool import Seat
from modelyard.endpoints.refusals import invalid, not_found
from modelyard.endpoints.relaying_models import ask_model, check_target, holder_of
from modelyard.endpoints.routes import Key, Routes, VariantRoute
from modelyard.endpoints.upstream import Busy

SECONDS = 60.0
"""How long a container may take to answer."""
WAIT_SECONDS = 15.0
"""How long a request waits for an instance, when none is healthy at the moment."""
LOOK_SECONDS = 0.05
LONGEST_MESSAGE = 2048
FORWARDED = {
    "CustomAttributes": "X-Amzn-SageMaker-Custom-Attributes",
    "InferenceId": "X-Amzn-SageMaker-Inference-Id",
    "EnableExplanations": "X-Amzn-SageMaker-Enable-Explanations",
    "SessionId": "X-Amzn-SageMaker-Session-Id",
    "TargetModel": "X-Amzn-SageMaker-Target-Model",
}
"""Members of the request that containers get as headers."""
RETURNED = {
    "ContentType": "content-type",
    "CustomAttributes": "x-amzn-sagemaker-custom-attributes",
    "NewSessionId": "x-amzn-sagemaker-new-session-id",
    "ClosedSessionId": "x-amzn-sagemaker-closed-session-id",
}
"""Headers of containers that are members of the answer."""

Request = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Seen:
    """What was decided of a request as it came."""

    event: Event | None
    """As what it is captured; None where it is not."""


@dataclass(slots=True)
class Invocation:
    """A request to an endpoint."""

    key: Key
    name: str
    request: Request
    streams: bool = False
    component: str = ""
    """The inference component that is asked, where one is."""
    variant: VariantRoute | None = None
    """Set for a copy to a shadow variant: it goes nowhere else."""
    seen: Seen | None = None
    """Set by the first witness of it, if it has any."""
    measured: Measured = field(default_factory=Measured)

    @property
    def log_group(self) -> str:
        """Where what is asked prints to."""
        return log_group("inference-component", self.component) if self.component else log_group("endpoint", self.name)


class Witness(Protocol):
    """Sees the requests to a variant, and what they are answered with; nobody waits for what it makes of that."""

    def asked(self, invocation: Invocation) -> Seen:
        """A request is on its way for the first time."""
        ...

    def answered(self, invocation: Invocation, answered: dict[str, Any]) -> dict[str, Any]:
        """It was answered, with what is handed on."""
        ...


class Relay:
    """Relays requests."""

    def __init__(self, routes: Routes, loop: asyncio.AbstractEventLoop) -> None:
        self.routes = routes
        self.loop = loop
        self.meter = Meter()

    async def invoke(self, invocation: Invocation) -> dict[str, Any]:
        """Have an instance answer, and count that. Raises AwsError."""
        began, status, seat = time.perf_counter(), 200, Seat()
        try:
            return seat.until_taken(await self._relayed(invocation, seat))
        except AwsError as error:
            status = _status(error)
            raise
        finally:
            seat.leave()
            seconds = time.perf_counter() - began
            self.meter.ended(invocation.key, invocation.name, invocation.measured, seconds, status, invocation.component)

    async def _relayed(self, invocation: Invocation, seat: Seat) -> dict[str, Any]:
        began = self.loop.time()
        target = invocation.request.get("TargetModel")
        tried: list[Instance] = []
        lost = 0
        while True:
            variant = self._variant(invocation)
            if variant is None:
                await self._wait(invocation, began, seat)
                continue
            invocation.measured.went_to(variant.name, len(variant.targets))
            seat.take(variant.pool)
            if target is None:
                instance = variant.next(tried) or (variant.next() if tried else None)
            else:
                instance = holder_of(variant, target, tried)
            if instance is None and variant.refusal:
                raise invalid(variant.refusal)
            if not isinstance(instance, Instance) or instance.state not in (State.HEALTHY, State.DRAINING):
                await self._wait(invocation, began, seat)
                tried = []
                continue
            instance.outstanding += 1
            kept = False
            try:
                answered = await self._ask(invocation, variant, instance)
                kept = "Pieces" in answered
                return self._counted(answered, instance) if kept else answered
            except Lost as error:
                lost += 1
                if lost > 1 or isinstance(error, Unintelligible):
                    raise self._broken(invocation, variant, instance, str(error)) from None
                tried.append(instance)
                # Until now it did not wait: it was computed.
                began = self.loop.time()
                if all(one in tried for one in variant.targets):
                    # It may be ending, which is heard of a moment later; asked again now, it would lose this a second time.
                    await self._wait(invocation, began, seat)
            except OSError:
                # Nobody listened: it did not get the request.
                await self._wait(invocation, began, seat)
            finally:
                if not kept:
                    instance.outstanding -= 1

    def _variant(self, invocation: Invocation) -> VariantRoute | None:
        """The variant for a request; None for an endpoint that is not run here yet. Raises AwsError."""
        if invocation.variant is not None:
            return invocation.variant
        route = self.routes.get(invocation.key)
        if route is None:
            return None
        if route.name != (invocation.component or invocation.name):
            raise not_found(invocation.name, invocation.key[0])
        if route.is_asynchronous:
            raise invalid(f"The endpoint {invocation.name} is an asynchronous one: it is invoked with InvokeEndpointAsync.")
        target = invocation.request.get("TargetVariant")
        variant = route.choose(target)
        if variant is None:
            raise invalid(f"The variant {target} is not found in the endpoint {invocation.name}.")
        return variant

    async def _wait(self, invocation: Invocation, began: float, seat: Seat) -> None:
        """Let a moment pass in which an instance may come up. Raises AwsError when there was time enough."""
        if self.loop.time() - began >= seat.seconds(WAIT_SECONDS):
            raise seat.not_ready(invocation.name) or AwsError(
                f"The endpoint {invocation.name} has no healthy instance at the moment.", code="ServiceUnavailable", status=503
            )
        await asyncio.sleep(LOOK_SECONDS)

    async def _ask(self, invocation: Invocation, variant: VariantRoute, instance: Instance) -> dict[str, Any]:
        request = invocation.request
        witness: Witness | None = variant.beside
        if witness is not None and invocation.seen is None:
            invocation.seen = witness.asked(invocation)
        body, content_type, accept = request["Body"], request.get("ContentType"), request.get("Accept")
        containers = self._containers(invocation, instance)
        last = containers[-1]
        for container in containers:
            path = "/invocations" if container.models is None else container.models.path_of(request["TargetModel"])
            head = head_of(request, len(body), content_type, accept if container is last else None, path)
            streams = invocation.streams and container is last
            answer = await self._answer(invocation, variant, instance, container, head + body, streams)
            if answer.status != 200:
                raise self.model_error(invocation, variant, instance, container.name, answer.status, answer.body)
            body, content_type = answer.body, answer.headers.get("content-type")
        shown: dict[str, Any] = {"InvokedProductionVariant": variant.name}
        for member, name in RETURNED.items():
            if name in answer.headers:
                shown[member] = answer.headers[name]
        if answer.pieces is not None:
            shown["Pieces"] = answer.pieces
        else:
            shown["Body"] = answer.body
        return shown if witness is None else witness.answered(invocation, shown)

    def _containers(self, invocation: Invocation, instance: Instance) -> list[Container]:
        check_target(invocation.name, invocation.request.get("TargetModel"), instance)
        hostname = invocation.request.get("TargetContainerHostname")
        if not instance.hosted.direct:
            if hostname is not None:
                raise invalid("TargetContainerHostname is for endpoints whose containers are invoked directly.")
            return instance.containers
        found = [one for one in instance.containers if one.name == hostname]
        if not found:
            names = ", ".join(one.name for one in instance.containers)
            if hostname is None:
                raise invalid(
                    f"The containers of this endpoint are invoked directly: TargetContainerHostname must be one of {names}."
                )
            raise invalid(f"The TargetContainerHostname {hostname} is none of this endpoint's: it has {names}.")
        return found

    async def _answer(
        self, invocation: Invocation, variant: VariantRoute, instance: Instance, container: Container, sent: bytes, streams: bool
    ) -> Answer:
        asked = time.perf_counter()
        try:
            if container.models is None:
                return await container.upstream.ask(sent, streams=streams, seconds=SECONDS)
            model = invocation.request["TargetModel"]
            return await ask_model(container, model, sent, SECONDS)
        except NotLoaded as error:
            raise self.model_error(invocation, variant, instance, container.name, error.status, error.body) from None
        except Busy:
            raise AwsError(
                f"The endpoint {invocation.name} has more requests than its instances answer. Try again.",
                code="ServiceUnavailable",
                status=503,
            ) from None
        except TooLate:
            text = (
                f"Your invocation timed out while waiting for a response from container {container.name}. Review the latency"
                " metrics for each container in Amazon CloudWatch, resolve the issue, and try again."
            )
            raise self.model_error(invocation, variant, instance, container.name, 0, text.encode()) from None
        finally:
            invocation.measured.model_seconds += time.perf_counter() - asked

    def _broken(self, invocation: Invocation, variant: VariantRoute, instance: Instance, text: str) -> AwsError:
        return self.model_error(invocation, variant, instance, instance.containers[0].name, 0, text.encode())

    def model_error(
        self, invocation: Invocation, variant: VariantRoute, instance: Instance, container: str, status: int, body: bytes
    ) -> AwsError:
        """AWS's error for what a container answered otherwise than with 200."""
        account, region, _ = invocation.key
        whose = "client" if 400 <= status < 500 else "server"
        message = body[: 4 * LONGEST_MESSAGE].decode("utf-8", "replace")[:LONGEST_MESSAGE]
        group = invocation.log_group
        stream = f"{variant.name}/{instance.id}" + (f"/{container}" if len(instance.containers) > 1 else "")
        text = (
            f'Received {whose} error ({status}) from {container} with message "{message}".'
            f" See https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}#logEventViewer:group={group}"
            f" in account {account} for more information."
        )
        members = {
            "OriginalStatusCode": status or 500,
            "OriginalMessage": message,
            "LogStreamArn": f"arn:aws:logs:{region}:{account}:log-group:{group}:log-stream:{stream}",
        }
        return AwsError(text[:LONGEST_MESSAGE], code="ModelError", status=424, members=members)

    def _counted(self, answered: dict[str, Any], instance: Instance) -> dict[str, Any]:
        """A streamed answer that counts as outstanding until it was taken."""

        async def pieces(source: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
            try:
                async with aclosing(source) as given:
                    async for piece in given:
                        yield piece
            finally:
                instance.outstanding -= 1

        return {**answered, "Pieces": pieces(answered["Pieces"])}


def _status(error: AwsError) -> int:
    """The status of the model that an error is about, or else its own."""
    status = error.members.get("OriginalStatusCode")
    return status if isinstance(status, int) else error.status


def head_of(request: Request, size: int, content_type: str | None, accept: str | None, path: str = "/invocations") -> bytes:
    """The head of the request that a container gets."""
    lines = [f"POST {path} HTTP/1.1", "Host: localhost:8080", f"Content-Length: {size}"]
    if content_type is not None:
        lines.append(f"Content-Type: {content_type}")
    lines.append(f"Accept: {accept or '*/*'}")
    for member, name in FORWARDED.items():
        if member in request:
            lines.append(f"{name}: {request[member]}")
    # Line breaks could begin a header of the client's own.
    text = "\r\n".join(line.replace("\r", " ").replace("\n", " ") for line in lines)
    return (text + "\r\n\r\n").encode("latin-1", "replace")
