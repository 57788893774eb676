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
