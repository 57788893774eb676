"""The engine that answers requests to asynchronous endpoints, at least once each.

An accepted request is a row. The server that runs the endpoint takes it for a short while, and for longer as long as it lives; so
another one, or the same after a restart, begins again what a server that died was at. Instances take requests as they have room,
and whatever is left waits: also while there is no instance at all.
"""

import asyncio
import logging
import secrets
import threading
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress

import orjson

from modelyard.aws.errors import AwsError
from modelyard.dispatch.context import Context
from modelyard.dispatch.dispatcher import Dispatcher
from modelyard.endpoints import queued, store_queued
from modelyard.endpoints.acting import RoleUnusable, context_of
from modelyard.endpoints.backlog import Room, metrics
from modelyard.endpoints.endpoint import Status
from modelyard.endpoints.hosting import Hosting
from modelyard.endpoints.model import Name
from modelyard.endpoints.publishing import datum, publish
from modelyard.endpoints.queued import Queued
from modelyard.endpoints.queued_answering import Answering, Failed, NotNow, targets
from modelyard.endpoints.serving import Serving
from modelyard.endpoints.spool import Spool
from modelyard.storage.interface import Transaction

CLAIM_SECONDS = 15.0
RENEW_SECONDS = 4.0
PAUSE_SECONDS = 1.0
"""Until a request is tried again, twice as long after each instance that ended with it."""
MOST_LOSSES = 3
"""A request with which so many instances ended is not tried again: it may be what ends them."""
MOST_EXPIRED = 100
"""Requests that have waited too long, seen to at a time."""
PUBLISH_SECONDS = 10.0
"""How often it is published what waits."""
TRANSFERS = 8
"""Inputs and answers that are moved at a time."""

log = logging.getLogger("modelyard.endpoints")


class Queueing:
    """Answers requests that were queued (an engine, `dispatch.engines`)."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self.room = Room()
        self._dispatcher = dispatcher
        self._serving = Serving.of(dispatcher)
        self._owner = secrets.token_hex(8)
        folder = dispatcher.settings.data / "endpoints" / "queued"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._threads = ThreadPoolExecutor(TRANSFERS, thread_name_prefix="endpoint-queue")
        self._answering = Answering(self._serving.relay, self._threads, folder)
        self._lock = threading.Lock()
        self._running: dict[int, tuple[int, Future[None]]] = {}
        """By request: its endpoint, and what ends once it was seen to."""
        self._counts: Counter[int] = Counter()
        """The places at instances that those take, by endpoint."""
        self._renewed = time.monotonic()
        self._published = dispatcher.clock.now()
        self._closed = False

    @classmethod
    def of(cls, dispatcher: Dispatcher) -> "Queueing":
        """That of a server."""
        return dispatcher.engines.get(cls, lambda: cls(dispatcher))

    @property
    def running(self) -> int:
        """How many requests are seen to now."""
        return len(self._running)

    def turn(self) -> None:
        """Begin what is due, as far as there is room, and leave what is not this server's any more."""
        storage, now = self._dispatcher.storage, self._dispatcher.clock.now()
        if self._closed:
            return
        self._leave()
        with self._lock:
            running = list(self._running)
        if running and time.monotonic() - self._renewed > RENEW_SECONDS:
            self._renewed = time.monotonic()
            storage.write(lambda tx: store_queued.renew(tx, running, now + CLAIM_SECONDS, self._owner))
        with storage.read() as tx:
            waiting = {one: store_queued.any_expired(tx, one, now) for one in store_queued.endpoints(tx)}
        for endpoint, expired in waiting.items():
            if expired:
                self._fill(endpoint, only_expired=True)
            self._fill(endpoint)
        if now - self._published >= PUBLISH_SECONDS:
            self._published = now
            for at, found in self.backlogs():
                data = [datum(name, value, {"EndpointName": at.name}) for name, value in found.items()]
                publish(self._dispatcher, at.account, at.region, data, now)

    def backlogs(self) -> list[tuple[Name, Mapping[str, float]]]:
        """The metrics of each asynchronous endpoint that this server runs."""
        now = self._dispatcher.clock.now()
        running = [one for one in self._serving.hostings if one.serving is not None and one.serving.is_asynchronous]
        found = []
        for hosting in running:
            with self._dispatcher.storage.read() as tx:
                backlog = store_queued.backlog(tx, hosting.stored.id)
            found.append((hosting.stored.endpoint.at, metrics(backlog, self._instances(hosting), now)))
        return found

    def close(self) -> None:
        """Begin nothing more; what runs is begun again by whoever comes after."""
        self._closed = True
        with self._lock:
            futures = [future for _, future in self._running.values()]
        for future in futures:
            future.cancel()
        self._threads.shutdown(wait=True, cancel_futures=True)
        with suppress(Exception):
            now = self._dispatcher.clock.now()
            self._dispatcher.storage.write(lambda tx: store_queued.release(tx, self._owner, now))

    # --- taking requests ------------------------------------------------------------------------

    def _leave(self) -> None:
        """End what is seen to for endpoints that another server has now, or that are deleted."""
        with self._lock:
            running = list(self._running.values())
        for endpoint, future in running:
            hosting = self._serving.hosting(endpoint)
            if hosting is None or hosting.stored.endpoint.status is Status.DELETING:
                future.cancel()

    def _fill(self, endpoint: int, *, only_expired: bool = False) -> None:
        """Begin requests of an endpoint, as many as its instances have room for. On any thread."""
        hosting = self._serving.hosting(endpoint)
        if hosting is None or hosting.serving is None or self._closed:
            return
        storage, now = self._dispatcher.storage, self._dispatcher.clock.now()
        claims = store_queued.claim_expired if only_expired else store_queued.claim
        with self._lock:
            room = MOST_EXPIRED if only_expired else self._room(hosting)
            if room <= 0:
                return
            with storage.read() as tx:
                if not store_queued.any_due(tx, endpoint, now):
                    return
            taken = storage.write(lambda tx: claims(tx, endpoint, now, now + CLAIM_SECONDS, self._owner, room))
            for request in taken:
                self._begin(hosting, request)

    def _room(self, hosting: Hosting) -> int:
        assert hosting.serving is not None, "it was asked"
        return self._instances(hosting) * queued.concurrency(hosting.serving.config) - self._counts[hosting.stored.id]

    def _instances(self, hosting: Hosting) -> int:
        route = self._serving.routes.get(hosting.key)
        return 0 if route is None else sum(1 for _ in targets(route))

    def _begin(self, hosting: Hosting, request: Queued) -> None:
        if request.id in self._running:
            return
        assert hosting.serving is not None, "requests are taken for what serves"
        places = request.places(queued.concurrency(hosting.serving.config))
        self._counts[request.endpoint] += places
        future = asyncio.run_coroutine_threadsafe(self._run(hosting, request), self._serving.loop)
        self._running[request.id] = request.endpoint, future
        future.add_done_callback(lambda future: self._ended(request, places, future.cancelled()))

    def _ended(self, request: Queued, places: int, left: bool) -> None:
        """A request was seen to, or left: there is room for another. On any thread."""
        with suppress(RuntimeError):  # the server is stopping
            self._threads.submit(self._next, request, places, left)

    def _next(self, request: Queued, places: int, left: bool) -> None:
        with self._lock:
            del self._running[request.id]
            self._counts[request.endpoint] -= places
        if left:
            now = self._dispatcher.clock.now()
            self._dispatcher.storage.write(lambda tx: store_queued.give_back(tx, request, self._owner, now))
        self._fill(request.endpoint)

    # --- on the event loop ----------------------------------------------------------------------

    async def _run(self, hosting: Hosting, request: Queued) -> None:
        loop = asyncio.get_running_loop()
        outcome: Spool | Failed | NotNow
        try:
            try:
                outcome = await self._answered(hosting, request)
            except (Failed, NotNow) as error:
                outcome = error
            await loop.run_in_executor(self._threads, self._settle, hosting, request, outcome)
        except Exception:
            # It comes again once the claim is over, which nobody renews any more, and others do not wait for it.
            log.exception("a request to %s could not be seen to; it is tried again", hosting.stored.endpoint.at.arn)

    async def _answered(self, hosting: Hosting, request: Queued) -> Spool:
        """What the model answers. Raises Failed and NotNow."""
        if self._dispatcher.clock.now() >= request.expires:
            raise Failed("The request expired: it waited in the queue for longer than RequestTTLSeconds.")
        assert hosting.serving is not None, "requests are taken for what serves"
        most = queued.concurrency(hosting.serving.config)
        loop = asyncio.get_running_loop()
        with await loop.run_in_executor(self._threads, self._read, hosting, request) as given:
            left = request.expires - self._dispatcher.clock.now()
            return await self._answering.ask(hosting.stored.endpoint.at, most, request, given, left)

    # --- on a thread ----------------------------------------------------------------------------

    def _read(self, hosting: Hosting, request: Queued) -> Spool:
        return self._answering.read(self._acting(hosting), request)

    def _acting(self, hosting: Hosting) -> Context:
        """The execution role of the endpoint's model. Raises Failed."""
        assert hosting.serving is not None, "requests are taken for what serves"
        role = next(iter(hosting.serving.hosted.values())).role
        try:
            return context_of(self._dispatcher, hosting.stored.endpoint.at, role)
        except RoleUnusable as error:
            raise Failed(str(error)) from None

    def _settle(self, hosting: Hosting, request: Queued, outcome: Spool | Failed | NotNow) -> None:
        """Write down what became of a request, in S3 and then in its row."""
        try:
            if isinstance(outcome, Spool):
                with outcome:
                    self._answering.write(self._acting(hosting), request, outcome)
                self._over(hosting, request, outcome.content_type, None)
                return
        except (Failed, NotNow) as error:
            outcome = error
        assert not isinstance(outcome, Spool), "an answer that was written is over"
        if isinstance(outcome, NotNow):
            losses = request.losses + outcome.lost
            if losses < MOST_LOSSES:
                self._try_again(hosting, request, outcome, losses)
                return
            outcome = Failed(f"The model ended {losses} times while it answered this request: {outcome}.")
        self._fail(hosting, request, outcome)

    def _try_again(self, hosting: Hosting, request: Queued, outcome: NotNow, losses: int) -> None:
        log.warning("a request to %s is tried again: %s", hosting.stored.endpoint.at.arn, outcome)
        due = self._dispatcher.clock.now() + PAUSE_SECONDS * 2**losses
        self._dispatcher.storage.write(lambda tx: store_queued.try_again(tx, request, due, losses))

    def _fail(self, hosting: Hosting, request: Queued, failure: Failed) -> None:
        log.warning("a request to %s failed: %s", hosting.stored.endpoint.at.arn, failure)
        try:
            self._answering.write_failure(self._acting(hosting), request, failure)
        except NotNow as error:
            self._try_again(hosting, request, error, request.losses)
            return
        except Failed as error:
            log.error("what became of a request to %s is lost: %s", hosting.stored.endpoint.at.arn, error)
        self._over(hosting, request, None, str(failure))

    def _over(self, hosting: Hosting, request: Queued, content_type: str | None, failure: str | None) -> None:
        """A request is over; in the same transaction that is told to its topic, if it has one for that."""
        at, now = hosting.stored.endpoint.at, self._dispatcher.clock.now()
        topic = request.topics.get("SuccessTopic" if failure is None else "ErrorTopic")
        acting = None
        if topic is not None:
            try:
                acting = self._acting(hosting)
            except Failed as error:
                log.error("%s is not told of a request to %s: %s", topic, at.arn, error)

        def work(tx: Transaction) -> None:
            store_queued.over(tx, request)
            if acting is None:
                return
            told = orjson.dumps(request.notification(at, now, content_type, failure)).decode()
            try:
                acting.within(tx).call("sns", "Publish", {"TopicArn": topic, "Message": told})
            except AwsError as error:
                log.error("%s is not told of a request to %s: %s", topic, at.arn, error.message)

        self._dispatcher.storage.write(work)
