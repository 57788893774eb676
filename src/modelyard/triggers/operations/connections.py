"""Connections: how API destinations authorise. Their secrets are kept sealed and never answered."""

from typing import Any

import orjson

from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.triggers import connection, pages
from modelyard.triggers import store_destinations as store
from modelyard.triggers.connection import RefusedParameters
from modelyard.triggers.failures import exists_already, invalid, not_found
from modelyard.triggers.names import Place
from modelyard.triggers.permissions import Request, here, on_all, on_named
from modelyard.triggers.store_destinations import Connection

operation = operations_of("events")

AUTHORIZED = "AUTHORIZED"
_TIMES = ("CreationTime", "LastModifiedTime", "LastAuthorizedTime")
_NOT_HERE = ("KmsKeyIdentifier", "InvocationConnectivityParameters")


def purpose(arn: str) -> str:
    """What the secrets of a connection are sealed for."""
    return f"secrets of connection {arn}"


def existing(context: Context, name: str) -> Connection:
    """The connection of that name. Raises ResourceNotFoundException."""
    found = store.connection(context.tx, here(context), name)
    if found is None:
        raise not_found(f"Failed to describe the connection(s). Connection '{name}' does not exist.")
    return found


def _check(request: Request, kind: str, parameters: dict[str, Any]) -> None:
    for member in _NOT_HERE:
        if member in request:
            raise invalid(member, "It is not available in Modelyard.")
    try:
        connection.check_connection(kind, parameters)
    except RefusedParameters as error:
        raise invalid("AuthParameters", str(error)) from None


def _keep(context: Context, name: str, arn: str, document: dict[str, Any], parameters: dict[str, Any]) -> None:
    sealed = context.dispatcher.authenticator.key_ring.seal(orjson.dumps(parameters), purpose(arn))
    document = {**document, "AuthParameters": connection.public(parameters)}
    store.put_connection(context.tx, here(context), name, arn, document, sealed)


def _answer(arn: str, document: dict[str, Any], *more: str) -> Request:
    return {"ConnectionArn": arn, "ConnectionState": AUTHORIZED, **{name: document[name] for name in (*_TIMES[:2], *more)}}


@operation("CreateConnection", mode=Mode.WRITE, permissions=on_named("events", "CreateConnection", Place.connection))
def create_connection(context: Context, request: Request) -> Request:
    """Keep how API destinations are to authorise: an API key, or a user name and a password."""
    name, kind, parameters = request["Name"], request["AuthorizationType"], request["AuthParameters"]
    _check(request, kind, parameters)
    if store.connection(context.tx, here(context), name) is not None:
        raise exists_already(f"Connection {name} already exists.")
    arn = here(context).connection(name, context.ids.request_id())
    document: dict[str, Any] = {"AuthorizationType": kind, **dict.fromkeys(_TIMES, context.now)}
    if "Description" in request:
        document["Description"] = request["Description"]
    _keep(context, name, arn, document, parameters)
    return _answer(arn, document)


@operation("UpdateConnection", mode=Mode.WRITE, permissions=on_named("events", "UpdateConnection", Place.connection))
def update_connection(context: Context, request: Request) -> Request:
    """Change how API destinations authorise; what is not given stays."""
    found = existing(context, request["Name"])
    kind = request.get("AuthorizationType", found.document["AuthorizationType"])
    before = orjson.loads(context.dispatcher.authenticator.key_ring.open_sealed(found.secrets, purpose(found.arn)))
    parameters = connection.merged(kind, before, request.get("AuthParameters", {}))
    _check(request, kind, parameters)
    document = {**found.document, "AuthorizationType": kind, "LastModifiedTime": context.now, "LastAuthorizedTime": context.now}
    if "Description" in request:
        document["Description"] = request["Description"]
    _keep(context, found.name, found.arn, document, parameters)
    return _answer(found.arn, document, "LastAuthorizedTime")


@operation("DescribeConnection", mode=Mode.READ, permissions=on_named("events", "DescribeConnection", Place.connection))
def describe_connection(context: Context, request: Request) -> Request:
    """What is known of a connection, but for its secrets."""
    found = existing(context, request["Name"])
    return {"ConnectionArn": found.arn, "Name": found.name, "ConnectionState": AUTHORIZED, **found.document}


@operation("ListConnections", mode=Mode.SLOW_READ, permissions=on_all("events", "ListConnections"))
def list_connections(context: Context, request: Request) -> Request:
    """The connections by name."""

    def load(after: str, most: int) -> list[Connection]:
        if request.get("ConnectionState", AUTHORIZED) != AUTHORIZED:
            return []
        return store.connections(context.tx, here(context), request.get("NamePrefix", ""), after, most)

    def shape(found: Connection) -> dict[str, Any]:
        shown = {name: found.document[name] for name in ("AuthorizationType", *_TIMES)}
        return {"ConnectionArn": found.arn, "Name": found.name, "ConnectionState": AUTHORIZED, **shown}

    return pages.page(context, "ListConnections", request, "Connections", load, lambda found: found.name, shape)


@operation("DeleteConnection", mode=Mode.WRITE, permissions=on_named("events", "DeleteConnection", Place.connection))
def delete_connection(context: Context, request: Request) -> Request:
    """Forget a connection and its secrets; API destinations that use it fail from then on."""
    found = existing(context, request["Name"])
    store.delete_connection(context.tx, found)
    answer = _answer(found.arn, dict(found.document), "LastAuthorizedTime")
    return {**answer, "ConnectionState": "DELETING"}
