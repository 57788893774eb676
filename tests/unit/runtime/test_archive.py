"""Archives that others made: what is in them comes out, and nothing else happens."""

import gzip
import io
import os
import random
import tarfile
from pathlib import Path

import pytest

from modelyard.runtime.archive import BadArchive, unpack

pytestmark = pytest.mark.ours


def packed(*members: tuple[tarfile.TarInfo, bytes], mode: str = "w:gz") -> io.BytesIO:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode=mode) as archive:
        for member, data in members:
            archive.addfile(member, io.BytesIO(data))
    content.seek(0)
    return content


def member(
    name: str, data: bytes = b"", *, kind: bytes = tarfile.REGTYPE, to: str = "", mode: int = 0o644
) -> tuple[tarfile.TarInfo, bytes]:
    made = tarfile.TarInfo(name)
    made.size, made.type, made.linkname, made.mode = len(data), kind, to, mode
    return made, data


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_files_and_folders_come_out(tmp_path: Path, mode: str) -> None:
    """Folders are made as they are needed, programs stay programs, and nobody else may write."""
    source = packed(
        member("./model.joblib", b"abc", mode=0o4777),
        member("code/inference.py", b"pass", mode=0o200),
        member("empty", kind=tarfile.DIRTYPE),
        member("run.sh", b"#!", mode=0o755),
        mode=mode,
    )
    assert unpack(source, tmp_path) == 9
    found = {str(path.relative_to(tmp_path)): path.stat().st_mode & 0o7777 for path in tmp_path.rglob("*") if path.is_file()}
    assert found == {"model.joblib": 0o755, "code/inference.py": 0o644, "run.sh": 0o755}
    assert (tmp_path / "empty").is_dir()


@pytest.mark.parametrize(
    "bad",
    [
        member("../outside", b"x"),
        member("a/../../outside", b"x"),
        member("/etc/cron.d/job", b"x"),
        member("link", kind=tarfile.SYMTYPE, to="/etc/passwd"),
        member("link", kind=tarfile.SYMTYPE, to="model"),
        member("hard", kind=tarfile.LNKTYPE, to="../../secret"),
        member("null", kind=tarfile.CHRTYPE),
        member("disk", kind=tarfile.BLKTYPE),
        member("pipe", kind=tarfile.FIFOTYPE),
        member("n" * 2000, b"x"),
    ],
    ids=lambda one: f"{one[0].name[:20]}-{one[0].type.decode()}",
)
def test_what_leads_out_is_refused(tmp_path: Path, bad: tuple[tarfile.TarInfo, bytes]) -> None:
    """A path that leads out, a link of any kind, a device or a pipe refuses the archive, and none of it is made."""
    inside = tmp_path / "model"
    inside.mkdir()
    with pytest.raises(BadArchive):
        unpack(packed(member("first", b"1"), bad), inside)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["first", "model"]


def test_sizes_have_an_end(tmp_path: Path) -> None:
    """What is larger than allowed, in bytes or in members, is refused before it is written."""
    bomb = packed(member("zeros", bytes(50_000_000)))
    assert len(bomb.getvalue()) < 100_000
    with pytest.raises(BadArchive, match="more than 1000000 bytes"):
        unpack(bomb, tmp_path, most_bytes=1_000_000)
    assert not list(tmp_path.iterdir())
    with pytest.raises(BadArchive, match="more than 5 members"):
        unpack(packed(*(member(f"f{number}", b"x") for number in range(6))), tmp_path, most_members=5)


@pytest.mark.parametrize("name", ["both", "both/inner"])
def test_a_file_cannot_be_a_folder(tmp_path: Path, name: str) -> None:
    """A name that is a file and a folder is refused."""
    other = "both/inner" if name == "both" else "both"
    with pytest.raises(BadArchive, match="a file and a folder"):
        unpack(packed(member(name, b"x"), member(other, b"y")), tmp_path)


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    """Bytes that are none, or damaged anywhere, are refused with a sentence, or come out when the damage was in a content."""
    for content in (b"", b"hello", gzip.compress(b"hello"), os.urandom(2000)):
        with pytest.raises(BadArchive):
            unpack(io.BytesIO(content), tmp_path)
    whole = packed(*(member(f"f{number}", bytes([number]) * 500) for number in range(20))).getvalue()
    chance = random.Random(7)
    for number in range(200):
        damaged = bytearray(whole[: chance.randrange(1, len(whole))] if number % 2 else whole)
        damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
        target = tmp_path / str(number)
        target.mkdir()
        try:
            unpack(io.BytesIO(bytes(damaged)), target)
        except BadArchive:
            continue
