"""Actions of lineage."""

from typing import Any

from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.lineage.entity import Kind, named
from modelyard.lineage.operations import entities
from modelyard.lineage.permissions import creation, on_all, on_entity
from modelyard.lineage.reading import caught_up

operation = operations_of("sagemaker")
Request = dict[str, Any]


@operation("CreateAction", mode=Mode.WRITE, permissions=creation(Kind.ACTION))
def create_action(context: Context, request: Request) -> Request:
    """Make an action of a name that no other has."""
    name = request["ActionName"]
    return entities.create(context, named(context.account, context.region, Kind.ACTION, name), request, name)


@operation("DescribeAction", mode=Mode.STREAM, permissions=on_entity("DescribeAction", Kind.ACTION))
@caught_up
def describe_action(context: Context, request: Request) -> Request:
    """One action, by its name or ARN."""
    return entities.describe(context, Kind.ACTION, request)


@operation("UpdateAction", mode=Mode.WRITE, permissions=on_entity("UpdateAction", Kind.ACTION))
def update_action(context: Context, request: Request) -> Request:
    """Change description, status or properties."""
    return entities.update(context, Kind.ACTION, request)


@operation("DeleteAction", mode=Mode.WRITE, permissions=on_entity("DeleteAction", Kind.ACTION))
def delete_action(context: Context, request: Request) -> Request:
    """Remove an action without associations."""
    return entities.delete(context, Kind.ACTION, request)


@operation("ListActions", mode=Mode.STREAM, permissions=on_all("ListActions", Kind.ACTION))
@caught_up
def list_actions(context: Context, request: Request) -> Request:
    """Actions of the caller's account, by source, type and time."""
    return entities.listed(context, Kind.ACTION, request)
