"""The keys that `modelyard` itself made, kept for the person who owns the data directory.

`<data>/credentials/<account>.json` holds them by profile, readable by its owner alone. The server never reads it: it
keeps its own copy, sealed. A key lost here is replaced with `modelyard users key`.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from modelyard.cli.failure import CommandFailure

ADMINISTRATOR = "admin"


@dataclass(frozen=True, slots=True)
class Credentials:
    """An access key, or the temporary credentials of a role's session."""

    access_key_id: str
    secret_access_key: str
    session_token: str = ""


def path_of(data: Path, account: str) -> Path:
    """The file that holds the keys of an account."""
    return data / "credentials" / f"{account}.json"


def add(data: Path, account: str, profile: str, credentials: Credentials) -> Path:
    """Keep `credentials` as `profile` of `account`; the path of the file. The first account becomes the default."""
    path = path_of(data, account)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    profiles = {name: asdict(values) for name, values in kept(data, account).items()}
    profiles[profile] = asdict(credentials)
    _write(path, json.dumps({"account": account, "profiles": profiles}, indent=2) + "\n")
    default = path.parent / "default-account"
    if not default.exists():
        _write(default, account + "\n")
    return path


def default_account(data: Path) -> str:
    """The account that `modelyard init` made. Raises CommandFailure."""
    try:
        return (data / "credentials" / "default-account").read_text(encoding="ascii").strip()
    except FileNotFoundError:
        raise CommandFailure(f"{data} is not a Modelyard data directory yet: run `modelyard init --data {data}` first.") from None


def kept(data: Path, account: str) -> Mapping[str, Credentials]:
    """The keys that are kept for an account, by profile. Raises CommandFailure when the file is damaged."""
    path = path_of(data, account)
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return {name: Credentials(**values) for name, values in document["profiles"].items()}
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CommandFailure(f"{path} is damaged and cannot be read as stored keys.") from error


def _write(path: Path, text: str) -> None:
    """Replace a file in one step, so that a reader never sees half of it and nobody else sees any."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
