"""`modelyard version`."""

import platform
import sqlite3
from importlib.metadata import version as installed

import typer

from modelyard import __version__
from modelyard.cli.options import Output
from modelyard.cli.output import Format, print_facts


def add_to(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("version")(version)


def version(output: Output = Format.TABLE) -> None:
    """Print which Modelyard this is, and what it stands on."""
    facts = {
        "modelyard": __version__,
        "python": platform.python_version(),
        "service_models": f"botocore {installed('botocore')}",
        "sqlite": sqlite3.sqlite_version,
    }
    print_facts(facts, output)
