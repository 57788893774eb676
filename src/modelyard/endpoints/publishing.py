"""Publishing metrics of endpoints: as the service `sagemaker.amazonaws.com`, as nobody else's data goes into `AWS/` namespaces.

publish(dispatcher, account, region, [datum("ApproximateBacklogSize", 3, {"EndpointName": "answers"})], now)
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import Future
from typing import Any

from modelyard.access.permission import RequestFacts
from modelyard.access.principal import Principal, PrincipalKind
from modelyard.aws.errors import AwsError
from modelyard.dispatch.context import Context
from modelyard.dispatch.dispatcher import Dispatcher
from modelyard.endpoints.hosting import Hosting
from modelyard.endpoints.metering import Datum, Meter, Place, Tally, data_of
from modelyard.endpoints.permissions import SERVICE
from modelyard.storage.errors import StorageUnavailable

NAMESPACE = "AWS/SageMaker"
PUBLISH_SECONDS = 5.0
"""How often metrics are published, at whole multiples of it: an alarm's period of ten seconds is complete soon after its end."""
IDLE_SECONDS = 10.0
"""How often variants that nobody asks publish that."""
MOST_DATA = 500
TAKE_SECONDS = 5.0

log = logging.getLogger("modelyard.endpoints")


def datum(name: str, value: float, dimensions: Mapping[str, str], unit: str = "None") -> Datum:
    """One value of a metric."""
    named = [{"Name": each, "Value": text} for each, text in dimensions.items()]
    return {"MetricName": name, "Value": float(value), "Unit": unit, "Dimensions": named}


def publish(dispatcher: Dispatcher, account: str, region: str, data: Iterable[Datum], time: float) -> None:
    """Put metrics of an account's endpoints, with the resolution of a second. What cannot be kept is lost, and logged."""
    stamped = [{"Timestamp": time, "StorageResolution": 1, **each} for each in data]
    if ("cloudwatch", "PutMetricData") not in dispatcher.operations:
        return
    context = _context(dispatcher, account, region)
    for start in range(0, len(stamped), MOST_DATA):
        some = stamped[start : start + MOST_DATA]
        try:
            context.call("cloudwatch", "PutMetricData", {"Namespace": NAMESPACE, "MetricData": some})
        except (AwsError, StorageUnavailable) as error:
            log.warning("metrics of endpoints of %s could not be published: %s", account, error)


def _context(dispatcher: Dispatcher, account: str, region: str) -> Context:
    facts = RequestFacts(
        now=dispatcher.clock.now(),
        region=region,
        source_ip="",
        secure_transport=True,
        user_agent=SERVICE,
        signature_version="",
        source_account=account,
    )
    return Context(
        principal=Principal(arn=SERVICE, account="", kind=PrincipalKind.SERVICE, unique_id=SERVICE, name=SERVICE),
        facts=facts,
        request_id=dispatcher.ids.request_id(),
        ids=dispatcher.ids,
        storage=dispatcher.storage,
        blobs=dispatcher.blobs,
        settings=dispatcher.settings,
        tokens=dispatcher.tokens,
        dispatcher=dispatcher,
    )


class Publisher:
    """Publishes what a meter counted. On the reconciler's thread."""

    def __init__(self, dispatcher: Dispatcher, meter: Meter, loop: asyncio.AbstractEventLoop) -> None:
        self._dispatcher = dispatcher
        self._meter = meter
        self._loop = loop
        self._published = dispatcher.clock.now()
        self._seen: dict[Place, Tally] = defaultdict(Tally)
        """Requests under way, as they were seen since the last time."""

    def turn(self, hostings: Collection[Hosting]) -> None:
        """Look at what is under way; now and then publish."""
        for hosting in hostings:
            self._look(hosting)
        now = self._dispatcher.clock.now()
        if now // PUBLISH_SECONDS > self._published // PUBLISH_SECONDS:
            begun, self._published = self._published, now
            self._publish(begun, now)

    def _look(self, hosting: Hosting) -> None:
        for fleet in hosting.fleets.values():
            for variant, squad in fleet.squads.items():
                place = Place(hosting.key, hosting.stored.endpoint.at.name, variant)
                self._seen[place].concurrent.update(one.outstanding for one in squad.healthy)

    def _publish(self, begun: float, now: float) -> None:
        tallies = self._taken()
        seen = self._seen
        if now // IDLE_SECONDS > begun // IDLE_SECONDS:
            self._seen = defaultdict(Tally)
        data: dict[tuple[str, str], list[Any]] = defaultdict(list)
        for place in tallies.keys() | seen.keys():
            tally = tallies.get(place, Tally())
            if self._seen is not seen and place in seen:
                tally.concurrent = seen[place].concurrent
            elif not tally.invocations:
                continue
            account, region, _ = place.key
            data[account, region] += data_of(place, tally)
        # In the middle of the time that it was counted in, which may reach beyond the end of a period.
        time = begun + min(PUBLISH_SECONDS, now - begun) / 2
        for (account, region), some in data.items():
            publish(self._dispatcher, account, region, some, time)

    def _taken(self) -> dict[Place, Tally]:
        """What was counted, taken on the event loop that counts; nothing when the server is stopping."""
        taken: Future[dict[Place, Tally]] = Future()
        try:
            self._loop.call_soon_threadsafe(lambda: taken.set_result(self._meter.take()))
            return taken.result(TAKE_SECONDS)
        except (RuntimeError, TimeoutError):
            return {}
