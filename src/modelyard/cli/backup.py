"""`modelyard backup`, `restore` and `verify`."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from modelyard.cli import copies, verification
from modelyard.cli.failure import CommandFailure
from modelyard.cli.options import DEFAULT_DATA, Data, Output, settings_of
from modelyard.cli.output import Format, print_facts, progress_bar, say
from modelyard.clock import SystemClock
from modelyard.server.composition import initialised

NEW_DATA = Annotated[Path, typer.Option("--data", envvar="MODELYARD_DATA", metavar="DIR", help="The new data directory.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command("backup")(backup)
    app.command("restore")(restore)
    app.command("verify")(verify)


def backup(
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="The directory to make; it must not exist, or be empty.")],
    data: Data = DEFAULT_DATA,
    output: Output = Format.TABLE,
) -> None:
    """Copy everything into one directory: database, objects, keys, settings. The server may be running.

    The copy holds the master key: keep it as you keep the data directory.
    """
    settings = settings_of(data)
    if not initialised(settings.data):
        raise CommandFailure(f"{settings.data} is not a Modelyard data directory: there is nothing to back up.")
    with progress_bar() as bar:
        summary = copies.make_backup(settings, to.absolute(), SystemClock().now(), bar)
    print_facts({"backup": str(to.absolute()), **_figures(asdict(summary))}, output)


def restore(
    source: Annotated[Path, typer.Option("--from", metavar="DIR", help="A directory that `modelyard backup` made.")],
    data: NEW_DATA = DEFAULT_DATA,
    output: Output = Format.TABLE,
) -> None:
    """Put a backup into a new data directory, and verify it there.

    Give `MODELYARD_DATABASE` or `MODELYARD_BLOBS` to restore onto another database or another place for the bytes.
    """
    source, target = source.absolute(), data.absolute()
    with progress_bar() as bar, copies.restored_files(source, target) as draft:
        settings = settings_of(draft)
        summary = copies.restore_backup(source, settings, bar)
        findings = verification.verify_data(settings, bar)
        if findings.problems:
            raise CommandFailure(f"What was restored is not whole, and was removed again: {findings.problems[0]}")
    print_facts({"data": str(target), **_figures(asdict(summary))}, output)


def verify(data: Data = DEFAULT_DATA, output: Output = Format.TABLE) -> None:
    """Read everything again and compare it with what it should be: a data directory, or a backup.

    Every object against its digest, the database's rows against the bytes that are there, the database against
    itself. The server may be running. Ends with 1 when anything is wrong.
    """
    place = data.absolute()
    with progress_bar() as bar:
        if copies.is_backup(place):
            findings = verification.verify_backup(place, bar)
        elif initialised(place):
            findings = verification.verify_data(settings_of(place), bar)
        else:
            raise CommandFailure(f"{place} is neither a Modelyard data directory nor a backup.")
    facts: dict[str, object] = {"data": str(place), **asdict(findings)}
    del facts["damaged"]  # the problems say it in words
    if output is Format.TABLE:
        facts["problems"] = len(findings.problems)
        for problem in findings.problems:
            say(problem)
    print_facts(facts, output)
    if findings.problems:
        raise CommandFailure(f"{place} is not whole: {len(findings.problems)} problems were found.")


def _figures(summary: dict[str, object]) -> dict[str, object]:
    return {name: summary[name] for name in ("rows", "objects", "bytes")}
