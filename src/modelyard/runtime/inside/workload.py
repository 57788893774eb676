"""The two processes inside a sandbox: the first of its pid namespace, and the workload, which that one starts and waits for."""

import contextlib
import os
import resource
import select
import signal
import sys
from types import FrameType
from typing import Any

from modelyard.runtime.inside import files, kernel, system_calls

LIMITS = {
    "data": resource.RLIMIT_DATA,
    "cpu_seconds": resource.RLIMIT_CPU,
    "file_bytes": resource.RLIMIT_FSIZE,
    "processes": resource.RLIMIT_NPROC,
    "open_files": resource.RLIMIT_NOFILE,
    "core_bytes": resource.RLIMIT_CORE,
}
STARTED, FAILED, ENDED = b"S", b"F", b"E"


def first_process(wanted: dict[str, Any], life: int, tell: int) -> None:
    """Be process 1: set the files up, start the workload, wait for what becomes of it, and tell. Never returns.

    `life` is a pipe that ends when the process outside does. `tell` takes one of `S`, `F` and a reason, and at last `E` and how
    it ended, as os.waitpid says it.
    """
    try:
        kernel.die_with_parent()
        if select.select([life], [], [], 0)[0]:
            os._exit(1)
        os.close(life)
        kernel.unshare(kernel.NEW_NAMESPACE | kernel.NEW_IPC | kernel.NEW_UTS)
        kernel.set_host_name("sandbox")
        files.enter(wanted)
        # When the machine is out of memory, this goes first. (Python finds no other encoding any more: they are files.)
        with open("/proc/self/oom_score_adj", "w", encoding="utf-8") as file:
            file.write("1000")
        kernel.control(kernel.SET_DUMPABLE, 0)
        said, say = os.pipe()
        child = os.fork()
        if child == 0:
            _workload(wanted, say)
        os.close(say)
        problem = os.read(said, 4096)
        os.write(tell, FAILED + problem + b"\n" if problem else STARTED + b"\n")
        sys.stdout.flush()
        for number in (0, 1, 2):
            os.dup2(os.open("/dev/null", os.O_RDWR), number)
        signal.signal(signal.SIGTERM, _pass_on)
        os.write(tell, ENDED + str(_wait_for(child)).encode() + b"\n")
    except OSError as error:
        os.write(tell, FAILED + str(error).encode() + b"\n")
    os._exit(0)


def _pass_on(number: int, _frame: FrameType | None) -> None:
    """Tell every process of the sandbox."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(-1, number)


def _wait_for(child: int) -> int:
    """How the workload ended; whatever else ends is cleared away."""
    while True:
        ended, status = os.waitpid(-1, 0)
        if ended == child:
            return status


def _workload(wanted: dict[str, Any], say: int) -> None:
    """Become the workload. Never returns. `say` takes why that cannot be, and closes when it is."""
    try:
        os.setsid()
        os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
        os.closerange(3, say)
        os.closerange(say + 1, 1024)
        for name, asked in wanted["limits"].items():
            _, present = resource.getrlimit(LIMITS[name])
            most = asked if present == resource.RLIM_INFINITY else min(asked, present)
            resource.setrlimit(LIMITS[name], (most, most))
        os.umask(0o022)
        _become_nobody(wanted["user"])
        os.chdir(wanted["directory"])
        for number in range(1, signal.NSIG):
            with contextlib.suppress(OSError, ValueError):
                signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.execve(wanted["command"][0], wanted["command"], wanted["environment"])
    except OSError as error:
        os.write(say, f"{wanted['command'][0]} cannot be started: {error}".encode().replace(b"\n", b" "))
    os._exit(127)


def _become_nobody(user: int) -> None:
    """Be the sandbox's own user, with no capability, and make no system call that is refused."""
    kernel.bound_capabilities()
    if os.getuid() != user:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    kernel.give_up_capabilities()
    program = system_calls.program()
    if program is not None:
        kernel.filter_system_calls(program)
