"""`modelyard metadata`: the JSON document that a version carries."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from modelyard.cli.calling import as_root
from modelyard.cli.options import DEFAULT_DATA, Account, Data, Region, settings_of, version_arn
from modelyard.cli.output import print_json, say

app = typer.Typer(name="metadata", help="Read and write the JSON document that a version carries.", no_args_is_help=True)

Version = Annotated[str, typer.Argument(metavar="VERSION", help="`group/3`, the name of an unversioned package, or an ARN.")]


@app.command("get")
def get(
    version: Version,
    revision: Annotated[int | None, typer.Option("--revision", help="An earlier revision; the newest without it.")] = None,
    data: Data = DEFAULT_DATA,
    account: Account = None,
    region: Region = None,
) -> None:
    """Print the document of a version."""
    asked = {} if revision is None else {"Revision": revision}
    with as_root(settings_of(data), account, region) as call:
        arn = version_arn(version, call.region, call.account)
        found = call("modelyard", "GetVersionMetadata", ModelPackageArn=arn, **asked)
    print_json(json.loads(found["Document"]))


@app.command("put")
def put(
    version: Version,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A JSON file; `-` for standard input.")],
    data: Data = DEFAULT_DATA,
    account: Account = None,
    region: Region = None,
) -> None:
    """Let a version carry a document. The ones before stay as earlier revisions."""
    text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    with as_root(settings_of(data), account, region) as call:
        arn = version_arn(version, call.region, call.account)
        made = call("modelyard", "PutVersionMetadata", ModelPackageArn=arn, Document=text)
    say(f"{arn} has revision {made['Revision']}.")
