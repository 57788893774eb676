"""The engine that runs endpoints: it makes what runs match the rows of those endpoints that are this server's.

`turn` is called by the worker, every so often and whenever something changed: it reads, acts, and writes down what came of it.
All it knows itself is what runs; so whichever server has the rows goes on where the last one ended.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence

from modelyard.aws.errors import AwsError
from modelyard.dispatch.artifacts import keeper
from modelyard.dispatch.backends import backend_of
from modelyard.dispatch.dispatcher import Dispatcher
from modelyard.dispatch.tags import forget_tags, tags_of
from modelyard.endpoints import endpoint, events_endpoints, queued, store_owners, store_queued, wakening
from modelyard.endpoints import store_endpoints as store
from modelyard.endpoints.acting import context_of
from modelyard.endpoints.beside import Besides
from modelyard.endpoints.deployment import FIRST, Deployment, Hosted, Kind, Result, Stored, holder
from modelyard.endpoints.endpoint import Status
from modelyard.endpoints.fleet import instance_id
from modelyard.endpoints.forwarding import Forwarding
from modelyard.endpoints.hosting import Hosting
from modelyard.endpoints.instance import DRAIN_SECONDS, Instance
from modelyard.endpoints.launching import Launching
from modelyard.endpoints.lent import LentInstance
from modelyard.endpoints.model import Name
from modelyard.endpoints.ownership import Ownership
from modelyard.endpoints.pool import Patience
from modelyard.endpoints.publishing import Publisher
from modelyard.endpoints.relaying import Relay
from modelyard.endpoints.rollout import Outcome
from modelyard.endpoints.routes import Routes
from modelyard.endpoints.serving_components import ComponentServing
from modelyard.runtime.process import Runtime
from modelyard.storage.interface import Transaction

log = logging.getLogger("modelyard.endpoints")


class Serving:
    """Runs endpoints (an engine, `dispatch.engines`)."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        self._runtime = dispatcher.engines.get(Runtime, Runtime)
        self.loop: asyncio.AbstractEventLoop = self._runtime.loop if dispatcher.reception is None else dispatcher.reception.loop
        self.routes = Routes()
        self.relay = Relay(self.routes, self.loop)
        self._publisher = Publisher(dispatcher, self.relay.meter, self.loop)
        settings = dispatcher.settings
        self._patience = Patience(settings.serverless_idle_seconds, settings.serverless_start_seconds)
        self.forwarding = Forwarding(self.loop, self._patience.start)
        self.ownership = Ownership(dispatcher)
        self._launching = Launching(dispatcher, self._runtime, backend_of(dispatcher))
        self._launching.clear_away()
        self._components = ComponentServing(dispatcher, self.routes, self._launch, self._ringing)
        self._besides = Besides.of(dispatcher, self.relay, self._launching.lines)
        self._hostings: dict[int, Hosting] = {}
        self._deployments: dict[int, Deployment] = {}
        self._revisions: dict[int, int] = {}
        self._turning = threading.Lock()
        self._closed = False

    @classmethod
    def of(cls, dispatcher: Dispatcher) -> "Serving":
        """That of a server."""
        return dispatcher.engines.get(cls, lambda: cls(dispatcher))

    def turn(self) -> None:
        """Look at everything once."""
        with self._turning:
            if not self._closed:
                self._turn()

    def hosting(self, number: int) -> Hosting | None:
        """An endpoint that this server runs. On any thread."""
        return self._hostings.get(number)

    @property
    def hostings(self) -> list[Hosting]:
        """The endpoints that this server runs."""
        return list(self._hostings.values())

    def lend(self, at: Name, hosted: Hosted) -> LentInstance:
        """Begin to start an instance for a job."""
        return LentInstance(at, hosted, self._launching, self.loop)

    def flush_logs(self) -> None:
        """Keep what containers have printed so far, for tests and tools."""
        self._launching.flush_logs()

    def close(self) -> None:
        """End everything that runs; the rows stay, and with them the endpoints."""
        with self._turning:
            self._closed = True
            for hosting in self._hostings.values():
                self.routes.put(hosting.key, None)
                for fleet in hosting.fleets.values():
                    fleet.abandon()
            self._components.close()
            self._besides.close()
            self._launching.close()
            self.ownership.close()

    # --- a turn ---------------------------------------------------------------------------------

    def _turn(self) -> None:
        self.ownership.beat()
        with self._dispatcher.storage.read() as tx:
            revisions = store_owners.revisions(tx, self.ownership.name)
            for number, revision in revisions.items():
                if self._revisions.get(number) != revision:
                    self._read(tx, number)
        for number in [one for one in self._hostings if one not in revisions]:
            self._abandon(number)
        for number in revisions:
            hosting = self._hostings.get(number)
            if hosting is None:
                continue
            try:
                self._steer(hosting)
            except Exception:
                # One endpoint must not hold up the others; it is tried again in the next turn.
                log.exception("the endpoint %s cannot be steered", hosting.stored.endpoint.at.arn)
        self._components.turn(self.ownership.name)
        self._publisher.turn(self._hostings.values(), self._components.placed)

    def _read(self, tx: Transaction, number: int) -> None:
        stored = store_owners.owned(tx, number, self.ownership.name)
        if stored is None:
            return
        hosting = self._hostings.setdefault(number, Hosting(stored, self._besides.attach, self._patience))
        hosting.read(stored, lambda one: self._deployment(tx, one))
        self._revisions[number] = stored.revision
        needed = {stored.serving, stored.pending}
        for one in [one for one, kept in self._deployments.items() if kept.endpoint == number and one not in needed]:
            del self._deployments[one]

    def _deployment(self, tx: Transaction, number: int) -> Deployment:
        found = self._deployments.get(number)
        if found is None:
            found = self._deployments[number] = store.deployment(tx, number)
        return found

    def _abandon(self, number: int) -> None:
        """An endpoint is no longer this server's."""
        hosting = self._hostings.pop(number)
        self._revisions.pop(number, None)
        self.routes.put(hosting.key, None)
        for fleet in hosting.fleets.values():
            fleet.abandon()

    def _steer(self, hosting: Hosting) -> None:
        outcome = hosting.steer(lambda variant, plan: self._launch(hosting.stored, variant, plan), self._ringing)
        self.routes.put(hosting.key, hosting.route() if outcome is None else hosting.route_after(outcome))
        if outcome is not None:
            self._conclude(hosting, outcome)
        elif hosting.stored.endpoint.status is Status.DELETING and hosting.is_idle:
            self._write(hosting, lambda tx, stored: self._deleted(tx, hosting, stored))
        else:
            self._note(hosting)

    def _launch(self, stored: Stored, variant: str, plan: Deployment) -> Instance:
        instance = Instance(instance_id(), variant, plan.hosted[variant], self.loop, wakening.tell)
        if plan.is_asynchronous:
            instance.drain_seconds = queued.LONGEST_ANSWER_OF_ALL + DRAIN_SECONDS
        self._launching.start(stored.endpoint.at, instance)
        return instance

    def _ringing(self, stored: Stored, deployment: Deployment) -> Sequence[str]:
        """The alarms of a deployment that are in the state ALARM."""
        alarms = deployment.policy.get("AutoRollbackConfiguration", {}).get("Alarms", [])
        if not alarms:
            return []
        context = context_of(self._dispatcher, stored.endpoint.at, None)
        names = [alarm["AlarmName"] for alarm in alarms]
        try:
            found = context.call("cloudwatch", "DescribeAlarms", {"AlarmNames": names, "StateValue": "ALARM"})
        except AwsError as error:
            log.warning("the alarms of %s cannot be looked at: %s", stored.endpoint.at.arn, error.message)
            return []
        return [alarm["AlarmName"] for alarm in found.get("MetricAlarms", [])]

    # --- what is written down -------------------------------------------------------------------

    def _write(self, hosting: Hosting, work: Callable[[Transaction, Stored], None]) -> None:
        """Change the rows of an endpoint, if they still are as they were read."""

        def act(tx: Transaction) -> None:
            stored = store.by_id(tx, hosting.stored.id)
            if stored is not None and stored.revision == hosting.stored.revision and stored.owner == self.ownership.name:
                work(tx, stored)

        self._dispatcher.storage.write(act)
        wakening.tell()

    def _conclude(self, hosting: Hosting, outcome: Outcome) -> None:
        self._write(hosting, lambda tx, stored: self._concluded(tx, hosting, stored, outcome))

    def _concluded(self, tx: Transaction, hosting: Hosting, stored: Stored, outcome: Outcome) -> None:
        """The pending deployment has ended."""
        pending, before, now = hosting.pending, hosting.serving, self._dispatcher.clock.now()
        assert pending is not None, "something had an outcome"
        well = outcome.result is Result.SUCCEEDED
        if pending.kind in FIRST:
            core = endpoint.created(stored.endpoint, outcome.reason)
        else:
            core = endpoint.updated(stored.endpoint, outcome.reason)
        serving = pending if well else before
        current, on_its_way = hosting.seen()
        shown = on_its_way if well and pending.kind is not Kind.WEIGHTS else current
        if well:
            weights = {one.name: one.weight for one in pending.variants}
            shown = {name: {**one, "Weight": weights.get(name, 0.0)} for name, one in shown.items()}
        store.end(tx, pending.id, outcome.result, outcome.reason, now)
        keeps = keeper()
        if not well and keeps is not None:
            keeps.unpin(tx, holder(pending.id), now)
        state = {"Current": shown}
        store.put(tx, stored, core, now, serving=None if serving is None else serving.id, pending=None, state=state)
        after = store.by_id(tx, stored.id)
        assert after is not None, "it was just written"
        events_endpoints.state_changed(tx, after, serving, None, now)
        if well and pending.kind is not Kind.WEIGHTS:
            if before is not None:
                events_endpoints.deployed(tx, after, before, "Withdrawn", now)
            events_endpoints.deployed(tx, after, pending, "Deployed", now)

    def _deleted(self, tx: Transaction, hosting: Hosting, stored: Stored) -> None:
        """Nothing of an endpoint that is deleted runs any more: it is history."""
        now, arn = self._dispatcher.clock.now(), stored.endpoint.at.arn
        events_endpoints.state_changed(tx, stored, hosting.serving, None, now, status="DELETED")
        if hosting.serving is not None:
            events_endpoints.deployed(tx, stored, hosting.serving, "Withdrawn", now)
        state = {**stored.state, "Tags": tags_of(tx, arn)}
        store.put(tx, stored, stored.endpoint, now, deleted=now, state=state, owner=None)
        forget_tags(tx, arn)
        store_queued.forget(tx, stored.id)

    def _note(self, hosting: Hosting) -> None:
        """Write down what Describe shows of an endpoint, where that has changed."""
        current, on_its_way = hosting.seen()
        state = {name: value for name, value in hosting.stored.state.items() if name in ("LastDeploymentConfig", "Tags")}
        state |= {name: value for name, value in (("Current", current), ("Pending", on_its_way)) if value}
        rollout = hosting.rollout
        staged = False
        if rollout is not None:
            before = hosting.stored.state.get("Stage", {})
            staged = {name: value for name, value in before.items() if name != "StartTime"} != rollout.shown
            state["Stage"] = {**rollout.shown, "StartTime": self._dispatcher.clock.now()} if staged else before
        if state == hosting.stored.state:
            return

        def note(tx: Transaction, stored: Stored) -> None:
            store.put_state(tx, stored, state)
            after = store.by_id(tx, stored.id)
            if staged and hosting.pending is not None and after is not None:
                events_endpoints.deployment_changed(tx, after, hosting.serving, hosting.pending, self._dispatcher.clock.now())

        self._write(hosting, note)
