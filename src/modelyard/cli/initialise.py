"""`modelyard init`: a data directory with a master key, a database, an account and its administrator."""

from typing import Annotated

import typer

from modelyard.access.keyring import KeyRing
from modelyard.cli import credentials
from modelyard.cli.accounts import make_account
from modelyard.cli.failure import CommandFailure
from modelyard.cli.options import DEFAULT_DATA, Data, Output, account_number, settings_of
from modelyard.cli.output import Format, print_facts, say
from modelyard.server.certificates import make_authority
from modelyard.server.composition import initialised, open_database
from modelyard.settings import Settings

FIRST_ACCOUNT = "123456789012"


def add_to(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("init")(init)


def init(
    data: Data = DEFAULT_DATA,
    account: Annotated[
        str | None,
        typer.Option(
            "--account", metavar="ID", callback=account_number, help=f"The first account, 12 digits.  [default: {FIRST_ACCOUNT}]"
        ),
    ] = None,
    output: Output = Format.TABLE,
) -> None:
    """Make a data directory: a master key, a database, an account and its administrator.

    The administrator's key is written to a file that only you can read, and shown nowhere. Run again, it changes nothing.
    """
    settings = settings_of(data)
    known = _known_account(settings)
    if known is None:
        _make(settings, account or FIRST_ACCOUNT)
        known = account or FIRST_ACCOUNT
    elif account not in (None, known):
        raise CommandFailure(
            f"{settings.data} has account {known} already: add another with `modelyard accounts create {account}`."
        )
    else:
        say(f"{settings.data} is there already; nothing was changed.")
    facts = {"data": str(settings.data), "account": known, "administrator": credentials.ADMINISTRATOR}
    print_facts({**facts, "key": str(credentials.path_of(settings.data, known))}, output)


def _known_account(settings: Settings) -> str | None:
    """The account of an earlier `init` that came to its end."""
    if not initialised(settings.data):
        return None
    try:
        return credentials.default_account(settings.data)
    except CommandFailure:
        return None  # an earlier one was broken off after the key and before the account: go on from there


def _make(settings: Settings, account: str) -> None:
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not initialised(settings.data):
        KeyRing.create(settings.data)
    make_authority(settings.data / "tls", settings.host)
    database = open_database(settings)
    try:
        make_account(settings, database, account)
    finally:
        database.close()
