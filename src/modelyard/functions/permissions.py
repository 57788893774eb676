"""What Lambda's operations ask for: an action on a function, under its resource policy and tags."""

from collections.abc import Iterable, Mapping
from typing import Any

from modelyard.access.permission import Permission, Resource
from modelyard.access.roles import pass_role
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Permissions
from modelyard.dispatch.tags import TagsOnDemand
from modelyard.functions import store
from modelyard.functions.failures import invalid, no_such_function
from modelyard.functions.function import Version
from modelyard.functions.function_name import FunctionName, named
from modelyard.storage.interface import Transaction

Request = dict[str, Any]
LAMBDA_PRINCIPAL = "lambda.amazonaws.com"


def function_at(context: Context, request: Request) -> FunctionName:
    """The function that a request names. Raises InvalidParameterValueException for what is no name."""
    at = named(request["FunctionName"], request.get("Qualifier"), context.account, context.region)
    if at is None:
        raise invalid(
            f"The name {request['FunctionName'][:256]} and the qualifier {request.get('Qualifier', 'none')[:128]} do not name a"
            f" function in {context.region}."
        )
    return at


def existing(tx: Transaction, at: FunctionName) -> Version:
    """The version that a name means. Raises ResourceNotFoundException."""
    found = store.version(tx, at)
    if found is None:
        raise no_such_function(at.qualified_arn)
    return found


def resource(tx: Transaction, at: FunctionName) -> Resource:
    """A function as policies see it, whether it is there or not."""
    return Resource(at.qualified_arn, at.account, TagsOnDemand(tx, at.arn), store.policy(tx, at))


def on_function(action: str) -> Permissions:
    """One action on the function that the request names."""

    def permissions(context: Context, request: Request) -> Iterable[Permission]:
        yield Permission(f"lambda:{action}", resource(context.tx, function_at(context, request)))

    return permissions


def on_all(action: str) -> Permissions:
    """An action that is about no function in particular."""

    def permissions(context: Context, _request: Request) -> Iterable[Permission]:
        yield Permission(f"lambda:{action}", Resource("*", context.account))

    return permissions


def passing(context: Context, request: Request) -> Iterable[Permission]:
    """Handing the request's role to Lambda, if it has one."""
    if "Role" in request:
        yield pass_role(context.tx, request["Role"], LAMBDA_PRINCIPAL)


def tag_conditions(tags: Mapping[str, str]) -> dict[str, str | tuple[str, ...]]:
    """`aws:RequestTag/<key>` and `aws:TagKeys` of a request."""
    if not tags:
        return {}
    return {**{f"aws:RequestTag/{key}": value for key, value in tags.items()}, "aws:TagKeys": tuple(tags)}
