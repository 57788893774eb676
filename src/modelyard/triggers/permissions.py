"""What the operations of EventBridge and its Scheduler ask for: an action on a rule, a bus, a connection, a schedule."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from modelyard.access.permission import Permission, Resource
from modelyard.access.roles import pass_role
from modelyard.aws.arns import Arn
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Permissions
from modelyard.dispatch.resources import finds
from modelyard.dispatch.tags import TagsOnDemand
from modelyard.triggers import store
from modelyard.triggers.failures import no_such_bus, no_such_rule
from modelyard.triggers.names import DEFAULT_BUS, Place, rule_of
from modelyard.triggers.store import Rule

Request = dict[str, Any]
Conditions = dict[str, str | tuple[str, ...]]

EVENTS_PRINCIPAL = "events.amazonaws.com"
SCHEDULER_PRINCIPAL = "scheduler.amazonaws.com"


def here(context: Context) -> Place:
    """Where the caller's rules are."""
    return Place(context.account, context.region)


def check_bus(context: Context, request: Request) -> None:
    """Raise ResourceNotFoundException unless the request means the default bus."""
    name = request.get("EventBusName", DEFAULT_BUS)
    if not here(context).is_default_bus(name):
        raise no_such_bus(name.rpartition("/")[2] or name)


def existing_rule(context: Context, request: Request, member: str = "Name") -> Rule:
    """The rule that a request names. Raises ResourceNotFoundException."""
    check_bus(context, request)
    found = store.rule(context.tx, here(context), request[member])
    if found is None:
        raise no_such_rule(request[member])
    return found


def rule_resource(context: Context, name: str) -> Resource:
    """A rule as policies see it."""
    arn = here(context).rule(name)
    return Resource(arn, context.account, TagsOnDemand(context.tx, arn))


def on_rule(action: str, member: str = "Name", conditions: Callable[[Request], Conditions] | None = None) -> Permissions:
    """One action on the rule that a member of the request names."""

    def permissions(context: Context, request: Request) -> Iterable[Permission]:
        yield Permission(
            f"events:{action}", rule_resource(context, request[member]), conditions(request) if conditions is not None else {}
        )

    return permissions


def on_named(service: str, action: str, arn: Callable[[Place, str], str], member: str = "Name") -> Permissions:
    """One action on what a member of the request names."""

    def permissions(context: Context, request: Request) -> Iterable[Permission]:
        yield Permission(f"{service}:{action}", Resource(arn(here(context), request[member]), context.account))

    return permissions


def on_all(service: str, action: str) -> Permissions:
    """An action that is about no thing in particular."""

    def permissions(context: Context, _request: Request) -> Iterable[Permission]:
        yield Permission(f"{service}:{action}", Resource("*", context.account))

    return permissions


def passing(context: Context, roles: Iterable[str], service: str) -> Iterable[Permission]:
    """Handing roles to a service."""
    for role in sorted(set(roles)):
        yield pass_role(context.tx, role, service)


def tag_conditions(tags: Mapping[str, str]) -> Conditions:
    """`aws:RequestTag/<key>` and `aws:TagKeys` of a request."""
    if not tags:
        return {}
    return {**{f"aws:RequestTag/{key}": value for key, value in tags.items()}, "aws:TagKeys": tuple(tags)}


@finds("events", "rule")
def find_rule(context: Context, arn: Arn) -> Resource | None:
    """A rule by its ARN, for those who ask what may be done with it."""
    found = rule_of(str(arn))
    if found is None or store.rule(context.tx, *found) is None:
        return None
    return Resource(str(arn), arn.account, TagsOnDemand(context.tx, str(arn)))
