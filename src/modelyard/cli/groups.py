"""`modelyard groups`: the groups of teams, and what groups ask of their versions."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from modelyard.cli.calling import as_root
from modelyard.cli.failure import CommandFailure
from modelyard.cli.options import DEFAULT_DATA, Account, Data, Region, settings_of
from modelyard.cli.output import print_json, say
from modelyard.cli.runbook import commands

app = typer.Typer(
    name="groups", help="The groups of teams; approval rules and metadata contracts of groups.", no_args_is_help=True
)
commands.add_to(app)

Group = Annotated[str, typer.Argument(metavar="GROUP", help="The group's name, or its ARN.")]
Put = Annotated[Path | None, typer.Option("--put", metavar="FILE", help="A JSON file that takes the place of what is there.")]
Delete = Annotated[bool, typer.Option("--delete", help="Take it away.")]


@app.command("rules")
def rules(
    group: Group,
    put: Put = None,
    delete: Delete = False,
    data: Data = DEFAULT_DATA,
    account: Account = None,
    region: Region = None,
) -> None:
    """Show, put or delete the approval rules of a group: who approves, why, and what its figures have to be."""
    document = _read(put, delete=delete)
    with as_root(settings_of(data), account, region) as call:
        if delete:
            call("modelyard", "DeleteApprovalRules", ModelPackageGroupName=group)
            say(f"{group} has no approval rules any more.")
            return
        if document is not None:
            call("modelyard", "PutApprovalRules", ModelPackageGroupName=group, Rules=document)
        print_json(call("modelyard", "GetApprovalRules", ModelPackageGroupName=group)["Rules"])


@app.command("contract")
def contract(
    group: Group,
    put: Put = None,
    delete: Delete = False,
    data: Data = DEFAULT_DATA,
    account: Account = None,
    region: Region = None,
) -> None:
    """Show, put or delete the metadata contract of a group: the JSON Schema that every registration has to keep to."""
    document = _read(put, delete=delete)
    with as_root(settings_of(data), account, region) as call:
        if delete:
            call("modelyard", "DeleteMetadataContract", ModelPackageGroupName=group)
            say(f"{group} has no metadata contract any more.")
            return
        if document is not None:
            call("modelyard", "PutMetadataContract", ModelPackageGroupName=group, Schema=json.dumps(document))
        print_json(json.loads(call("modelyard", "GetMetadataContract", ModelPackageGroupName=group)["Schema"]))


def _read(file: Path | None, *, delete: bool) -> Any:
    if file is None:
        return None
    if delete:
        raise CommandFailure("Either --put or --delete, not both.")
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CommandFailure(f"{file} is not JSON: {error}.") from error
