"""From a profile's name to credentials: keys that are kept, and sessions of roles."""

from modelyard.access.accounts import EXECUTION_ROLE, AccountError, execution_role_credentials
from modelyard.access.keyring import KeyRing
from modelyard.cli import credentials
from modelyard.cli.credentials import Credentials
from modelyard.cli.failure import CommandFailure
from modelyard.clock import SystemClock
from modelyard.ids import RandomIds
from modelyard.server.composition import open_database
from modelyard.settings import Settings

EXECUTION_ROLE_PROFILE = "execution-role"
SESSION_NAME = "SageMaker"


def credentials_of(settings: Settings, account: str | None, profile: str) -> Credentials:
    """The credentials that a profile stands for in `account` (the default one when none is named).

    A profile is a user whose key is kept, else a role, for which this makes a session of 12 hours, as AssumeRole would:
    whoever can read the data directory's master key may, and needs neither a server nor a key. Raises CommandFailure.
    """
    account = account or credentials.default_account(settings.data)
    kept = credentials.kept(settings.data, account)
    if profile in kept:
        return kept[profile]
    if not kept:
        raise CommandFailure(
            f"{settings.data} holds no keys of account {account}: make it with `modelyard accounts create {account}`."
        )
    role = EXECUTION_ROLE if profile == EXECUTION_ROLE_PROFILE else profile
    try:
        return _session(settings, account, role)
    except AccountError:
        known = ", ".join([*sorted(kept), EXECUTION_ROLE_PROFILE])
        raise CommandFailure(f"Account {account} has no kept key and no role named '{profile}'; there are: {known}.") from None


def _session(settings: Settings, account: str, role: str) -> Credentials:
    key_ring = KeyRing.open(settings.data)
    now = SystemClock().now()
    database = open_database(settings)
    try:
        with database.read() as tx:
            issued = execution_role_credentials(
                tx, key_ring, account, ids=RandomIds(), now=now, session_name=SESSION_NAME, role_name=role
            )
    finally:
        database.close()
    return Credentials(issued.access_key_id, issued.secret_access_key, issued.session_token)
