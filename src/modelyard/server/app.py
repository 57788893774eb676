"""The life of a request: a raw ASGI application whose stages are one list.

Each stage may give the answer, which ends the list; otherwise the next one goes on. A stage that has to wait gives a
coroutine; the others are plain calls, so that a read which needs no waiting costs none. An AwsError that a stage raises
becomes an answer in the wire format of the service that was asked.
"""

import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from io import BytesIO
from typing import Any, TypeVar

from modelyard.aws.catalogue import routes_by_body
from modelyard.aws.errors import AwsError, ThrottlingException
from modelyard.aws.http import HttpResponse
from modelyard.blobs.interface import BlobsUnavailable
from modelyard.dispatch.dispatcher import Call
from modelyard.dispatch.operation import Mode
from modelyard.dispatch.waiting import NothingYet
from modelyard.server.body import BodyPipe, ClientDisconnected, Receive, gather
from modelyard.server.composition import House
from modelyard.server.delivery import deliver, with_first_batch
from modelyard.server.exchange import Exchange, Scope, Send, request_from
from modelyard.server.logs import LogWriter
from modelyard.server.metrics import Metrics
from modelyard.server.own_pages import PREFIX, OwnPages
from modelyard.server.pool import Pool, settled
from modelyard.server.waiting import WaitingRoom
from modelyard.storage.errors import StorageUnavailable

DEFECT = "a defect in answering a request"
LARGE_BODY = 256 * 1024
"""Bodies from here on are hashed, parsed and validated in a thread: it takes milliseconds."""
MOST_BUFFERED = 256 * 1024 * 1024
"""Bytes of large bodies in memory at a time; small ones are let through whatever large ones wait."""
SMALL_STREAM = 1024 * 1024
"""A streaming body up to here is gathered before it takes a thread, so that a slow client does not hold one."""

T = TypeVar("T")
Given = HttpResponse | Coroutine[Any, Any, HttpResponse | None] | None
Stage = Callable[[Exchange], Given]

log = logging.getLogger("modelyard.server")


class Application:
    """Answers requests from a house."""

    def __init__(self, house: House, log_writer: LogWriter) -> None:
        self.house = house
        self.dispatcher = house.dispatcher
        self.embedded = house.storage.embedded
        self.reads = Pool("reads", house.settings.threads)
        self.streams = Pool("streams", house.settings.streams)
        self.checks = Pool("checks", 2)
        self.metrics = Metrics(
            {
                "modelyard_read_threads_busy": ("Calls that run in or wait for the threads for reads.", lambda: self.reads.busy),
                "modelyard_stream_threads_busy": (
                    "Calls that run in or wait for the threads for objects.",
                    lambda: self.streams.busy,
                ),
                "modelyard_writes_in_flight": ("Writes that are prepared or whose commit is waited for.", lambda: self.writes),
                "modelyard_calls_waiting": ("Calls that wait for something to answer with.", lambda: self.waiting.occupied),
            }
        )
        self.writes = 0
        self.buffered = 0
        """Bytes that large bodies, of all requests under way, may take up."""
        self.waiting = WaitingRoom(house.dispatcher.signals)
        self.own_pages = OwnPages(house, self.metrics, self.checks)
        self.log_writer = log_writer
        self.logs_requests = house.settings.log_level in ("debug", "info")
        self.stages: tuple[Stage, ...] = (
            self.answer_own_pages,  # /_modelyard/health …, outside AWS's protocols
            self.read_form,  # the query protocol names its operation in the body
            self.find_operation,  # from the head of the request: 4xx for what is unknown
            self.read_body,  # whole and limited, unless the operation streams it
            self.perform,  # authenticate, parse, validate, authorise, perform: on the thread where that belongs
        )

    def close(self) -> None:
        """Wait for the threads."""
        for pool in (self.reads, self.streams, self.checks):
            pool.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        exchange = Exchange(scope, receive, send, self.house.ids.request_id(), request_from(scope))
        requests = self.metrics.requests
        requests.in_flight += 1
        try:
            response = await self._answer(exchange)
            await deliver(exchange, response, self.streams)
        except ClientDisconnected:
            exchange.status = 499
        except Exception:
            log.exception(DEFECT, extra={"request_id": exchange.request_id})
            raise
        finally:
            if exchange.pipe is not None:
                exchange.pipe.close()
            self.buffered -= exchange.reserved
            requests.in_flight -= 1
            seconds = time.perf_counter() - exchange.started
            requests.count(exchange.name, exchange.status, seconds)
            self._log(exchange, seconds)

    async def _answer(self, exchange: Exchange) -> HttpResponse:
        try:
            try:
                return await self._performed(exchange)
            except AwsError as error:
                await self._record(exchange, error)
                return self._failure(exchange, error)
        except AwsError as error:
            # There was no room for the record: the client may try again.
            return self._failure(exchange, error)
        except StorageUnavailable as error:
            log.error("the database does not answer: %s", error, extra={"request_id": exchange.request_id})
            return self._failure(
                exchange, AwsError("The service cannot reach its database.", code="ServiceUnavailable", status=503)
            )
        except BlobsUnavailable as error:
            log.error("the bytes of objects cannot be reached: %s", error, extra={"request_id": exchange.request_id})
            return self._failure(exchange, AwsError("The service cannot keep bytes.", code="ServiceUnavailable", status=503))
        except ClientDisconnected:
            raise
        except Exception:
            # A defect: the log says all of it, the client is told where to look.
            log.exception(DEFECT, extra={"request_id": exchange.request_id})
            failure = _internal_failure(exchange)
            await self._record_defect(exchange, failure)
            return self._failure(exchange, failure)

    async def _performed(self, exchange: Exchange) -> HttpResponse:
        for stage in self.stages:
            given = stage(exchange)
            if given is None:
                continue
            response = given if isinstance(given, HttpResponse) else await given
            if response is not None:
                if exchange.call is not None and exchange.call.refused_within:
                    await self._record(exchange, None)
                return response
        raise RuntimeError("no stage answered the request")

    async def _record(self, exchange: Exchange, error: AwsError | None) -> None:
        """Put what was refused or failed into the audit trail; returns once it is on disk. Raises as a write does."""
        call = exchange.call
        if call is None:
            return
        if self.embedded:
            entries = self.dispatcher.unrecorded(call, error)
        else:
            entries = await self.reads.run(self.dispatcher.unrecorded, call, error)
        if entries:
            await settled(self.dispatcher.recording.submit(entries))

    async def _record_defect(self, exchange: Exchange, error: AwsError) -> None:
        """Record a call that met a defect, if the database is still able to."""
        try:
            await self._record(exchange, error)
        except Exception:
            log.exception("a failed call could not be recorded", extra={"request_id": exchange.request_id})

    def _failure(self, exchange: Exchange, error: AwsError) -> HttpResponse:
        if exchange.pipe is not None and exchange.pipe.broken:
            raise ClientDisconnected
        if isinstance(error, ThrottlingException) and exchange.name[0] == "s3":
            error = AwsError("Please reduce your request rate.", code="SlowDown", status=503)
        return self.dispatcher.failure(exchange.http, exchange.call, error, exchange.request_id)

    # --- the stages -----------------------------------------------------------------------------

    def answer_own_pages(self, exchange: Exchange) -> Given:
        """Health, readiness, metrics."""
        return self.own_pages.answer(exchange.http) if exchange.http.raw_path.startswith(PREFIX) else None

    def read_form(self, exchange: Exchange) -> Given:
        """Read the body of what may be the query protocol."""
        return self._gather(exchange) if routes_by_body(exchange.http.method, exchange.http.headers) else None

    def find_operation(self, exchange: Exchange) -> Given:
        """Route the request."""
        exchange.call = self.dispatcher.open(exchange.http, exchange.request_id)
        return None

    def read_body(self, exchange: Exchange) -> Given:
        """Read the body, unless it streams to its operation."""
        call = _call(exchange)
        if exchange.body_read:
            if call.streams_in:
                exchange.http.stream = BytesIO(exchange.http.body)
        elif call.streams_in:
            exchange.pipe = exchange.http.stream = BodyPipe(exchange.receive)
        elif exchange.length != 0:
            return self._gather(exchange)
        return None

    def perform(self, exchange: Exchange) -> Given:
        """Admit the call and perform it, each on the thread where that belongs."""
        call = _call(exchange)
        on_loop = self.embedded and len(exchange.http.body) <= LARGE_BODY
        mode = call.operation.mode
        if mode is Mode.READ and on_loop:
            return self.dispatcher.admit_and_perform(call)
        if mode is Mode.READ or (mode is Mode.SLOW_READ and not on_loop):
            return self.reads.run(self.dispatcher.admit_and_perform, call)
        if mode is Mode.RELAY:
            return self._relay(call, on_loop)
        return self._perform_apart(exchange, call, on_loop)

    async def _relay(self, call: Call, on_loop: bool) -> HttpResponse:
        """Admit a call, and let what it answers with come on this event loop."""
        if on_loop:
            relayed = self.dispatcher.admit_and_begin(call)
        else:
            relayed = await self.reads.run(self.dispatcher.admit_and_begin, call)
        found = await relayed.begin()
        return found if isinstance(found, HttpResponse) else call.model.serialize(found, call.request_id)

    # --- what they are made of ------------------------------------------------------------------

    async def _perform_apart(self, exchange: Exchange, call: Call, on_loop: bool) -> HttpResponse:
        """Admit first, so that whoever may not come in takes no thread for long; then perform where the mode says."""
        if on_loop:
            self.dispatcher.admit(call)
        else:
            await self.reads.run(self.dispatcher.admit, call)
        if exchange.pipe is not None and exchange.length is not None and exchange.length <= SMALL_STREAM:
            await exchange.pipe.gather()
        if call.operation.mode is Mode.WRITE:
            return await self._write(exchange, call)
        if call.operation.mode is Mode.STREAM:
            return await self._stream(exchange, call)
        return await self.reads.run(self.dispatcher.perform, call)

    async def _stream(self, exchange: Exchange, call: Call) -> HttpResponse:
        return await self._until_there(exchange, call, await self._streamed(call), lambda: self._streamed(call))

    async def _streamed(self, call: Call) -> HttpResponse | NothingYet:
        def perform() -> HttpResponse | NothingYet:
            found = self.dispatcher.perform_stream(call)
            return found if isinstance(found, NothingYet) else with_first_batch(found)

        return await self.streams.run(perform)

    async def _write(self, exchange: Exchange, call: Call) -> HttpResponse:
        found = await self._prepared_and_settled(call)
        return await self._until_there(exchange, call, found, lambda: self._settled(self.dispatcher.submit_again(call)))

    async def _until_there(
        self,
        exchange: Exchange,
        call: Call,
        found: HttpResponse | NothingYet,
        again: Callable[[], Awaitable[HttpResponse | NothingYet]],
    ) -> HttpResponse:
        """Ask again whenever something may be there, until it is or the time is over."""
        while isinstance(found, NothingYet):
            left = found.seconds - (time.perf_counter() - exchange.started)
            if left <= 0 or self.waiting.closed:
                if isinstance(found.answer, AwsError):
                    raise found.answer
                return call.model.serialize(found.answer, call.request_id)
            await self.waiting.wait(found, self._until(found, left))
            if exchange.disconnected():
                raise ClientDisconnected
            found = await again()
        return found

    async def _prepared_and_settled(self, call: Call) -> HttpResponse | NothingYet:
        if not self.dispatcher.prepares(call):
            return await self._settled(self.dispatcher.submit(call))
        self.writes += 1
        try:
            threads = self.streams if call.streams_in else self.reads
            # The thread queues the write itself, so that the writer need not wait for the event loop's turn.
            return await settled(await threads.run(self.dispatcher.prepare_and_submit, call))
        finally:
            self.writes -= 1

    async def _settled(self, future: Future[T]) -> T:
        self.writes += 1
        try:
            return await settled(future)
        finally:
            self.writes -= 1

    def _until(self, found: NothingYet, left: float) -> float:
        """How many seconds pass before it is worth asking again by itself."""
        return left if found.ready_at is None else min(left, max(0.0, found.ready_at - self.house.clock.now()))

    async def _gather(self, exchange: Exchange) -> None:
        """Read the whole body. It is in memory before its signature can be checked, so there is a limit for all of them."""
        limit, length = self._largest(exchange), exchange.length
        if length is None or length > LARGE_BODY:
            exchange.reserved = min(limit, length or limit)
            self.buffered += exchange.reserved
            if self.buffered > max(MOST_BUFFERED, limit):
                raise ThrottlingException("Rate exceeded")
        exchange.http.body = await gather(exchange.receive, length, limit)
        exchange.body_read = True

    def _largest(self, exchange: Exchange) -> int:
        """Bytes that the body of a request may have."""
        most = self.house.settings.max_request_bytes
        return most if exchange.call is None else max(most, exchange.call.operation.largest_body)

    def _log(self, exchange: Exchange, seconds: float) -> None:
        if not self.logs_requests and exchange.status < 500:
            return
        service, operation = exchange.name
        call = exchange.call
        context = call.context if call is not None else None
        self.log_writer.write(
            {
                "time": self.house.clock.now(),
                "level": "error" if exchange.status >= 500 else "info",
                "request_id": exchange.request_id,
                "service": service,
                "operation": operation,
                "status": exchange.status,
                "duration_ms": round(seconds * 1000, 3),
                "principal": context.principal.arn if context is not None else None,
                "source": exchange.http.client,
            }
        )


def _call(exchange: Exchange) -> Call:
    assert exchange.call is not None
    return exchange.call


def _internal_failure(exchange: Exchange) -> AwsError:
    code = "InternalError" if exchange.name[0] == "s3" else "InternalFailure"
    return AwsError("The request failed for an internal error; the server's log has it by the request id.", code=code, status=500)
