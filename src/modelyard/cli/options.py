"""The options that several commands share."""

import os
import re
from pathlib import Path
from typing import Annotated

import typer

from modelyard.cli.output import Format
from modelyard.settings import Settings, load_settings


def account_number(value: str | None) -> str | None:
    """The value, when it is an account. Raises BadParameter."""
    if value is None or re.fullmatch(r"[0-9]{12}", value):
        return value
    raise typer.BadParameter(f"an account has 12 digits, and '{value}' has not.")


DEFAULT_DATA = Path("modelyard-data")

Data = Annotated[
    Path,
    typer.Option("--data", envvar="MODELYARD_DATA", metavar="DIR", help="The data directory."),
]
Account = Annotated[
    str | None,
    typer.Option(
        "--account", metavar="ID", callback=account_number, help="The account, 12 digits; without it the one that `init` made."
    ),
]
Region = Annotated[
    str | None, typer.Option("--region", metavar="REGION", help="The region; without it the one that the settings say.")
]
Output = Annotated[Format, typer.Option("--output", help="A table for people, or JSON for programs.")]


def settings_of(data: Path, **given: object) -> Settings:
    """The settings for `data`: what is given here, else the environment's, else the file's, else the defaults."""
    return load_settings(data.absolute(), os.environ, **given)


def version_arn(version: str, region: str, account: str) -> str:
    """The ARN of a version that a command names: `group/3`, the name of an unversioned package, or an ARN."""
    return version if version.startswith("arn:") else f"arn:aws:sagemaker:{region}:{account}:model-package/{version}"
