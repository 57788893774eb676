"""`modelyard accounts`: accounts are worlds of their own, as in AWS; policies alone lead from one into another."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from modelyard import __version__
from modelyard.access import store
from modelyard.access.accounts import AdministratorCredentials, create_account
from modelyard.access.identities import root_arn
from modelyard.access.keyring import KeyRing
from modelyard.cli import credentials
from modelyard.cli.credentials import Credentials
from modelyard.cli.failure import CommandFailure
from modelyard.cli.options import DEFAULT_DATA, Data, Output, account_number, settings_of
from modelyard.cli.output import Format, print_facts, print_rows
from modelyard.clock import SystemClock
from modelyard.events.audit_record import SUCCESS
from modelyard.events.trail import AuditTrail
from modelyard.ids import RandomIds
from modelyard.server.composition import initialised, open_database
from modelyard.settings import Settings
from modelyard.storage.interface import Storage, Transaction

app = typer.Typer(name="accounts", help="Create and list accounts.", no_args_is_help=True)


@app.command("create")
def create(
    account: Annotated[str, typer.Argument(metavar="ID", callback=account_number, help="12 digits.")],
    data: Data = DEFAULT_DATA,
    output: Output = Format.TABLE,
) -> None:
    """Create an account with an administrator of its own. The server may be running."""
    settings = settings_of(data)
    _require_initialised(settings)
    database = open_database(settings)
    try:
        path = make_account(settings, database, account)
    finally:
        database.close()
    print_facts({"account": account, "administrator": credentials.ADMINISTRATOR, "key": path}, output)


@app.command("list")
def list_accounts(data: Data = DEFAULT_DATA, output: Output = Format.TABLE) -> None:
    """List the accounts."""
    settings = settings_of(data)
    _require_initialised(settings)
    database = open_database(settings)
    try:
        with database.read() as tx:
            found = store.accounts(tx)
    finally:
        database.close()
    rows = [{"account": account, "created": _day_and_time(created)} for account, created in found]
    print_rows(rows, {"account": "account", "created": "created (UTC)"}, output)


def make_account(settings: Settings, database: Storage, account: str) -> str:
    """Create an account; the path of the file that its administrator's key was written to."""
    key_ring = KeyRing.open(settings.data)
    ids, now = RandomIds(), SystemClock().now()
    trail = AuditTrail(key_ring, SystemClock())

    def work(tx: Transaction) -> AdministratorCredentials:
        made = create_account(tx, key_ring, account, ids=ids, now=now, administrator=credentials.ADMINISTRATOR)
        trail.append(tx, _creation(account, settings.region, ids.request_id(), made.access_key_id))
        return made

    made = database.write(work)
    kept = Credentials(made.access_key_id, made.secret_access_key)
    return str(credentials.add(settings.data, account, credentials.ADMINISTRATOR, kept))


def _creation(account: str, region: str, request_id: str, access_key_id: str) -> dict[str, object]:
    """What the audit trail says of a new account: whoever may use this command line made it."""
    root = root_arn(account)
    return {
        "request": request_id,
        "account": account,
        "region": region,
        "principal": root,
        "principal_id": account,
        "source": "command line",
        "agent": f"modelyard/{__version__}",
        "service": "modelyard",
        "operation": "CreateAccount",
        "parameters": {},
        "resources": [root],
        "outcome": SUCCESS,
        "read_only": False,
        "made": {"AccessKeyId": access_key_id},
    }


def _require_initialised(settings: Settings) -> None:
    if not initialised(settings.data):
        raise CommandFailure(
            f"{settings.data} is not a Modelyard data directory yet: run `modelyard init --data {settings.data}` first."
        )


def _day_and_time(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S")
