"""Takes the actions of alarms whose states changed.

A Lambda function is invoked as the service that AWS invokes it as, so its policy has to allow that service. The ARN of a scaling
policy is left to the scaling of this server, which follows the events of alarms. Everything else is noted as failed.
"""

import logging
from typing import Protocol

from modelyard.access.permission import RequestFacts
from modelyard.access.principal import Principal, PrincipalKind
from modelyard.aws.errors import AwsError, ThrottlingException
from modelyard.blobs.interface import BlobStore
from modelyard.clock import Clock
from modelyard.dispatch.context import Context
from modelyard.dispatch.dispatcher import Dispatcher
from modelyard.ids import Ids
from modelyard.metrics import store_alarms
from modelyard.metrics.alarm import METRIC_ALARM, Alarm, moment
from modelyard.metrics.store_alarms import Action
from modelyard.metrics.transition import fitting
from modelyard.settings import Settings
from modelyard.storage.interface import Storage, Transaction

log = logging.getLogger("modelyard.metrics")

SERVICE = "lambda.alarms.cloudwatch.amazonaws.com"
"""Who invokes functions for alarms."""
BATCH = 20
MOST_ATTEMPTS = 5
PAUSE_SECONDS = 10.0
CLAIM_SECONDS = 60.0
"""For so long an action is left to the server that took it; if that ends in the middle of it, another one takes it then."""
_FUNCTION, _SCALING = "arn:aws:lambda:", "arn:aws:autoscaling:"


class House(Protocol):
    """What actions need of the server they run in."""

    settings: Settings
    storage: Storage
    blobs: BlobStore
    dispatcher: Dispatcher
    clock: Clock
    ids: Ids


def act(house: House) -> None:
    """Take the actions that are due. One is taken twice only when a server ends in the middle of it."""
    while True:
        with house.storage.read() as tx:
            actions = store_alarms.due_actions(tx, house.clock.now(), BATCH)
        for action in actions:
            _take(house, action)
        if len(actions) < BATCH:
            return


def _take(house: House, action: Action) -> None:
    until = house.clock.now() + CLAIM_SECONDS
    if not house.storage.write(lambda tx: store_alarms.claim(tx, action, until)):
        return
    failed: str | None = None
    try:
        _perform(house, action)
    except ThrottlingException as error:
        if action.attempts + 1 < MOST_ATTEMPTS:
            due = house.clock.now() + PAUSE_SECONDS
            house.storage.write(lambda tx: store_alarms.put_off(tx, action.id, due))
            return
        failed = error.message
    except AwsError as error:
        failed = error.message
    if failed is not None:
        log.warning("an alarm's action failed: %s", failed, extra={"alarm": action.name, "target": action.target})
    house.storage.write(lambda tx: _end(tx, action, failed, house.clock.now()))


def _perform(house: House, action: Action) -> None:
    """Raises AwsError when it cannot be done."""
    if action.target.startswith(_SCALING):
        return
    if not action.target.startswith(_FUNCTION):
        service = action.target.split(":")[2]
        raise AwsError(f"Actions of {service} are not available in Modelyard.")
    request = {"FunctionName": action.target, "InvocationType": "Event", "Payload": action.notice.encode()}
    _context(house, action).call("lambda", "Invoke", request)


def _context(house: House, action: Action) -> Context:
    """The context of a call that an alarm makes."""
    facts = RequestFacts(
        now=house.clock.now(),
        region=action.region,
        source_ip="",
        secure_transport=True,
        user_agent=SERVICE,
        signature_version="",
        source_arn=_alarm(action).arn,
        source_account=action.account,
    )
    return Context(
        principal=Principal(arn=SERVICE, account="", kind=PrincipalKind.SERVICE, unique_id=SERVICE, name=SERVICE),
        facts=facts,
        request_id=house.ids.request_id(),
        ids=house.ids,
        storage=house.storage,
        blobs=house.blobs,
        settings=house.settings,
        tokens=house.dispatcher.tokens,
        dispatcher=house.dispatcher,
    )


def _alarm(action: Action) -> Alarm:
    """Whose action it is; the alarm itself may be gone by now."""
    return Alarm(0, action.account, action.region, action.name, METRIC_ALARM, {}, {}, 0)


def _end(tx: Transaction, action: Action, failed: str | None, now: float) -> None:
    if not store_alarms.end_action(tx, action.id) or action.target.startswith(_SCALING):
        return
    told = {
        "version": "1.0",
        "actionState": "Succeeded" if failed is None else "Failed",
        "notificationResource": action.target,
        "stateUpdateTimestamp": moment(now),
        **({} if failed is None else {"error": failed[:1024]}),
    }
    done = f"Successfully executed action {action.target}"
    summary = done if failed is None else f'Failed to execute action {action.target}. Received error: "{failed}"'
    store_alarms.note(tx, _alarm(action), now, "Action", summary[:255], fitting(told))
