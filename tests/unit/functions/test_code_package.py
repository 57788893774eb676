"""Archives that mean harm, and archives that are only odd."""

import io
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from modelyard.aws.errors import AwsError
from modelyard.functions import code_package
from modelyard.functions.code_package import check_archive, unpack

pytestmark = pytest.mark.ours


def archive(fill: Callable[[zipfile.ZipFile], None]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as made:
        fill(made)
    return content.getvalue()


def named(name: str, mode: int = 0, content: str = "x") -> bytes:
    def fill(made: zipfile.ZipFile) -> None:
        member = zipfile.ZipInfo(name)
        member.external_attr = mode << 16
        made.writestr(member, content)

    return archive(fill)


@pytest.mark.parametrize(
    "content",
    [
        named("../out.py"),
        named("/etc/cron.d/evil"),
        named("a/../../out.py"),
        named("a\\..\\out.py"),
        named("link", stat.S_IFLNK | 0o777, "/etc/shadow"),
        named("pipe", stat.S_IFIFO | 0o666),
        named("device", stat.S_IFBLK | 0o666),
        b"",
        b"PK\x05\x06" + b"\xff" * 18,
        b"no zip at all",
        archive(lambda made: made.writestr("zeros", b"\0" * (code_package.LARGEST_UNPACKED + 1))),
    ],
    ids=["up", "absolute", "through", "backslash", "link", "pipe", "device", "empty", "cut off", "nothing", "bomb"],
)
def test_what_leads_out_or_is_no_archive_is_refused(content: bytes, tmp_path: Path):
    """An archive whose files would be anywhere but in its folder, or be no files, or be too large, is not taken in."""
    with pytest.raises(AwsError) as refused:
        check_archive(io.BytesIO(content))
    assert refused.value.code == "InvalidParameterValueException"
    with pytest.raises(AwsError):
        unpack(iter([content]), tmp_path / "code")
    assert list(tmp_path.rglob("out.py")) == []
    assert not (tmp_path / "code.zip").exists()


def test_archive_that_lies_about_its_size_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """What unpacks to more than may be is noticed while it unpacks, and nothing stays."""
    content = bytearray(archive(lambda made: made.writestr("zeros", b"\0" * 100_000)))
    place = content.rindex(b"PK\x01\x02") + 24
    content[place : place + 4] = (10).to_bytes(4, "little")
    monkeypatch.setattr(code_package, "LARGEST_UNPACKED", 50_000)
    with pytest.raises(AwsError):
        unpack(iter([bytes(content)]), tmp_path / "code")
    assert list(tmp_path.iterdir()) == []


def test_files_are_readable_by_all_and_writable_by_none_else(tmp_path: Path):
    """Modes of an archive count only for what is a program."""

    def fill(made: zipfile.ZipFile) -> None:
        for name, mode in (("app.py", 0o600), ("deep/down/tool", 0o4777), ("plain", 0)):
            member = zipfile.ZipInfo(name)
            member.external_attr = (stat.S_IFREG | mode if mode else 0) << 16
            made.writestr(member, "x")

    unpack(iter([archive(fill)]), tmp_path / "code")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "code").rglob("*")}
    assert modes == {"app.py": 0o644, "deep": 0o755, "down": 0o755, "tool": 0o755, "plain": 0o644}


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_ways_of_packing_without_a_limit_are_refused(method: int, tmp_path: Path):
    """What the library unpacks in one go, however large it gets, is not taken in, and not unpacked either."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as made:
        made.writestr("app.py", b"\0" * 100_000)
    with pytest.raises(AwsError, match="packed in a way"):
        check_archive(content)
    with pytest.raises(AwsError):
        unpack(iter([content.getvalue()]), tmp_path / "code")


def test_an_archives_list_of_files_is_not_read_without_a_limit(monkeypatch: pytest.MonkeyPatch):
    """A list that is larger than it may be is refused before it is read; one that is not, is read."""
    content = archive(lambda made: [made.writestr(f"{number}", "") for number in range(2000)] and None)
    check_archive(io.BytesIO(content))
    monkeypatch.setattr(code_package, "LARGEST_DIRECTORY", 70_000)
    with pytest.raises(AwsError):
        check_archive(io.BytesIO(content))


def broken() -> bytes:
    """An archive whose list is right, and whose only file does not unpack."""
    content = bytearray(archive(lambda made: made.writestr("app.py", b"def handler(event, context): pass\n" * 50)))
    content[36:44] = b"\xff" * 8
    return bytes(content)


def test_what_does_not_unpack_is_an_error_of_the_client(tmp_path: Path):
    """Bytes that no packing makes are found when they are unpacked; nothing is left behind."""
    check_archive(io.BytesIO(broken()))
    with pytest.raises(AwsError):
        unpack(iter([broken()]), tmp_path / "code")
    assert list(tmp_path.iterdir()) == []
