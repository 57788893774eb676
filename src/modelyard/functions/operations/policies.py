"""The resource policy of a function: who may invoke it from elsewhere."""

from typing import Any

import orjson

from modelyard.access.policy import MalformedPolicy, PolicyKind, parse_policy
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, operations_of
from modelyard.functions import store
from modelyard.functions.failures import conflict, invalid, not_found, precondition_failed
from modelyard.functions.function_name import FunctionName
from modelyard.functions.permissions import Request, existing, function_at, on_function

operation = operations_of("lambda")

LONGEST_POLICY = 20_480


def _found(context: Context, request: Request) -> tuple[int, FunctionName]:
    """The function whose policy is meant. Raises AwsError."""
    at = function_at(context, request)
    found = existing(context.tx, at)
    revision = store.policy_revision(context.tx, found.function_id)
    if "RevisionId" in request and request["RevisionId"] != revision:
        raise precondition_failed()
    return found.function_id, at


def _statement(at: FunctionName, request: Request) -> dict[str, Any]:
    who = request["Principal"]
    if who == "*":
        principal: Any = "*"
    elif who.endswith(".amazonaws.com"):
        principal = {"Service": who}
    else:
        principal = {"AWS": f"arn:aws:iam::{who}:root" if who.isdecimal() and len(who) == 12 else who}
    conditions: dict[str, dict[str, str]] = {}
    if "SourceAccount" in request:
        conditions.setdefault("StringEquals", {})["AWS:SourceAccount"] = request["SourceAccount"]
    if "PrincipalOrgID" in request:
        conditions.setdefault("StringEquals", {})["aws:PrincipalOrgID"] = request["PrincipalOrgID"]
    if "SourceArn" in request:
        conditions["ArnLike"] = {"AWS:SourceArn": request["SourceArn"]}
    return {
        "Sid": request["StatementId"],
        "Effect": "Allow",
        "Principal": principal,
        "Action": request["Action"],
        "Resource": at.qualified_arn,
        **({"Condition": conditions} if conditions else {}),
    }


@operation("AddPermission", mode=Mode.WRITE, permissions=on_function("AddPermission"))
def add_permission(context: Context, request: Request) -> Request:
    """Let a service or another account invoke a function."""
    number, at = _found(context, request)
    for member in ("EventSourceToken", "FunctionUrlAuthType", "InvokedViaFunctionUrl"):
        if member in request:
            raise invalid(f"{member} of a permission is not available in Modelyard.")
    statement = _statement(at, request)
    text = orjson.dumps({"Version": "2012-10-17", "Statement": [statement]}).decode()
    try:
        parse_policy(text, PolicyKind.RESOURCE)
    except MalformedPolicy as error:
        raise invalid(f"The provided principal was invalid. Please check the principal and try again. ({error})") from None
    if not store.add_statement(context.tx, number, at.qualifier, statement, context.ids.request_id()):
        raise conflict(
            f"The statement id ({request['StatementId']}) provided already exists. Please provide a new statement id,"
            " or remove the existing statement."
        )
    if len(store.policy(context.tx, at) or "") > LONGEST_POLICY:
        raise invalid(f"The final policy size is bigger than the limit ({LONGEST_POLICY}).")
    return {"Statement": orjson.dumps(statement).decode()}


@operation("RemovePermission", mode=Mode.WRITE, permissions=on_function("RemovePermission"))
def remove_permission(context: Context, request: Request) -> None:
    """Take a permission back."""
    number, at = _found(context, request)
    if not store.remove_statement(context.tx, number, at.qualifier, request["StatementId"], context.ids.request_id()):
        raise not_found(f"Statement {request['StatementId']} is not found in resource policy.")


@operation("GetPolicy", mode=Mode.READ, permissions=on_function("GetPolicy"))
def get_policy(context: Context, request: Request) -> Request:
    """The resource policy of a function."""
    number, at = _found(context, request)
    policy = store.policy(context.tx, at)
    if policy is None:
        raise not_found("The resource you requested does not exist.")
    return {"Policy": policy, "RevisionId": store.policy_revision(context.tx, number)}
