"""The command line as a whole: its help, and how errors become sentences."""

import errno
import re
import sqlite3

import pytest
from typer.testing import CliRunner

from modelyard.aws.errors import ValidationException
from modelyard.cli import main
from modelyard.cli.failure import CommandFailure
from modelyard.settings import SettingsError
from modelyard.storage.errors import StorageUnavailable

COMMANDS = ("init", "serve", "env", "accounts", "users", "backup", "restore", "verify", "versions", "demo", "version")
VERSIONS = [f"versions {name}" for name in ("sign", "signatures", "verify", "export", "provenance", "bom")]


@pytest.mark.ours
def test_help_lists_every_command() -> None:
    """Each command stands in the help."""
    said = CliRunner().invoke(main.app, ["--help"]).output
    assert all(re.search(rf"\b{command}\b", said) for command in COMMANDS)


@pytest.mark.ours
@pytest.mark.parametrize(
    "command", [*COMMANDS, "accounts create", "accounts list", "users create", "users key", "users list", *VERSIONS]
)
def test_every_command_has_a_help(command: str) -> None:
    """It says how it is used and what it does."""
    said = CliRunner().invoke(main.app, [*command.split(), "--help"])
    assert said.exit_code == 0 and f"{command} " in said.output and "Usage" in said.output


@pytest.mark.ours
@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (CommandFailure("The yard is closed."), "modelyard: The yard is closed.\n"),
        (SettingsError("The port is wrong."), "modelyard: The port is wrong.\n"),
        (ValidationException("User exists."), "modelyard: User exists.\n"),
        (StorageUnavailable("disk full"), "modelyard: disk full\n"),
        (PermissionError(errno.EACCES, "Permission denied", "/yard"), "modelyard: /yard: Permission denied\n"),
        (sqlite3.DatabaseError("malformed"), "modelyard: This is a defect in Modelyard: DatabaseError: malformed\n"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_error_is_one_sentence_and_exit_code_1(
    error: Exception, sentence: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is meant for the person is told as it is; what is not is called a defect; nothing is a traceback."""

    def fail() -> None:
        raise error

    monkeypatch.setattr(main, "app", fail)
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == 1
    assert capsys.readouterr() == ("", sentence)


@pytest.mark.ours
def test_an_unknown_command_is_exit_code_2(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is asked wrongly is told from what fails."""
    monkeypatch.setattr("sys.argv", ["modelyard", "nosuch"])
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == 2
