"""`modelyard endpoints`: what is deployed where, since when, and the way back."""

import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from modelyard.cli.calling import Call, as_root
from modelyard.cli.failure import CommandFailure
from modelyard.cli.options import DEFAULT_DATA, Account, Data, Output, Region, settings_of, version_arn
from modelyard.cli.output import Format, print_facts, print_rows, say

app = typer.Typer(name="endpoints", help="See what is deployed where, roll back and restore.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="ENDPOINT", help="The name of an endpoint.")]
Version = Annotated[str, typer.Argument(metavar="VERSION", help="`group/3`, the name of an unversioned package, or an ARN.")]
To = Annotated[
    str | None,
    typer.Option("--to", metavar="WHAT", help="A deployment number of `history`, a version (`group/3` or its ARN), or a time."),
]
Force = Annotated[bool, typer.Option("--force", help="Also when a version of it is not approved any more.")]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Do not wait until it is in service.")]
WAIT_SECONDS = 900.0
BUSY = ("Creating", "Updating", "RollingBack", "SystemUpdating")
HISTORY = {
    "DeploymentNumber": "number",
    "Kind": "kind",
    "What": "serves",
    "EndpointConfigName": "configuration",
    "StartTime": "began",
    "StartedBy": "by",
    "Result": "result",
    "Reason": "reason",
}
WHERE = {
    "EndpointName": "endpoint",
    "VariantName": "variant",
    "Environment": "environment",
    "EndpointStatus": "status",
    "InstanceCount": "instances",
    "Since": "since",
    "Until": "until",
    "What": "packaged as",
}
LISTED = {"EndpointName": "endpoint", "EndpointStatus": "status", "CreationTime": "created", "LastModifiedTime": "modified"}
TIMES = (
    "StartTime",
    "EndTime",
    "Since",
    "Until",
    "CreationTime",
    "LastModifiedTime",
    "EndpointCreationTime",
    "EndpointDeletionTime",
)


@app.command("list")
def list_endpoints(
    data: Data = DEFAULT_DATA, account: Account = None, region: Region = None, output: Output = Format.TABLE
) -> None:
    """Print the endpoints of an account."""
    with as_root(settings_of(data), account, region) as call:
        print_rows([_shown(one) for one in _all(call, "sagemaker", "ListEndpoints", "Endpoints")], LISTED, output)


@app.command("history")
def history(
    endpoint: Name, data: Data = DEFAULT_DATA, account: Account = None, region: Region = None, output: Output = Format.TABLE
) -> None:
    """Print what an endpoint was to run over time, the newest first; the one that serves is marked with a star."""
    with as_root(settings_of(data), account, region) as call:
        found = _all(call, "modelyard", "ListEndpointDeployments", "Deployments", EndpointName=endpoint)
    rows = []
    for one in found:
        parts = [_packaged(container) + _role(variant) for variant in one["Variants"] for container in variant["Containers"]]
        number = f"{one['DeploymentNumber']} *" if one["Current"] and output is Format.TABLE else one["DeploymentNumber"]
        rows.append({**_shown(one), "DeploymentNumber": number, "What": ", ".join(parts)})
    print_rows(rows, HISTORY, output)


@app.command("where")
def where(
    version: Version,
    past: Annotated[bool, typer.Option("--past", help="Also where it was deployed once.")] = False,
    data: Data = DEFAULT_DATA,
    account: Account = None,
    region: Region = None,
    output: Output = Format.TABLE,
) -> None:
    """Print where a version is deployed, since when, and how it was packaged."""
    with as_root(settings_of(data), account, region) as call:
        arn = version_arn(version, call.region, call.account)
        found = _all(call, "modelyard", "ListVersionDeployments", "Deployments", ModelPackageArn=arn, IncludePast=past)
    print_rows([{**_shown(one), "What": one["Container"]["Image"] + _role(one)} for one in found], WHERE, output)


@app.command("rollback")
def rollback(
    endpoint: Name,
    to: To = None,
    force: Force = False,
    no_wait: NoWait = False,
    data: Data = DEFAULT_DATA,
    account: Account = None,
    region: Region = None,
    output: Output = Format.TABLE,
) -> None:
    """Move an endpoint back to what it served before, while it goes on to answer. A running server does it."""
    with as_root(settings_of(data), account, region) as call:
        made = call("modelyard", "RollbackEndpoint", EndpointName=endpoint, Force=force, **_choice(call, to))
        _report(call, endpoint, made, output, wait=not no_wait)


@app.command("restore")
def restore(
    endpoint: Name,
    to: To = None,
    force: Force = False,
    no_wait: NoWait = False,
    data: Data = DEFAULT_DATA,
    account: Account = None,
    region: Region = None,
    output: Output = Format.TABLE,
) -> None:
    """Make an endpoint again that was deleted, as it last served. A running server does it."""
    with as_root(settings_of(data), account, region) as call:
        made = call("modelyard", "RestoreEndpoint", EndpointName=endpoint, Force=force, **_choice(call, to))
        _report(call, endpoint, made, output, wait=not no_wait)


@app.command("delete-version")
def delete_version(version: Version, data: Data = DEFAULT_DATA, account: Account = None, region: Region = None) -> None:
    """Delete a version though an endpoint serves it; the endpoint goes on."""
    with as_root(settings_of(data), account, region) as call:
        arn = version_arn(version, call.region, call.account)
        call("modelyard", "DeleteServingVersion", ModelPackageArn=arn)
    say(f"{arn} is deleted.")


def _choice(call: Call, to: str | None) -> dict[str, Any]:
    """What `--to` says. Raises CommandFailure."""
    if to is None:
        return {}
    if to.isdigit():
        return {"DeploymentNumber": int(to)}
    if to.startswith("arn:") or re.fullmatch(r"[A-Za-z0-9-]+/[0-9]+", to):
        return {"ModelPackageArn": version_arn(to, call.region, call.account)}
    try:
        moment = datetime.fromisoformat(to.replace("Z", "+00:00"))
    except ValueError:
        raise CommandFailure(
            f"--to takes a deployment number, a version such as group/3, or a time such as 2026-01-31T12:00:00Z, not '{to}'."
        ) from None
    return {"AsOf": (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()}


def _report(call: Call, endpoint: str, made: Mapping[str, Any], output: Format, *, wait: bool) -> None:
    """Wait until an endpoint is in service again, and say what it serves. Raises CommandFailure."""
    deadline = time.monotonic() + WAIT_SECONDS
    shown = call("sagemaker", "DescribeEndpoint", EndpointName=endpoint)
    if wait and shown["EndpointStatus"] in BUSY:
        say("Waiting for the server to have it in service …")
    while wait and shown["EndpointStatus"] in BUSY:
        if time.monotonic() > deadline:
            raise CommandFailure(f"{endpoint} is still {shown['EndpointStatus']}: does a server run on this data?")
        time.sleep(0.2)
        shown = call("sagemaker", "DescribeEndpoint", EndpointName=endpoint)
    if "FailureReason" in shown:
        raise CommandFailure(f"{endpoint} is {shown['EndpointStatus']} on what it served before: {shown['FailureReason']}")
    facts = {
        "endpoint": made["EndpointArn"],
        "deployment": made["DeploymentNumber"],
        "status": shown["EndpointStatus"],
        "configuration": shown["EndpointConfigName"],
    }
    print_facts(facts, output)


def _all(call: Call, service: str, operation: str, member: str, **request: Any) -> list[Mapping[str, Any]]:
    """All pages of a list."""
    found: list[Mapping[str, Any]] = []
    more: dict[str, Any] = {}
    while True:
        answer = call(service, operation, **request, **more)
        found += answer[member]
        if "NextToken" not in answer:
            return found
        more = {"NextToken": answer["NextToken"]}


def _packaged(container: Mapping[str, Any]) -> str:
    arn = container.get("ModelPackageArn")
    return arn.partition("model-package/")[2] if arn else str(container["Image"])


def _role(variant: Mapping[str, Any]) -> str:
    """What to say of a variant that answers nobody."""
    return " (shadow)" if variant.get("Shadow") else ""


def _shown(one: Mapping[str, Any]) -> dict[str, Any]:
    """One thing with its times as people read them."""
    return {name: _moment(value) if name in TIMES else value for name, value in one.items()}


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
