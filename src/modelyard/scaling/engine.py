"""What scaling does by itself: it follows alarms and schedules, sets capacities, and sees to it that they come up.

Several servers may do all this at once. A capacity is set, noted and remembered in one transaction, and only if its target is as
it was looked at; so whatever ends a server in between, it is set once.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from modelyard.aws.errors import AwsError
from modelyard.clock import Clock
from modelyard.dispatch.context import Context
from modelyard.dispatch.dispatcher import Dispatcher
from modelyard.ids import Ids
from modelyard.scaling import activity, asking, capacity, scheduled_action, store
from modelyard.scaling.asking import Alarm
from modelyard.scaling.capacity import Capacity
from modelyard.scaling.decision import Memory, bounds_of, decide
from modelyard.scaling.service_role import context_of
from modelyard.scaling.store import Policy, Target
from modelyard.storage.errors import StorageUnavailable
from modelyard.storage.interface import Storage, Transaction

BATCH = 100
PAUSE_SECONDS = 5.0
"""How long a target is left alone of which nothing was to be done, unless other alarms ring for it."""
FAILED_SECONDS = 60.0
"""How long a target is left alone whose capacity was refused."""

log = logging.getLogger("modelyard.scaling")


class House(Protocol):
    """What scaling needs of the server it runs in."""

    storage: Storage
    dispatcher: Dispatcher
    clock: Clock
    ids: Ids


@dataclass(frozen=True, slots=True)
class Step:
    """A capacity that is to be set, and why."""

    wanted: int
    cause: str
    policy: int | None = None
    memory: Memory | None = None


class Engine:
    """Scales."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._pauses: dict[int, tuple[object, float]] = {}
        """Targets that are left alone: as long as this rings for them, and until when."""

    def turn(self) -> None:
        """Do what there is to do."""
        self._take_scheduled()
        with self._house.storage.read() as tx:
            places = store.busy_places(tx)
            waited = store.under_way(tx)
        for account, region in places:
            self._follow(context_of(self._house.dispatcher, account, region))
        for each in waited:
            self._watch(each)
        self._forget()

    # --- schedules ------------------------------------------------------------------------------

    def _take_scheduled(self) -> None:
        now = self._house.clock.now()
        with self._house.storage.read() as tx:
            due = bool(store.due_actions(tx, now, 1))
        if due:
            self._house.storage.write(self._scheduled)

    def _scheduled(self, tx: Transaction) -> None:
        """Set the bounds that are due, and say when they are due again, in one transaction."""
        now = self._house.clock.now()
        for action in store.due_actions(tx, now, BATCH):
            assert action.due is not None, "what is due has a time"
            store.set_due(tx, action.id, scheduled_action.next_due(action.document, action.due, now))
            target = store.target_by_id(tx, action.target)
            if target is None or target.document.get("SuspendedState", {}).get("ScheduledScalingSuspended"):
                continue
            least, most = scheduled_action.new_bounds(
                action.document, target.document["MinCapacity"], target.document["MaxCapacity"]
            )
            store.change_target(tx, target.id, {**target.document, "MinCapacity": least, "MaxCapacity": most})
            cause = activity.by_schedule(action.name)
            told = activity.new_bounds(self._house.ids.request_id(), target.aim, (least, most), cause, now)
            store.add_activity(tx, target.aim, told, None)

    # --- alarms ---------------------------------------------------------------------------------

    def _follow(self, context: Context) -> None:
        """Look at the targets of an account and region for which something rings, or that are not within their bounds yet."""
        try:
            ringing = asking.ringing(context)
        except AwsError as error:
            log.warning("the alarms of %s cannot be looked at: %s", context.account, error.message)
            ringing = {}
        with self._house.storage.read() as tx:
            targets = {one.id: one for one in store.enforced_targets(tx, context.account, context.region)}
            for arn in ringing:
                found = store.target_of_policy(tx, context.account, context.region, arn)
                if found is not None:
                    targets[found.id] = found
            policies = {number: store.policies_of(tx, number) for number in targets}
        for number, target in targets.items():
            heard = {policy.id: ringing.get(policy.arn, []) for policy in policies[number]}
            self._guarded(target, heard, lambda t=target, h=heard: self._look(context, t, policies[t.id], h))  # type: ignore[misc]

    def _guarded(self, target: Target, heard: dict[int, list[Alarm]], look: Callable[[], bool]) -> None:
        """Look at a target, if it is not left alone; nothing that goes wrong with it keeps the others from their turn."""
        now = self._house.clock.now()
        rings = (
            target.revision,
            [(alarm["AlarmName"], alarm["StateUpdatedTimestamp"]) for each in heard.values() for alarm in each],
        )
        before, until = self._pauses.get(target.id, (None, 0.0))
        if target.not_before > now or (before == rings and now < until):
            return
        try:
            acted = look()
        except AwsError as error:
            log.warning("the capacity of %s cannot be looked at: %s", target.aim.resource, error.message)
            acted = False
        except StorageUnavailable:
            raise
        except Exception:
            log.exception("%s cannot be scaled", target.aim.resource)
            acted = False
        if not acted:
            self._pauses[target.id] = (rings, now + PAUSE_SECONDS)

    def _look(self, context: Context, target: Target, policies: Sequence[Policy], heard: dict[int, list[Alarm]]) -> bool:
        """Set another capacity if there is to be one; whether something was done. Raises AwsError."""
        found = capacity.read(context, target.aim)
        if not found.settled:
            # A deployment is under way, which is not to be disturbed.
            return False
        step = self._step(context, target, policies, heard, found)
        if step is not None:
            return self._set(context, target, step)
        if target.enforce:
            self._house.storage.write(lambda tx: self._is_within(tx, target))
        return False

    def _step(
        self, context: Context, target: Target, policies: Sequence[Policy], heard: dict[int, list[Alarm]], found: Capacity
    ) -> Step | None:
        bounds, now = bounds_of(target.document), self._house.clock.now()
        within = bounds.within(found.wanted)
        if target.enforce and within != found.wanted:
            return Step(within, activity.by_bound(found.wanted, bounds.least, bounds.most))
        rings = [(policy, heard[policy.id]) for policy in policies if heard[policy.id]]
        asks = [ask for ask in (asking.ask_of(context, policy, alarms, now) for policy, alarms in rings) if ask is not None]
        together = all(asking.tracks_in(policy, heard[policy.id]) for policy in policies)
        decision = decide(asks, found.wanted, bounds, now, all_track_in=together)
        if decision is None:
            return None
        name = next(policy.name for policy in policies if policy.id == decision.ask.policy)
        cause = activity.by_alarm(decision.ask.alarm, name)
        return Step(decision.capacity, cause, decision.ask.policy, decision.memory)

    def _is_within(self, tx: Transaction, target: Target) -> None:
        fresh = store.target_by_id(tx, target.id)
        if fresh is not None and fresh.revision == target.revision:
            store.settled(tx, target.id)

    def _set(self, context: Context, target: Target, step: Step) -> bool:
        told = activity.begun(self._house.ids.request_id(), target.aim, step.wanted, step.cause, context.now)

        def put(tx: Transaction) -> bool:
            fresh = store.target_by_id(tx, target.id)
            if fresh is None or fresh.revision != target.revision:
                return False
            capacity.put(context.within(tx), target.aim, step.wanted)
            store.settled(tx, target.id)
            if step.policy is not None and step.memory is not None:
                store.remember(tx, step.policy, step.memory)
            store.add_activity(tx, target.aim, told, step.wanted)
            return True

        try:
            return self._house.storage.write(put)
        except AwsError as error:
            failed = activity.failed(told, target.aim, step.wanted, error.message, context.now)
            self._house.storage.write(lambda tx: self._refused(tx, target, failed))
            return True

    def _refused(self, tx: Transaction, target: Target, told: activity.Document) -> None:
        fresh = store.target_by_id(tx, target.id)
        if fresh is not None and fresh.revision == target.revision:
            store.put_off(tx, target.id, self._house.clock.now() + FAILED_SECONDS)
            store.add_activity(tx, target.aim, told, None)

    # --- what was done --------------------------------------------------------------------------

    def _watch(self, each: store.Activity) -> None:
        """Write down what became of an activity, once that is known."""
        assert each.wanted is not None, "it is waited for"
        context, wanted = context_of(self._house.dispatcher, each.aim.account, each.aim.region), each.wanted
        try:
            found = capacity.read(context, each.aim)
        except AwsError as error:
            ended = activity.failed(each.document, each.aim, wanted, error.message, context.now)
        else:
            if not found.settled or (found.wanted == wanted and found.running != wanted):
                return
            if found.wanted == wanted:
                ended = activity.fulfilled(each.document, each.aim, wanted, context.now)
            elif found.failure:
                ended = activity.failed(each.document, each.aim, wanted, found.failure, context.now)
            else:
                ended = activity.overridden(each.document, context.now)
        self._house.storage.write(lambda tx: store.end_activity(tx, each.id, ended))

    def _forget(self) -> None:
        before = self._house.clock.now() - activity.KEPT_SECONDS
        with self._house.storage.read() as tx:
            old = store.has_old(tx, before)
        if old:
            self._house.storage.write(lambda tx: store.forget_old(tx, before))
