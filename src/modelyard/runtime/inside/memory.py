"""How much memory the processes of a sandbox use, counted from outside."""

import os

UNIT = 1024
"""Bytes of what the kernel calls kB."""
NAMELESS = ("/dev/zero", "/memfd:", "/SYSV", "anon_inode:")
"""How files are called that are in memory and in no folder; those in /tmp and /dev/shm are limited by their file systems."""


def used_by_tree(process: int, most: int) -> int:
    """Bytes that a process and all that descend from it keep to themselves, or share with each other; they may end meanwhile.

    What several share counts once for each, unless that would be more than `most`: then it is looked at more closely, which takes
    longer.
    """
    pending, private = [process], 0
    shared: dict[int, int] = {}
    while pending:
        one = pending.pop()
        own, with_others = _own(one)
        private += own
        if with_others:
            shared[one] = with_others
        pending += _children(one)
    if private + sum(shared.values()) <= most:
        return private + sum(shared.values())
    return private + sum(_nameless(one, with_others) for one, with_others in shared.items())


def _own(process: int) -> tuple[int, int]:
    """What a process has to itself, and what it shares in memory."""
    found = {b"RssAnon:": 0, b"RssShmem:": 0}
    try:
        with open(f"/proc/{process}/status", "rb") as file:
            for line in file:
                if line.startswith((b"RssAnon:", b"RssShmem:")):
                    name, number, _ = line.split()
                    found[name] = int(number) * UNIT
    except OSError:
        return 0, 0
    return found[b"RssAnon:"], found[b"RssShmem:"]


def _nameless(process: int, most: int) -> int:
    """Its part of what it shares in no folder; all that it shares where that cannot be told."""
    total, counts = 0, False
    try:
        with open(f"/proc/{process}/smaps", encoding="utf-8", errors="replace") as file:
            for line in file:
                words = line.split(None, 5)
                if not words[0].endswith(":"):
                    counts = len(words) > 5 and words[5].startswith(NAMELESS)
                elif counts and words[0] == "Pss:":
                    total += int(words[1]) * UNIT
    except (FileNotFoundError, ProcessLookupError):  # it has ended
        return 0
    except OSError:
        return most
    return total


def _children(process: int) -> list[int]:
    found: list[int] = []
    try:
        threads = os.listdir(f"/proc/{process}/task")
    except OSError:
        return found
    for thread in threads:
        try:
            with open(f"/proc/{process}/task/{thread}/children", encoding="ascii") as file:
                found += [int(child) for child in file.read().split()]
        except OSError:
            continue
    return found
