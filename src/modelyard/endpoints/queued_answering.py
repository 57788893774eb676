"""One request to an asynchronous endpoint: its input is read from S3 as the model's role, a container asked, its answer written.

What moves bytes runs on threads; a container is waited for on the event loop, for up to an hour.
"""

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import aclosing, suppress
from dataclasses import dataclass
from io import BytesIO
from math import inf
from pathlib import Path
from typing import IO, Any

from modelyard.aws.errors import AwsError
from modelyard.blobs.interface import BlobsUnavailable
from modelyard.dispatch.context import Context
from modelyard.endpoints.connection import Answer, Lost, TooLate, Upload
from modelyard.endpoints.instance import Container, Instance, State
from modelyard.endpoints.metering import Measured
from modelyard.endpoints.model import Name
from modelyard.endpoints.queued import LARGEST, Place, Queued, in_header
from modelyard.endpoints.relaying import Invocation, Relay, head_of
from modelyard.endpoints.routes import Key, Route, VariantRoute
from modelyard.endpoints.spool import Spool, TooMany

LOOK_SECONDS = 0.05
LOOKS = 100
"""So often it is looked for an instance that is free; then the request goes back into the queue."""
TEXT = "text/plain; charset=utf-8"


class Failed(Exception):
    """A request that is not answered, however often it is tried; the text says why."""

    def __init__(self, text: str, payload: bytes = b"", content_type: str | None = None, status: int = 0) -> None:
        super().__init__(text)
        self.status = status
        """That the model answered with; 0 for none."""
        self.payload = payload or text.encode()
        self.content_type = content_type or TEXT if payload else TEXT


class NotNow(Exception):
    """A request that may be answered later."""

    def __init__(self, text: str, *, lost: bool = False) -> None:
        super().__init__(text)
        self.lost = lost
        """Whether an instance ended with it."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, and the instance that has it now."""

    at: Name
    """The endpoint."""
    request: Queued
    variant: VariantRoute
    instance: Instance


def key_of(at: Name) -> Key:
    """Of an endpoint's route."""
    return at.account, at.region, at.folded


def targets(route: Route) -> Iterator[tuple[VariantRoute, Instance]]:
    """The instances that requests may go to."""
    for fleet in route.fleets:
        for variant in fleet.variants:
            for one in variant.targets:
                if isinstance(one, Instance) and one.state is State.HEALTHY:
                    yield variant, one


class Answering:
    """Answers requests, each once it has been taken from the queue."""

    def __init__(self, relay: Relay, threads: Executor, folder: Path) -> None:
        self._relay = relay
        self._threads = threads
        self._folder = folder
        self._reserved: set[Instance] = set()
        """Each for one request that is to be asked alone, and waits until it has nothing else to do."""

    # --- on a thread ----------------------------------------------------------------------------

    def read(self, context: Context, request: Queued) -> Spool:
        """The input of a request. Raises Failed and NotNow."""
        given = Spool(self._folder, LARGEST)
        try:
            given.content_type = request.request.get("ContentType")
            if request.input is None:
                given.write(request.body)
            else:
                self._read(context, request.input, given)
        except BaseException as error:
            given.close()
            if isinstance(error, TooMany):
                raise Failed(f"The input of the request is larger than {LARGEST} bytes.") from None
            if isinstance(error, OSError | BlobsUnavailable):
                raise NotNow(f"its input cannot be had: {error}") from error
            raise
        return given

    def _read(self, context: Context, place: Place, given: Spool) -> None:
        answer = _called(context, "GetObject", {"Bucket": place.bucket, "Key": place.key}, place)
        if answer["ContentLength"] > LARGEST:
            raise TooMany
        given.content_type = given.content_type or answer.get("ContentType")
        body = answer["Body"]
        given.write_all([body] if isinstance(body, bytes) else body)

    def write(self, context: Context, request: Queued, answer: Spool) -> None:
        """Put an answer where it belongs. Raises Failed and NotNow."""
        _put(context, request.output, request.kms_key, answer.read_again(), answer.content_type)

    def write_failure(self, context: Context, request: Queued, failure: Failed) -> None:
        """Put what became of a request where it is looked for, if it is anywhere. Raises Failed and NotNow."""
        if request.failure is not None:
            body = BytesIO(failure.payload)
            _put(context, request.failure, request.kms_key, body, failure.content_type, reason=str(failure))

    # --- on the event loop ----------------------------------------------------------------------

    async def ask(self, at: Name, most: int, request: Queued, given: Spool, left: float) -> Spool:
        """What an instance of an endpoint answers that has less than `most` to do; in `left` seconds the request expires. Raises
        Failed and NotNow."""
        places = request.places(most)
        variant, instance = await (self._free(key_of(at), most - 1) if places == 1 else self._free_of_all(key_of(at), left))
        asked = Asked(at, request, variant, instance)
        instance.outstanding += places
        measured, began, status = Measured(variant.name, len(variant.targets)), time.perf_counter(), 200
        try:
            async with asyncio.timeout(request.seconds):
                return await self._asked(asked, given)
        except Failed as error:
            status = error.status
            raise
        except (TimeoutError, TooLate):
            status = 0
            raise Failed(f"The model did not answer within {request.seconds:.0f} seconds (InvocationTimeoutSeconds).") from None
        except Lost as error:
            status = 0
            raise NotNow(str(error), lost=True) from None
        except OSError as error:
            status = 0
            raise NotNow(str(error)) from None
        finally:
            measured.model_seconds = time.perf_counter() - began
            self._relay.meter.ended(key_of(at), at.name, measured, measured.model_seconds, status)
            instance.outstanding -= places

    async def _free(self, key: Key, most: int) -> tuple[VariantRoute, Instance]:
        """An instance that has no more than so many requests."""
        for _ in range(LOOKS):
            found = self._unreserved(key, most)
            if found:
                route = self._relay.routes.get(key)
                assert route is not None, "it has targets"
                # Of several fleets the one whose turn it is, where it has room.
                chosen = route.choose(None)
                return min(found, key=lambda one: (one[0] is not chosen, one[1].outstanding))
            await asyncio.sleep(LOOK_SECONDS)
        raise NotNow("no instance is free")

    async def _free_of_all(self, key: Key, left: float) -> tuple[VariantRoute, Instance]:
        """An instance that has no request. The one that has least to do is reserved, and gets no other meanwhile: under steady
        load there would never be one. What it has ends in the time that requests have, so it is waited for until this one
        expires."""
        with suppress(TimeoutError):
            async with asyncio.timeout(left):
                for _ in range(LOOKS):
                    found = self._unreserved(key)
                    if not found:
                        await asyncio.sleep(LOOK_SECONDS)
                        continue
                    variant, instance = min(found, key=lambda one: one[1].outstanding)
                    self._reserved.add(instance)
                    try:
                        while instance.outstanding and instance.state is State.HEALTHY:
                            await asyncio.sleep(LOOK_SECONDS)
                    finally:
                        self._reserved.discard(instance)
                    if not instance.outstanding and instance.state is State.HEALTHY:
                        return variant, instance
        raise NotNow("no instance is free")

    def _unreserved(self, key: Key, most: float = inf) -> list[tuple[VariantRoute, Instance]]:
        """The instances that are reserved for no request, and have no more than so many."""
        route = self._relay.routes.get(key)
        found = () if route is None else targets(route)
        return [one for one in found if one[1] not in self._reserved and one[1].outstanding <= most]

    async def _asked(self, asked: Asked, given: Spool) -> Spool:
        try:
            return await self._answered(asked, given)
        except Lost:
            await asyncio.sleep(LOOK_SECONDS)
            if asked.instance.state is State.ENDED:
                raise
        try:
            # The instance lives: it may only have ended a connection that it was not asked on for long.
            return await self._answered(asked, given)
        except ConnectionError as error:
            raise Lost(str(error), answered=False) from None

    async def _answered(self, asked: Asked, given: Spool) -> Spool:
        """What the containers answer, one after the other."""
        sent, containers = given, asked.instance.containers
        try:
            for container in containers:
                before, sent = sent, await self._of_one(asked, container, sent, last=container is containers[-1])
                if before is not given:
                    before.close()
        except BaseException:
            if sent is not given:
                sent.close()
            raise
        return sent

    async def _of_one(self, asked: Asked, container: Container, sent: Spool, *, last: bool) -> Spool:
        request = asked.request.request
        head = head_of(request, sent.size, sent.content_type, request.get("Accept") if last else None)
        upload = Upload(head, lambda: sent.pieces(self._threads))
        answer = await container.upstream.ask(upload, streams=True, seconds=asked.request.seconds)
        if answer.pieces is None or answer.status != 200:
            invocation = Invocation(key_of(asked.at), asked.at.name, request)
            error = self._relay.model_error(invocation, asked.variant, asked.instance, container.name, answer.status, answer.body)
            raise Failed(error.message, answer.body, answer.headers.get("content-type"), answer.status)
        return await self._taken(answer)

    async def _taken(self, answer: Answer) -> Spool:
        assert answer.pieces is not None, "it streams"
        taken = Spool(self._folder, LARGEST)
        taken.content_type = answer.headers.get("content-type")
        try:
            async with aclosing(answer.pieces) as pieces:
                async for piece in pieces:
                    await taken.take(piece, self._threads)
        except BaseException as error:
            taken.close()
            if isinstance(error, TooMany):
                raise Failed(f"The model's answer is larger than {LARGEST} bytes.") from None
            raise
        return taken


def _put(
    context: Context, place: Place, kms_key: str | None, body: IO[bytes], content_type: str | None, reason: str | None = None
) -> None:
    sent: dict[str, Any] = {"Bucket": place.bucket, "Key": place.key, "Body": body}
    if content_type is not None:
        sent["ContentType"] = content_type
    if kms_key is not None:
        sent |= {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key}
    if reason is not None:
        sent["Metadata"] = {"failure-reason": in_header(reason)}
    try:
        _called(context, "PutObject", sent, place)
    except (OSError, BlobsUnavailable) as error:
        raise NotNow(f"{place.uri} cannot be written: {error}") from error


def _called(context: Context, operation: str, request: dict[str, Any], place: Place) -> Any:
    try:
        return context.call("s3", operation, request)
    except AwsError as error:
        text = f"{operation} of {place.uri}: {error.code}: {error.message}"
        raise NotNow(text) if error.status >= 500 else Failed(text) from None
