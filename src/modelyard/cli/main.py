"""The command line: its commands, and the one place where an error becomes a sentence and an exit code.

Exit codes: 0 done, 1 it failed, 2 it was asked wrongly, 130 it was interrupted.
"""

import os
import sys

import typer

from modelyard.access.accounts import AccountError
from modelyard.access.keyring import KeyRingError
from modelyard.aws.errors import AwsError
from modelyard.cli import (
    access,
    accounts,
    audit,
    backup,
    endpoints,
    environment,
    groups,
    images,
    initialise,
    metadata,
    serve,
    users,
    version,
    versions,
)
from modelyard.cli.demo import command as demo
from modelyard.cli.failure import CommandFailure
from modelyard.settings import SettingsError
from modelyard.storage.errors import StorageError

FAILED = 1
INTERRUPTED = 130
TOLD = (CommandFailure, SettingsError, KeyRingError, AccountError, StorageError, AwsError)
"""The errors whose text is meant for the person."""

app = typer.Typer(
    name="modelyard",
    help="""A model registry that you own and that speaks SageMaker.

    Begin with `modelyard demo`, or with `modelyard init`, `modelyard serve` and, in the shell of your clients,
    `eval "$(modelyard env)"`.""",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
initialise.add_to(app)
serve.add_to(app)
environment.add_to(app)
app.add_typer(accounts.app)
app.add_typer(access.app)
app.add_typer(users.app)
app.add_typer(groups.app)
app.add_typer(metadata.app)
app.add_typer(versions.app)
app.add_typer(endpoints.app)
app.add_typer(audit.app)
app.add_typer(images.app)
backup.add_to(app)
demo.add_to(app)
version.add_to(app)


def main() -> None:
    """Run the command of this process's arguments, and end with its exit code."""
    try:
        app()
    except TOLD as error:
        _fail(str(error))
    except OSError as error:
        _fail(_about_file(error))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except Exception as error:
        if os.environ.get("PYTHONFAULTHANDLER"):
            raise
        _fail(f"This is a defect in Modelyard: {type(error).__name__}: {error}")


def _about_file(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}"


def _fail(sentence: str) -> None:
    print(f"modelyard: {' '.join(sentence.split())}", file=sys.stderr)  # on one line, whatever a database put into it
    sys.exit(FAILED)


if __name__ == "__main__":
    main()
