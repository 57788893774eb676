"""Which system calls a workload may not make: those that reach past its namespaces, and those that only attackers need.

The namespaces keep a workload apart; this makes the part of the kernel smaller that it can try to break them with, and closes
what no namespace covers: VM sockets, the keys of the user, new user namespaces.
"""

import os
import struct

ERROR, KILL, ALLOW = 0x00050000, 0x80000000, 0x7FFF0000
NOT_PERMITTED, NOT_THERE, NO_SUCH_FAMILY = 1, 38, 97
LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
NUMBER, MACHINE, FIRST_ARGUMENT = 0, 4, 16
NEW_USER = 0x10000000
FAMILIES = (1, 2, 10, 16)
"""Of sockets: UNIX, IPv4, IPv6, and netlink, which looks up this namespace's own addresses."""

MACHINES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
X32 = 0x40000000

# By name: the number on x86_64 and on aarch64; None where there is none.
REFUSED: dict[str, tuple[int | None, int]] = {
    "ptrace": (101, 117),
    "syslog": (103, 116),
    "personality": (135, 92),
    "pivot_root": (155, 41),
    "adjtimex": (159, 171),
    "chroot": (161, 51),
    "acct": (163, 89),
    "settimeofday": (164, 170),
    "mount": (165, 40),
    "umount2": (166, 39),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "reboot": (169, 142),
    "quotactl": (179, 60),
    "init_module": (175, 105),
    "delete_module": (176, 106),
    "ioperm": (173, 0xFFFF),
    "iopl": (172, 0xFFFF),
    "clock_settime": (227, 112),
    "kexec_load": (246, 104),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "unshare": (272, 97),
    "perf_event_open": (298, 241),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "clock_adjtime": (305, 266),
    "setns": (308, 268),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "finit_module": (313, 273),
    "kexec_file_load": (320, 294),
    "bpf": (321, 280),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
}
CLONE = {"x86_64": 56, "aarch64": 220}
CLONE3 = 435
SOCKET = {"x86_64": 41, "aarch64": 198}


def _step(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("=HBBI", code, yes, no, value)


def program(machine: str | None = None) -> bytes | None:
    """The BPF program for this kind of machine; None for one whose numbers are not known here."""
    machine = machine or os.uname().machine
    if machine not in MACHINES:
        return None
    refuse = _step(RETURN, ERROR | NOT_PERMITTED)
    steps = [
        _step(LOAD, MACHINE),
        _step(EQUAL, MACHINES[machine], yes=1),
        _step(RETURN, KILL),
        _step(LOAD, NUMBER),
    ]
    if machine == "x86_64":
        steps += [_step(AT_LEAST, X32, no=1), _step(RETURN, KILL)]
    for x86, arm in REFUSED.values():
        number = x86 if machine == "x86_64" else arm
        if number is not None and number != 0xFFFF:
            steps += [_step(EQUAL, number, no=1), refuse]
    # glibc makes do with `clone` when there is no `clone3`, whose flags a filter cannot see.
    steps += [_step(EQUAL, CLONE3, no=1), _step(RETURN, ERROR | NOT_THERE)]
    steps += [
        _step(EQUAL, CLONE[machine], no=3),
        _step(LOAD, FIRST_ARGUMENT),
        _step(ANY_BIT, NEW_USER, no=1),
        refuse,
        _step(LOAD, NUMBER),
    ]
    steps += [_step(EQUAL, SOCKET[machine], yes=1), _step(RETURN, ALLOW), _step(LOAD, FIRST_ARGUMENT)]
    for place, family in enumerate(FAMILIES):
        steps.append(_step(EQUAL, family, yes=len(FAMILIES) - place))
    steps += [_step(RETURN, ERROR | NO_SUCH_FAMILY), _step(RETURN, ALLOW)]
    return b"".join(steps)
