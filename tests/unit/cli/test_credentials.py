"""Keys that the command line keeps for the owner of a data directory."""

import stat
from pathlib import Path

import pytest

from modelyard.cli import credentials
from modelyard.cli.credentials import Credentials
from modelyard.cli.failure import CommandFailure

ACCOUNT = "111122223333"
KEY = Credentials("AKIAEXAMPLE", "secret/with+signs")


@pytest.mark.ours
def test_a_kept_key_is_found_again(tmp_path: Path) -> None:
    """What is kept for an account and a profile comes back as it was."""
    credentials.add(tmp_path, ACCOUNT, "admin", KEY)
    credentials.add(tmp_path, ACCOUNT, "reviewer", Credentials("AKIAOTHER", "other"))
    assert credentials.kept(tmp_path, ACCOUNT) == {"admin": KEY, "reviewer": Credentials("AKIAOTHER", "other")}


@pytest.mark.ours
def test_only_the_owner_may_read_a_kept_key(tmp_path: Path) -> None:
    """The file has mode 0600 and its directory 0700, also when an older file was open to others."""
    path = credentials.add(tmp_path, ACCOUNT, "admin", KEY)
    path.chmod(0o644)
    credentials.add(tmp_path, ACCOUNT, "admin", KEY)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.ours
def test_the_first_account_is_the_default_one(tmp_path: Path) -> None:
    """Accounts that come later do not take the place of the one that `init` made."""
    credentials.add(tmp_path, ACCOUNT, "admin", KEY)
    credentials.add(tmp_path, "444455556666", "admin", KEY)
    assert credentials.default_account(tmp_path) == ACCOUNT


@pytest.mark.ours
def test_an_empty_directory_is_told_to_init(tmp_path: Path) -> None:
    """Without any account the sentence names the command that makes one."""
    with pytest.raises(CommandFailure, match="modelyard init --data"):
        credentials.default_account(tmp_path)


@pytest.mark.ours
@pytest.mark.parametrize("content", ["", "[]", "{", '{"profiles": {"admin": {}}}', '{"profiles": []}'])
def test_a_damaged_file_is_said_to_be_damaged(tmp_path: Path, content: str) -> None:
    """A file that does not hold keys is one sentence, never a traceback."""
    path = credentials.path_of(tmp_path, ACCOUNT)
    path.parent.mkdir()
    path.write_text(content)
    with pytest.raises(CommandFailure, match="damaged"):
        credentials.kept(tmp_path, ACCOUNT)
