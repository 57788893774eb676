"""What is to be run, and how much of the machine it may have."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Mount:
    """A file or folder of this machine that a workload sees."""

    source: Path
    target: str
    """Where, inside."""
    read_only: bool = True
    grows: bool = False
    """Whether what is put there while the workload runs has to be seen inside."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a workload may use up; whatever goes beyond fails inside, or ends it."""

    memory: int = 1024 * MEBIBYTE
    """Bytes that all its processes have to themselves together; the sandbox is ended when they have more."""
    scratch: int = 512 * MEBIBYTE
    """Bytes in its own /tmp, which is in memory."""
    file_bytes: int | None = None
    """The largest file."""
    processes: int = 1024
    """Processes and threads."""
    open_files: int = 1024
    """Of each process."""
    cpu_seconds: int | None = None
    """Of each process."""


@dataclass(frozen=True, slots=True)
class Workload:
    """A program to run in a sandbox of its own."""

    command: str
    """The path of the program, inside; empty for that of an image."""
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    """Nothing else is in its environment."""
    mounts: tuple[Mount, ...] = ()
    """What it sees beside the machine's programs and libraries."""
    directory: str = "/tmp"  # noqa: S108 - the sandbox's own
    """Where it starts; empty for where an image says."""
    limits: Limits = field(default_factory=Limits)
    timeout: float | None = None
    """Seconds after which it is ended; None for one that stays."""
    listeners: tuple[int, ...] = ()
    """Ports on 127.0.0.1 inside that the server answers on: whoever starts the workload gets the listening sockets."""
    hidden: tuple[Path, ...] = ()
    """Folders of this machine that it never sees, though they be in one that is mounted: the data directory."""
    image: str | None = None
    """An image of the container engine, whose files it sees in place of the machine's programs and libraries."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a workload ended."""

    exit_code: int | None
    """None when a signal ended it."""
    signal: int | None
    reason: str
    """`memory`, `stopped` or `timeout` when the runtime ended it, `lost` when it ended with its node; empty when by itself."""
    peak_memory: int
    """Bytes."""


class CannotRun(Exception):
    """A workload cannot be started here; the text says why, and what would help."""
