"""Whom a command asks that may ask either: a server, as any AWS client does, or a data directory."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated

import typer

from modelyard.cli.calling import Call, as_root
from modelyard.cli.client import as_client
from modelyard.cli.options import settings_of

Endpoint = Annotated[
    str | None,
    typer.Option(
        "--endpoint-url",
        envvar="AWS_ENDPOINT_URL",
        metavar="URL",
        help="The server to ask, with the AWS credentials of this shell. With --data, or without an address, the data directory "
        "is worked on as its administrator.",
    ),
]


def asking(
    context: typer.Context, data: Path, account: str | None, region: str | None, endpoint: str | None
) -> AbstractContextManager[Call]:
    """A server, with the credentials of this shell, when an address is known and --data is not given; else a data directory.

    At a server the credentials say which account it is.
    """
    source = context.get_parameter_source("data")
    if endpoint and (source is None or source.name != "COMMANDLINE"):
        return as_client(endpoint, region, account)
    return as_root(settings_of(data), account, region)
