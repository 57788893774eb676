"""`modelyard access`: whether somebody may do something, and what decides it."""

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from modelyard.cli.asking import Endpoint, asking
from modelyard.cli.failure import CommandFailure
from modelyard.cli.options import DEFAULT_DATA, Account, Data, Output, Region
from modelyard.cli.output import Format, lines, print_json

app = typer.Typer(name="access", help="Explain who may do what, and why.", no_args_is_help=True)

POLICIES = {
    "identity": "the policy {name} of the principal",
    "boundary": "the permissions boundary {name}",
    "session": "a session policy",
    "resource": "the policy of {name}",
    "trust": "the trust policy of {name}",
}
"""How the kinds of policies are called in a sentence."""


@app.command("explain")
def explain(
    context: typer.Context,
    principal: Annotated[
        str, typer.Option("--principal", metavar="ARN", help="A user, a role or a session of one; also `user/NAME`, `role/NAME`.")
    ],
    action: Annotated[
        str, typer.Option("--action", metavar="ACTION", help="As policies have it: `sagemaker:CreateModelPackage`.")
    ],
    resource: Annotated[
        str, typer.Option("--resource", metavar="ARN", help="As the refusal names it; `*` for what has no resource.")
    ] = "*",
    key: Annotated[
        list[str] | None,
        typer.Option(
            "--context", metavar="KEY=VALUE", help="A condition key of the request, `aws:SourceIp=10.1.2.3`; repeatable."
        ),
    ] = None,
    data: Data = DEFAULT_DATA,
    account: Account = None,
    region: Region = None,
    endpoint: Endpoint = None,
    output: Output = Format.TABLE,
) -> None:
    """Decide as the server would, and say which statements of which policies decide, or which policy of which account lacks what.

    The account is that of the principal; a principal is explained within its own account alone.
    """
    keys = _context_keys(key or ())
    if account is None and principal.startswith("arn:"):
        account = principal.split(":", 5)[4] if principal.count(":") >= 5 else None
    with asking(context, data, account, region, endpoint) as call:
        arn = principal if principal.startswith("arn:") else f"arn:aws:iam::{call.account}:{principal}"
        told = call("modelyard", "ExplainAccess", PrincipalArn=arn, Action=action, ResourceArn=resource, ContextKeys=keys)
    if output is Format.JSON:
        print_json(told)
        return
    lines(_sentences(told, arn, action, resource))


def _context_keys(given: list[str] | tuple[str, ...]) -> list[dict[str, Any]]:
    """KEY=VALUE, one key several times for several values, as ExplainAccess takes them."""
    values: dict[str, list[str]] = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not equals or ":" not in name:
            raise CommandFailure(f"'{one}' is not KEY=VALUE, as in aws:SourceIp=10.1.2.3.")
        values.setdefault(name, []).append(value)
    return [{"Name": name, "Values": each} for name, each in values.items()]


def _sentences(told: Mapping[str, Any], principal: str, action: str, resource: str) -> Iterator[str]:
    """What a person reads."""
    yield f"{'Allowed' if told['Allowed'] else 'Denied'}: {action} on {resource} by {principal}"
    yield f"  {told['Missing']['Message']}" if "Missing" in told else f"  Why: {told['Reason']}."
    if "GrantId" in told:
        yield f"  Grant: {told['GrantId']}"
    if told.get("ResourceFound") is False and resource != "*":
        yield "  There is no such resource: neither its policy nor its tags are known."
    for statement in told["Statements"]:
        yield from _of_statement(statement)


def _of_statement(statement: Mapping[str, Any]) -> Iterator[str]:
    where = POLICIES[statement["PolicyType"]].format(name=statement["PolicyName"])
    sid = f" ({statement['Sid']})" if "Sid" in statement else ""
    verb = "Allowed" if statement["Effect"] == "Allow" else "Denied"
    yield f"  {verb} by statement {statement['Index'] + 1}{sid} of {where}"
    if "Statement" in statement:
        yield from (f"    {line}" for line in json.dumps(json.loads(statement["Statement"]), indent=2).splitlines())
    else:
        yield "    (its words are for the account that owns it)"
