"""model.tar.gz as strangers may make it."""

import io
import tarfile
from pathlib import Path

import pytest

from modelyard.runtime import archive
from modelyard.runtime.archive import BadArchive

pytestmark = pytest.mark.ours


def member(name: str, content: bytes = b"x", **attributes: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for key, value in attributes.items():
        setattr(info, key, value)
    return info, content


def link(name: str, to: str, kind: bytes = tarfile.SYMTYPE) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, b"", type=kind, linkname=to)


def unpacked(tmp_path: Path, *members: tuple[tarfile.TarInfo, bytes], mode: str = "w:gz", most: int = 10_000) -> Path:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode) as made:  # type: ignore[call-overload]
        for info, content in members:
            made.addfile(info, io.BytesIO(content))
    packed.seek(0)
    folder = tmp_path / "into"
    folder.mkdir()
    archive.unpack(packed, folder, most)
    return folder


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2"])
def test_files_folders_and_links_come_out(tmp_path: Path, mode: str) -> None:
    """What is within is there, readable by everybody, writable by nobody else, and executable where it was."""
    folder = unpacked(
        tmp_path,
        member("./model.bin", b"weights", mode=0o600),
        member("code/run.sh", b"#!", mode=0o4777),
        member("empty", b"", type=tarfile.DIRTYPE, mode=0o700),
        link("code/same", "../model.bin"),
        link("hard", "model.bin", tarfile.LNKTYPE),
        mode=mode,
    )
    assert {(folder / name).read_bytes() for name in ("model.bin", "code/same", "hard")} == {b"weights"}
    modes = [(folder / name).stat().st_mode & 0o7777 for name in ("model.bin", "code/run.sh", "code", "empty")]
    assert modes == [0o644, 0o755, 0o755, 0o755]


@pytest.mark.parametrize(
    "members",
    [
        [member("/etc/passwd")],
        [member("../out")],
        [member("a/../../out")],
        [link("a", "/etc")],
        [link("a", "../../etc")],
        [link("a/b", "../../etc")],
        [link("a", "b/../../out")],
        [link("hard", "../into-not", tarfile.LNKTYPE)],
        [link("hard", "missing", tarfile.LNKTYPE)],
        [link("a", "b"), member("a/c")],
        [link("a", "."), link("a/b", "../out")],
        [member("pipe", b"", type=tarfile.FIFOTYPE)],
        [member("disk", b"", type=tarfile.BLKTYPE)],
        [member("a"), member("a/b")],
        [member("a/b"), member("a")],
        [member("large", b"x" * 20_000)],
        [member("a", b"x" * 6_000), member("b", b"x" * 6_000)],
        [member("x" * 5_000)],
    ],
    ids=range(18),
)
def test_nothing_leads_out_of_its_folder(tmp_path: Path, members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    """Absolute names, parents, links that lead out, devices, what is two things at once, and what is too large are refused."""
    with pytest.raises(BadArchive):
        unpacked(tmp_path, *members)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["into"]


@pytest.mark.parametrize("content", [b"", b"no archive", b"\x1f\x8b" + b"\0" * 100, b"PK\x03\x04" + b"\0" * 600])
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    """Bytes that are no tar archive, or the beginning of one, are refused and not a crash."""
    with pytest.raises(BadArchive):
        archive.unpack(io.BytesIO(content), tmp_path, 1000)


def test_a_file_replaces_a_link_of_its_name(tmp_path: Path) -> None:
    """What comes later in an archive takes the place of a link, and is not written through it."""
    folder = unpacked(tmp_path, member("kept", b"kept"), link("a", "kept"), member("a", b"new"))
    assert ((folder / "kept").read_bytes(), (folder / "a").read_bytes()) == (b"kept", b"new")
