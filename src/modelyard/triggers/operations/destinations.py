"""API destinations: HTTP endpoints that events are sent to."""

from typing import Any

from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.triggers import pages
from modelyard.triggers import store_destinations as store
from modelyard.triggers.connection import RefusedParameters, check_endpoint
from modelyard.triggers.failures import exists_already, invalid, not_found
from modelyard.triggers.names import Place
from modelyard.triggers.permissions import Request, here, on_all, on_named
from modelyard.triggers.store_destinations import Destination

operation = operations_of("events")

ACTIVE = "ACTIVE"
_GIVEN = ("Description", "ConnectionArn", "InvocationEndpoint", "HttpMethod", "InvocationRateLimitPerSecond")
USUAL_RATE = 300
"""Requests a second, unless another number is given."""


def _existing(context: Context, name: str) -> Destination:
    found = store.destination(context.tx, here(context), name)
    if found is None:
        raise not_found(f"Failed to describe the api-destination(s). An api-destination '{name}' does not exist.")
    return found


def _check(context: Context, document: dict[str, Any]) -> None:
    try:
        check_endpoint(document["InvocationEndpoint"])
    except RefusedParameters as error:
        raise invalid("InvocationEndpoint", str(error)) from None
    found = store.connection_by_arn(context.tx, document["ConnectionArn"])
    owner = document["ConnectionArn"].split(":")[3:5]
    if found is None or owner != [context.region, context.account]:
        raise not_found(f"Connection {document['ConnectionArn']} does not exist.")


def _answer(arn: str, document: dict[str, Any]) -> Request:
    times = {name: document[name] for name in ("CreationTime", "LastModifiedTime")}
    return {"ApiDestinationArn": arn, "ApiDestinationState": ACTIVE, **times}


@operation("CreateApiDestination", mode=Mode.WRITE, permissions=on_named("events", "CreateApiDestination", Place.destination))
def create_api_destination(context: Context, request: Request) -> Request:
    """Name an HTTP endpoint that events may be sent to."""
    name, place = request["Name"], here(context)
    if store.destination(context.tx, place, name) is not None:
        raise exists_already(f"An api-destination '{name}' already exists.")
    given = {member: request[member] for member in _GIVEN if member in request}
    document = {
        "InvocationRateLimitPerSecond": USUAL_RATE,
        **given,
        "CreationTime": context.now,
        "LastModifiedTime": context.now,
    }
    _check(context, document)
    arn = place.destination(name, context.ids.request_id())
    store.put_destination(context.tx, place, name, arn, document)
    return _answer(arn, document)


@operation("UpdateApiDestination", mode=Mode.WRITE, permissions=on_named("events", "UpdateApiDestination", Place.destination))
def update_api_destination(context: Context, request: Request) -> Request:
    """Change an API destination; what is not given stays."""
    found = _existing(context, request["Name"])
    given = {member: request[member] for member in _GIVEN if member in request}
    document = {**found.document, **given, "LastModifiedTime": context.now}
    _check(context, document)
    store.put_destination(context.tx, here(context), found.name, found.arn, document)
    return _answer(found.arn, document)


def _shape(found: Destination) -> dict[str, Any]:
    return {"ApiDestinationArn": found.arn, "Name": found.name, "ApiDestinationState": ACTIVE, **found.document}


@operation("DescribeApiDestination", mode=Mode.READ, permissions=on_named("events", "DescribeApiDestination", Place.destination))
def describe_api_destination(context: Context, request: Request) -> Request:
    """Where an API destination is, and how it is called."""
    return _shape(_existing(context, request["Name"]))


@operation("ListApiDestinations", mode=Mode.SLOW_READ, permissions=on_all("events", "ListApiDestinations"))
def list_api_destinations(context: Context, request: Request) -> Request:
    """The API destinations by name, all or those of one connection."""

    def load(after: str, most: int) -> list[Destination]:
        prefix, connection = request.get("NamePrefix", ""), request.get("ConnectionArn")
        return store.destinations(context.tx, here(context), prefix, after, most, connection)

    def shape(found: Destination) -> dict[str, Any]:
        return {name: value for name, value in _shape(found).items() if name != "Description"}

    return pages.page(context, "ListApiDestinations", request, "ApiDestinations", load, lambda found: found.name, shape)


@operation("DeleteApiDestination", mode=Mode.WRITE, permissions=on_named("events", "DeleteApiDestination", Place.destination))
def delete_api_destination(context: Context, request: Request) -> Request:
    """Forget an API destination; targets that name it fail from then on."""
    store.delete_destination(context.tx, _existing(context, request["Name"]))
    return {}
