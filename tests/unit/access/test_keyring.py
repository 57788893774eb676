"""The master key, sealed secrets and derived keys."""

import base64
import stat
from pathlib import Path

import pytest

from modelyard.access.keyring import KeyRing, KeyRingError

pytestmark = pytest.mark.ours


def test_seal_and_open(tmp_path: Path) -> None:
    """What is sealed opens again after the key ring was read from its file; no two seals are alike."""
    sealed = KeyRing.create(tmp_path).seal(b"secret", "purpose")
    ring = KeyRing.open(tmp_path)
    assert ring.open_sealed(sealed, "purpose") == b"secret"
    assert b"secret" not in sealed
    assert ring.seal(b"secret", "purpose") != sealed


def test_seals_are_for_one_purpose_and_one_key(tmp_path: Path) -> None:
    """A seal opens for its purpose under its key, and only unchanged."""
    ring, other = KeyRing.create(tmp_path / "a"), KeyRing.create(tmp_path / "b")
    sealed = ring.seal(b"secret", "purpose")
    for attempt in (
        lambda: ring.open_sealed(sealed, "other purpose"),
        lambda: other.open_sealed(sealed, "purpose"),
        *(
            lambda index=index: ring.open_sealed(sealed[:index] + bytes([sealed[index] ^ 1]) + sealed[index + 1 :], "purpose")
            for index in range(len(sealed))
        ),
        *(lambda length=length: ring.open_sealed(sealed[:length], "purpose") for length in range(len(sealed))),
    ):
        with pytest.raises(KeyRingError):
            attempt()


def test_derived_keys(tmp_path: Path) -> None:
    """A purpose always gives the same key, and another purpose another one."""
    ring = KeyRing.create(tmp_path)
    assert ring.derive("pagination") == KeyRing.open(tmp_path).derive("pagination")
    assert len(ring.derive("pagination")) == 32
    assert ring.derive("pagination") != ring.derive("sessions")
    assert ring.derive("pagination") != KeyRing.create(tmp_path / "other").derive("pagination")


def test_files_are_private(tmp_path: Path) -> None:
    """The file is its owner's alone, and so is the directory."""
    KeyRing.create(tmp_path)
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "keys" / "master.key").stat().st_mode) == 0o600


@pytest.mark.parametrize(("name", "mode", "advice"), [("keys/master.key", 0o640, "chmod 600"), ("keys", 0o755, "chmod 700")])
def test_looser_permissions_are_refused(tmp_path: Path, name: str, mode: int, advice: str) -> None:
    """A key that others may read is refused with a sentence that says what to do."""
    KeyRing.create(tmp_path)
    (tmp_path / name).chmod(mode)
    with pytest.raises(KeyRingError, match=advice):
        KeyRing.open(tmp_path)


def test_a_second_key_is_refused(tmp_path: Path) -> None:
    """A master key is never overwritten."""
    KeyRing.create(tmp_path)
    before = (tmp_path / "keys" / "master.key").read_bytes()
    with pytest.raises(KeyRingError, match="exists already"):
        KeyRing.create(tmp_path)
    assert (tmp_path / "keys" / "master.key").read_bytes() == before


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is not a Modelyard master key"),
        (b"\xff\xfe\x00", "is not a Modelyard master key"),
        (b"modelyard-master-key-1 ???", "is damaged"),
        (b"modelyard-master-key-1 " + base64.b64encode(b"short"), "has 32 bytes"),
        (None, "There is no master key"),
    ],
)
def test_broken_files(tmp_path: Path, content: bytes | None, sentence: str) -> None:
    """A file that is missing or is no key is refused with a sentence."""
    KeyRing.create(tmp_path)
    path = tmp_path / "keys" / "master.key"
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    with pytest.raises(KeyRingError, match=sentence):
        KeyRing.open(tmp_path)
