"""What a workload sees of files: a root of its own in memory, onto which the few folders it may see are mounted."""

import os
from typing import Any

from modelyard.runtime.inside import kernel

OLD = "/.old"
DEVICES = ("null", "zero", "full", "random", "urandom")
_KEPT_FLAGS = (
    (os.ST_NODEV, kernel.NO_DEVICES),
    (os.ST_NOSUID, kernel.NO_SUID),
    (os.ST_NOEXEC, kernel.NO_EXECUTION),
    (os.ST_NOATIME, kernel.NO_ACCESS_TIMES),
    (os.ST_NODIRATIME, kernel.NO_DIRECTORY_ACCESS_TIMES),
    (os.ST_RELATIME, kernel.RELATIVE_ACCESS_TIMES),
    (os.ST_RDONLY, kernel.READ_ONLY),
)


def enter(wanted: dict[str, Any]) -> None:
    """Move this process, in mount and pid namespaces of its own, to a new root. Raises OSError.

    `wanted`: `links` (path, where to), `mounts` (source, target, read only), `hidden` (paths within the mounts), `texts` (path,
    content), `memory` and `scratch` (bytes in `/dev/shm` and `/tmp`), `user` (whose `/tmp` is).
    """
    kernel.mount(None, "/", None, kernel.RECURSIVE | kernel.PRIVATE)
    kernel.mount("sandbox", "/tmp", "tmpfs", kernel.NO_SUID | kernel.NO_DEVICES, "mode=0755,size=16m")
    os.mkdir(f"/tmp{OLD}", 0o700)
    kernel.pivot_root("/tmp", f"/tmp{OLD}")
    os.chdir("/")
    for path, where_to in wanted["links"]:
        _parents(path)
        os.symlink(where_to, path)
    for source, target, read_only in wanted["mounts"]:
        _bind(source, target, read_only=read_only)
    for path in wanted["hidden"]:
        kernel.mount("hidden", path, "tmpfs", kernel.READ_ONLY | kernel.NO_SUID | kernel.NO_DEVICES, "mode=0000,size=4k")
    _own_systems(wanted["memory"], wanted["scratch"])
    for path, content in wanted["texts"]:
        _parents(path)
        with open(path, "w", encoding="utf-8") as file:
            file.write(content)
    kernel.unmount(OLD)
    os.rmdir(OLD)
    kernel.mount(None, "/", None, kernel.REMOUNT | kernel.BIND | kernel.READ_ONLY | kernel.NO_SUID | kernel.NO_DEVICES)


def _own_systems(memory: int, scratch: int) -> None:
    """/proc, /dev and /tmp."""
    own = kernel.NO_SUID | kernel.NO_DEVICES
    os.makedirs("/proc", exist_ok=True)
    kernel.mount("proc", "/proc", "proc", own | kernel.NO_EXECUTION)
    os.makedirs("/dev/shm", exist_ok=True)
    for device in DEVICES:
        with open(f"/dev/{device}", "wb"):
            pass
        kernel.mount(f"{OLD}/dev/{device}", f"/dev/{device}", None, kernel.BIND)
    for name, target in (("fd", "fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        os.symlink(f"/proc/self/{target}", f"/dev/{name}")
    kernel.mount("shm", "/dev/shm", "tmpfs", own, f"mode=1777,size={memory}")
    os.makedirs("/tmp", exist_ok=True)
    kernel.mount("tmp", "/tmp", "tmpfs", own, f"mode=1777,size={scratch}")
    os.makedirs("/var", exist_ok=True)
    if not os.path.lexists("/var/tmp"):
        os.symlink("/tmp", "/var/tmp")


def _parents(path: str) -> None:
    os.makedirs(os.path.dirname(path) or "/", mode=0o755, exist_ok=True)


def _bind(source: str, target: str, *, read_only: bool) -> None:
    """Show a file or folder of the machine, with all that is mounted in it."""
    source = OLD + source
    if os.path.isdir(source):
        os.makedirs(target, mode=0o755, exist_ok=True)
    else:
        _parents(target)
        with open(target, "ab"):
            pass
    kernel.mount(source, target, None, kernel.BIND | kernel.RECURSIVE)
    for point in _mounted_below(target):
        _limit(point, read_only=read_only)


def _mounted_below(target: str) -> list[str]:
    """Where something is mounted at `target` and below it."""
    target = os.path.realpath(target)
    with open(f"{OLD}/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as table:
        points = [_unescaped(line.split(" ")[4]) for line in table]
    return [point for point in points if point == target or point.startswith(target + "/")]


def _unescaped(text: str) -> str:
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, character)
    return text


def _limit(point: str, *, read_only: bool) -> None:
    """Forbid devices and set-uid programs, and writing where that is wanted; what was forbidden stays so."""
    present = os.statvfs(point).f_flag
    flags = kernel.NO_SUID | kernel.NO_DEVICES | (kernel.READ_ONLY if read_only else 0)
    for status, flag in _KEPT_FLAGS:
        if present & status:
            flags |= flag
    kernel.mount(None, point, None, kernel.REMOUNT | kernel.BIND | flags)
