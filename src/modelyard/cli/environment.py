"""`modelyard env`: everything that a shell needs so that AWS clients speak to this server.

`AWS_ENDPOINT_URL` alone is not enough: the SageMaker Python SDK asks STS at its real address. So clients are also told
to use this server as their HTTPS proxy, and to trust its certificate authority.
"""

import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from modelyard.aws.models import own_models
from modelyard.cli import credentials, profiles, running
from modelyard.cli.options import DEFAULT_DATA, Account, Data, settings_of
from modelyard.cli.output import lines
from modelyard.server.certificates import make_authority
from modelyard.settings import Settings

SDK_CONFIGURATION = """\
SchemaVersion: "1.0"
SageMaker:
  PythonSDK:
    Modules:
      TelemetryOptOut: true
"""

Profile = Annotated[
    str,
    typer.Option(
        "--profile",
        metavar="NAME",
        help="Whose credentials: `admin`, a user that `modelyard users create` made, or a role, as a session of 12 hours; "
        "`execution-role` is the one that jobs run under, as the SageMaker SDK's `get_execution_role()` wants it.",
    ),
]


def add_to(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("env")(env)


def env(data: Data = DEFAULT_DATA, account: Account = None, profile: Profile = credentials.ADMINISTRATOR) -> None:
    """Print the variables that point AWS clients at this server, for `eval "$(modelyard env)"`.

    The lines hold a secret key: they are meant for a shell, not for a log.
    """
    settings = settings_of(data)
    key = profiles.credentials_of(settings, account, profile)
    lines(export_lines(variables(settings, key, os.environ)))


def variables(settings: Settings, key: credentials.Credentials, inherited: Mapping[str, str]) -> dict[str, str]:
    """The variables by name. Writes the files that some of them point to."""
    address = running.address_of(settings.data) or running.address(settings.host, settings.port)
    host = urlsplit(address).hostname or "127.0.0.1"
    authority = str(make_authority(settings.data / "tls", settings.host))
    near = ",".join(dict.fromkeys(["127.0.0.1", "localhost", host, *filter(None, inherited.get("NO_PROXY", "").split(","))]))
    return {
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": key.access_key_id,
        "AWS_SECRET_ACCESS_KEY": key.secret_access_key,
        "AWS_SESSION_TOKEN": key.session_token,  # empty for a user: it has to push out one that the shell still holds
        "AWS_REGION": settings.region,
        "AWS_DEFAULT_REGION": settings.region,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_DATA_PATH": _with_inherited(str(models_folder(settings.data)), inherited.get("AWS_DATA_PATH", "")),
        "AWS_CA_BUNDLE": authority,
        "REQUESTS_CA_BUNDLE": authority,
        "NODE_EXTRA_CA_CERTS": authority,
        "HTTPS_PROXY": address,
        "https_proxy": address,
        "NO_PROXY": near,
        "no_proxy": near,
        "SAGEMAKER_USER_CONFIG_OVERRIDE": str(sdk_configuration(settings.data)),
    }


def export_lines(values: Mapping[str, str]) -> list[str]:
    """The variables as lines of shell."""
    return [f"export {name}={shlex.quote(value)}" for name, value in values.items()]


def sdk_configuration(data: Path) -> Path:
    """The configuration file for the SageMaker SDK, which turns its telemetry off."""
    path = data / "clients" / "sagemaker.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.write_text(SDK_CONFIGURATION, encoding="utf-8")
    return path


def models_folder(data: Path) -> Path:
    """The folder of service models that botocore reads besides its own: ours are copied there, as this version has them."""
    path = data / "clients" / "models"
    path.mkdir(parents=True, exist_ok=True)
    for model in own_models().rglob("*.json"):
        place = path / model.relative_to(own_models())
        content = model.read_bytes()
        if not place.exists() or place.read_bytes() != content:
            place.parent.mkdir(parents=True, exist_ok=True)
            # Clients may be reading it: they find the old text or the new one, never a half.
            part = place.with_suffix(".part")
            part.write_bytes(content)
            part.replace(place)
    return path


def _with_inherited(first: str, rest: str) -> str:
    return os.pathsep.join(dict.fromkeys([first, *filter(None, rest.split(os.pathsep))]))
