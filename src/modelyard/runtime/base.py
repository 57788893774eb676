"""What every workload sees of this machine: programs and libraries, nothing that anybody made here."""

import sys
from collections.abc import Iterable
from pathlib import Path

from modelyard.runtime.workload import Mount, Workload

USER = 65533
"""Inside; outside too, when root runs the server."""
RESERVED = 512 * 1024 * 1024
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store")
SETTINGS = (
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/alternatives",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/etc/pki/tls/certs",
    "/etc/localtime",
    "/etc/mime.types",
)
TEXTS = (
    ("/etc/passwd", f"root:x:0:0:root:/:/usr/sbin/nologin\nsandbox:x:{USER}:{USER}:sandbox:/tmp:/usr/sbin/nologin\n"),
    ("/etc/group", f"root:x:0:\nsandbox:x:{USER}:\n"),
    ("/etc/hosts", "127.0.0.1 localhost sandbox\n"),
    ("/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n"),
    ("/etc/resolv.conf", ""),
)


def python_mounts() -> tuple[Mount, ...]:
    """The Python that runs the server, with its packages, at the same places."""
    prefixes = dict.fromkeys([sys.base_prefix, sys.base_exec_prefix, sys.prefix, *_packages()])
    return tuple(_mounted(Path(prefix)) for prefix in prefixes if not _is_below(prefix, SYSTEM))


def _packages() -> Iterable[str]:
    """Where packages are that are in no environment: those of a user, say."""
    return [path for path in sys.path if path.endswith(("site-packages", "dist-packages")) and Path(path).is_dir()]


def _is_below(path: str, folders: Iterable[str]) -> bool:
    return any(Path(path).resolve().is_relative_to(folder) for folder in folders)


def _mounted(path: Path) -> Mount:
    return Mount(path, str(path))


def order_of(workload: Workload) -> dict[str, object]:
    """The order that the launcher gets, as JSON will carry it."""
    links = [(path, str(Path(path).readlink())) for path in SYSTEM if Path(path).is_symlink()]
    shown = [Path(path) for path in (*SYSTEM, *SETTINGS) if Path(path).exists() and (path, "") not in links]
    mounts = [Mount(path.resolve(), str(path)) for path in shown if not (str(path) in SYSTEM and path.is_symlink())]
    mounts += sorted(workload.mounts, key=lambda mount: mount.target.count("/"))
    limits = workload.limits
    return {
        "user": USER,
        "listeners": list(workload.listeners),
        "links": links,
        "mounts": [(str(mount.source.resolve()), mount.target, mount.read_only) for mount in mounts],
        "hidden": _hidden(workload.hidden, mounts),
        "texts": TEXTS,
        "memory": limits.memory,
        "scratch": limits.scratch,
        "limits": {
            # Of each process, and of what it reserves, which is more than it uses: the watch looks at the latter.
            "data": 2 * limits.memory + RESERVED,
            "processes": limits.processes,
            "open_files": limits.open_files,
            "core_bytes": 0,
            **({"file_bytes": limits.file_bytes} if limits.file_bytes is not None else {}),
            **({"cpu_seconds": limits.cpu_seconds} if limits.cpu_seconds is not None else {}),
        },
        "directory": workload.directory,
        "command": [workload.command, *workload.arguments],
        "environment": dict(workload.environment),
    }


def _hidden(folders: Iterable[Path], mounts: Iterable[Mount]) -> list[str]:
    """Where the hidden folders would be seen inside."""
    found = []
    for folder in folders:
        real = folder.resolve()
        for mount in mounts:
            source = mount.source.resolve()
            if real != source and real.is_relative_to(source):
                found.append(str(Path(mount.target) / real.relative_to(source)))
    return found
