"""Which servers on a data directory live: each holds a lock on a file of its name, which the kernel lets go when it ends."""

import fcntl
import os
from pathlib import Path


def locked(path: Path) -> int:
    """Hold the lock of a server from now on; to be closed when it ends."""
    lock = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def is_free(path: Path) -> bool:
    """Whether the process that held a lock file has ended; then the file is cleared away."""
    try:
        lock = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink(missing_ok=True)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True
