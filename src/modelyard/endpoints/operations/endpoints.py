"""Endpoints: create, describe, list, delete."""

from collections.abc import Iterable
from typing import Any

from modelyard.access.permission import Permission, Resource
from modelyard.aws.arns import Arn
from modelyard.aws.errors import ValidationException
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.dispatch.resources import finds
from modelyard.dispatch.tags import from_list, put_tags
from modelyard.endpoints import description, endpoint, pages, scaled_variants, traffic, wakening
from modelyard.endpoints import events_endpoints as events
from modelyard.endpoints import store_endpoints as store
from modelyard.endpoints.deployment import Deployment, Kind, Stored
from modelyard.endpoints.endpoint import Status, variants_of
from modelyard.endpoints.model import Name, RuleBroken
from modelyard.endpoints.operations import planning
from modelyard.endpoints.permissions import creation, named, on_all, on_one, resource_of

operation = operations_of("sagemaker")
Request = dict[str, Any]

KIND = "endpoint"
PAGE_SIZE = 10


def missing(at: Name) -> ValidationException:
    """AWS's error that there is no such endpoint."""
    return ValidationException(f'Could not find endpoint "{at.arn}".')


def existing(context: Context, at: Name) -> Stored:
    """The endpoint. Raises ValidationException."""
    found = store.live(context.tx, at)
    if found is None:
        raise missing(at)
    return found


def deployments_of(context: Context, stored: Stored) -> tuple[Deployment | None, Deployment | None]:
    """What an endpoint serves, and what is on its way."""
    serving, pending = (
        None if number is None else store.deployment(context.tx, number) for number in (stored.serving, stored.pending)
    )
    return serving, pending


def checked_policy(context: Context, policy: Request) -> Request:
    """A DeploymentConfig that can be gone by. Raises ValidationException."""
    try:
        traffic.check(policy)
    except RuleBroken as error:
        raise ValidationException(str(error)) from None
    alarms = policy.get("AutoRollbackConfiguration", {}).get("Alarms")
    if alarms and ("cloudwatch", "DescribeAlarms") not in context.dispatcher.operations:
        raise ValidationException("AutoRollbackConfiguration needs the alarms of CloudWatch, which this server does not have.")
    return policy


def config_resource(context: Context, request: Request) -> Resource:
    """The configuration that a request names, as policies see it."""
    return resource_of(context, named(context, "endpoint-config", request["EndpointConfigName"]))


def _creation(context: Context, request: Request) -> Iterable[Permission]:
    yield from creation("CreateEndpoint", named(context, KIND, request["EndpointName"]), request, {})
    yield Permission("sagemaker:CreateEndpoint", config_resource(context, request))


@operation("CreateEndpoint", mode=Mode.WRITE, permissions=_creation)
def create_endpoint(context: Context, request: Request) -> Request:
    """Begin to make an endpoint: it is in service once all of its instances are."""
    at = named(context, KIND, request["EndpointName"])
    if store.is_there(context.tx, at):
        raise ValidationException(f'Cannot create already existing endpoint "{at.arn}".')
    config = planning.config_of(context, request["EndpointConfigName"])
    policy = checked_policy(context, request.get("DeploymentConfig", {}))
    number = store.add(context.tx, at, Status.CREATING, config["EndpointConfigName"], {}, context.now)
    put_tags(context.tx, at.arn, from_list(request.get("Tags", [])))
    deployment = planning.plan(context, number, Kind.CREATE, config, variants_of(config), policy)
    began(context, number, deployment)
    return {"EndpointArn": at.arn}


def began(context: Context, number: int, deployment: int) -> None:
    """A new endpoint has its first deployment."""
    stored = store.by_id(context.tx, number)
    assert stored is not None, "it was just added"
    store.put(context.tx, stored, stored.endpoint, context.now, pending=deployment)
    changed(context, number)


def changed(context: Context, number: int) -> None:
    """Tell the world that an endpoint has another status, and the worker that there is something to do."""
    stored = store.by_id(context.tx, number)
    assert stored is not None, "it was just written"
    events.state_changed(context.tx, stored, *deployments_of(context, stored), context.now)
    context.tx.after_commit(wakening.tell)


@operation("DescribeEndpoint", mode=Mode.READ, permissions=on_one("DescribeEndpoint", KIND, "EndpointName"))
def describe_endpoint(context: Context, request: Request) -> Request:
    """One endpoint; during an update still as it was before, and what is on its way beside that."""
    stored = existing(context, named(context, KIND, request["EndpointName"]))
    return description.described(stored, *deployments_of(context, stored))


@operation("ListEndpoints", mode=Mode.SLOW_READ, permissions=on_all("ListEndpoints", KIND))
def list_endpoints(context: Context, request: Request) -> Request:
    """Endpoints of the caller's account, newest first."""
    by = request.get("SortBy", "CreationTime")
    account, region = context.account, context.region
    return pages.listed(
        context,
        "ListEndpoints",
        KIND,
        request,
        "Endpoints",
        lambda page: store.page_of(context.tx, account, region, request, page, by),
        lambda _, one: one.folded,
        PAGE_SIZE,
    )


@operation("DeleteEndpoint", mode=Mode.WRITE, permissions=on_one("DeleteEndpoint", KIND, "EndpointName"))
def delete_endpoint(context: Context, request: Request) -> Request:
    """Begin to take an endpoint away: what is under way is answered, then its instances end. Its history stays."""
    stored = existing(context, named(context, KIND, request["EndpointName"]))
    try:
        endpoint.check_deletion(stored.endpoint)
    except RuleBroken as error:
        raise ValidationException(str(error)) from None
    serving, _ = deployments_of(context, stored)
    if serving is not None:
        scaled_variants.deregister(context, stored.endpoint.at, serving.hosted)
    store.put(context.tx, stored, endpoint.moved(stored.endpoint, Status.DELETING), context.now)
    changed(context, stored.id)
    return {}


@finds("sagemaker", KIND)
def find_endpoint(context: Context, arn: Arn) -> Resource | None:
    """An endpoint by its ARN, for the operations that take any ARN."""
    at = Name(arn.account, arn.region, KIND, arn.resource.partition("/")[2])
    return resource_of(context, at) if store.is_there(context.tx, at) else None
