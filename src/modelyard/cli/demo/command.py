"""`modelyard demo`: the command around the story."""

import importlib.util
import json
import subprocess
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from modelyard.cli.demo.narration import Mismatch, Narrator, as_typed, picture_of
from modelyard.cli.failure import CommandFailure

NEEDED = ("boto3", "sklearn", "awscli")
PICTURE_WIDTH = 132
"""In characters."""
DEFAULT_FOLDER = Path(".demo")


def add_to(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("demo")(demo)


def demo(
    folder: Annotated[
        Path, typer.Option("--folder", metavar="DIR", help="Where it keeps its data; emptied first.")
    ] = DEFAULT_FOLDER,
    picture: Annotated[
        Path | None, typer.Option("--picture", metavar="FILE", help="Also save what was shown as an SVG picture.")
    ] = None,
) -> None:
    """Watch real clients take real models through registration, review and approval to an endpoint, and back.

    Starts a server of its own on a free port with a fresh data directory, and ends it. Every claim is checked: the
    exit code is 0 only when all of them hold.
    """
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise CommandFailure(f"The demo also needs {', '.join(missing)}: install `modelyard[demo]`, or run `make demo`.")
    console = Console(record=picture is not None, width=PICTURE_WIDTH if picture else None, highlight=False)
    _tell(folder, console)
    if picture is not None:
        picture.write_text(picture_of(console, "make demo"), encoding="utf-8")


def _tell(folder: Path, console: Console) -> None:
    # Imported here, since they import what only the demo needs.
    from modelyard.cli.demo import yard
    from modelyard.cli.demo.story import Story

    began = time.monotonic()
    tell = Narrator(console)
    tell.title(
        "Modelyard: a model registry that you own and that speaks SageMaker", "The clients are real: boto3 and the AWS CLI."
    )
    data = yard.fresh_directory(folder.absolute())
    made = subprocess.run(
        yard.modelyard("init", "--data", str(data), "--output", "json"), capture_output=True, text=True, check=False
    )
    if made.returncode:
        raise CommandFailure(made.stderr.strip().removeprefix("modelyard: "))
    account = json.loads(made.stdout)["account"]
    with yard.served(data, folder / "server.log") as address:
        story = Story(yard.open_yard(data, address, account), tell)
        tell.say(f"A server of its own answers at {address}, with its data in {as_typed(data)}.")
        try:
            story.run()
        except Mismatch as mismatch:
            raise CommandFailure(f"The demo claims that {mismatch}, and that is not so.") from mismatch
    story.what_next()
    console.print(f"\nAll of it held, in {time.monotonic() - began:.0f} seconds.\n")
