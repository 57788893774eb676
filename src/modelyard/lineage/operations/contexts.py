"""Contexts of lineage."""

from typing import Any

from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.lineage.entity import Kind, named
from modelyard.lineage.operations import entities
from modelyard.lineage.permissions import creation, on_all, on_entity
from modelyard.lineage.reading import caught_up

operation = operations_of("sagemaker")
Request = dict[str, Any]


@operation("CreateContext", mode=Mode.WRITE, permissions=creation(Kind.CONTEXT))
def create_context(context: Context, request: Request) -> Request:
    """Make a context of a name that no other has."""
    name = request["ContextName"]
    return entities.create(context, named(context.account, context.region, Kind.CONTEXT, name), request, name)


@operation("DescribeContext", mode=Mode.STREAM, permissions=on_entity("DescribeContext", Kind.CONTEXT))
@caught_up
def describe_context(context: Context, request: Request) -> Request:
    """One context, by its name or ARN."""
    return entities.describe(context, Kind.CONTEXT, request)


@operation("UpdateContext", mode=Mode.WRITE, permissions=on_entity("UpdateContext", Kind.CONTEXT))
def update_context(context: Context, request: Request) -> Request:
    """Change description or properties."""
    return entities.update(context, Kind.CONTEXT, request)


@operation("DeleteContext", mode=Mode.WRITE, permissions=on_entity("DeleteContext", Kind.CONTEXT))
def delete_context(context: Context, request: Request) -> Request:
    """Remove a context without associations."""
    return entities.delete(context, Kind.CONTEXT, request)


@operation("ListContexts", mode=Mode.STREAM, permissions=on_all("ListContexts", Kind.CONTEXT))
@caught_up
def list_contexts(context: Context, request: Request) -> Request:
    """Contexts of the caller's account, by source, type and time."""
    return entities.listed(context, Kind.CONTEXT, request)
