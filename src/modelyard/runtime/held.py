"""Files whose lock says that somebody uses what stands beside them; the kernel lets it go when a process ends."""

import fcntl
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path


def hold(path: Path) -> int:
    """Use what a lock file is for, together with others, until the descriptor is closed; makes the file, and notes the time."""
    while True:
        lock = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_SH)
        # Whoever cleared it away meanwhile has removed the file that is locked now.
        with suppress(FileNotFoundError):
            if path.stat().st_ino == os.fstat(lock).st_ino:
                os.utime(lock)
                return lock
        os.close(lock)


def alone_with(path: Path, act: Callable[[], None]) -> bool:
    """Do something with what a lock file is for unless somebody uses it; whether it was done."""
    try:
        lock = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        act()
    except OSError:
        return False
    finally:
        os.close(lock)
    return True
