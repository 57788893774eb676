"""The calls to the kernel that Python's standard library lacks."""

import ctypes
import fcntl
import os
import socket
import struct

NEW_NAMESPACE = 0x00020000
NEW_UTS = 0x04000000
NEW_IPC = 0x08000000
NEW_USER = 0x10000000
NEW_PID = 0x20000000
NEW_NETWORK = 0x40000000

READ_ONLY, NO_SUID, NO_DEVICES, NO_EXECUTION = 1, 2, 4, 8
REMOUNT, BIND, RECURSIVE, PRIVATE = 32, 4096, 16384, 1 << 18
NO_ACCESS_TIMES, NO_DIRECTORY_ACCESS_TIMES, RELATIVE_ACCESS_TIMES = 1024, 2048, 1 << 21
DETACH = 2

SET_DEATH_SIGNAL, SET_DUMPABLE, SET_SECCOMP, DROP_BOUND, SET_NO_NEW_PRIVILEGES, AMBIENT = 1, 4, 22, 24, 38, 47
CLEAR_AMBIENT = 4
SECCOMP_FILTER = 2
CAPABILITY_VERSION = 0x20080522
PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mount.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p)
_libc.umount2.argtypes = (ctypes.c_char_p, ctypes.c_int)
_libc.unshare.argtypes = (ctypes.c_int,)
_libc.sethostname.argtypes = (ctypes.c_char_p, ctypes.c_size_t)
_libc.prctl.argtypes = (ctypes.c_int, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong)


def _checked(what: str, result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else os.fsencode(text)


def unshare(namespaces: int) -> None:
    """Leave namespaces for new ones. Raises OSError."""
    _checked("unshare", _libc.unshare(namespaces))


def mount(source: str | None, target: str, kind: str | None, flags: int, options: str | None = None) -> None:
    """Mount a file system. Raises OSError."""
    _checked(f"mount on {target}", _libc.mount(_bytes(source), os.fsencode(target), _bytes(kind), flags, _bytes(options)))


def unmount(target: str) -> None:
    """Take a file system away, also while it is used. Raises OSError."""
    _checked(f"unmount {target}", _libc.umount2(os.fsencode(target), DETACH))


def pivot_root(new: str, old: str) -> None:
    """Make `new` the root, and hang the one so far at `old`. Raises OSError."""
    number = PIVOT_ROOT.get(os.uname().machine)
    if number is None:
        raise OSError(f"Modelyard has no sandbox for {os.uname().machine}: it knows {', '.join(PIVOT_ROOT)}")
    _checked("pivot_root", _libc.syscall(ctypes.c_long(number), os.fsencode(new), os.fsencode(old)))


def control(option: int, one: int = 0, two: int = 0) -> None:
    """prctl. Raises OSError."""
    _checked(f"prctl {option}", _libc.prctl(option, one, two, 0, 0))


def set_host_name(name: str) -> None:
    """Name this machine, in its own namespace. Raises OSError."""
    _checked("sethostname", _libc.sethostname(name.encode(), len(name)))


def die_with_parent() -> None:
    """Be killed when the thread that made this process ends. Raises OSError."""
    control(SET_DEATH_SIGNAL, 9)


def bound_capabilities() -> None:
    """Let no program that is started from here on have a capability. Raises OSError."""
    control(AMBIENT, CLEAR_AMBIENT)
    for capability in range(64):
        try:
            control(DROP_BOUND, capability)
        except OSError:
            return  # beyond the last one that this kernel has


def give_up_capabilities() -> None:
    """Have no capability any more, and no way to get one. Raises OSError."""
    header = struct.pack("=Ii", CAPABILITY_VERSION, 0)
    _checked("capset", _libc.capset(header, bytes(24)))
    control(SET_NO_NEW_PRIVILEGES, 1)


def filter_system_calls(program: bytes) -> None:
    """Have every system call from now on judged by a BPF program. Raises OSError."""
    kept = ctypes.create_string_buffer(program, len(program))
    head = struct.pack("=HxxxxxxQ", len(program) // 8, ctypes.addressof(kept))
    pointer = ctypes.create_string_buffer(head, len(head))
    control(SET_SECCOMP, SECCOMP_FILTER, ctypes.addressof(pointer))


def raise_loopback() -> None:
    """Let 127.0.0.1 be reached in this network namespace. Raises OSError."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        # struct ifreq: a name of 16 bytes, then the flags UP and RUNNING; SIOCSIFFLAGS
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh22x", b"lo", 0x41))
