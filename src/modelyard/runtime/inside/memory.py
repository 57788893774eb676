"""How much memory the processes of a sandbox use, counted from outside."""

import os

PAGE = os.sysconf("SC_PAGE_SIZE")


def used_by_tree(process: int) -> int:
    """Bytes that a process and all that descend from it keep to themselves; processes may end meanwhile."""
    pending, total = [process], 0
    while pending:
        one = pending.pop()
        total += _own(one)
        pending += _children(one)
    return total


def _own(process: int) -> int:
    try:
        with open(f"/proc/{process}/statm", encoding="ascii") as file:
            fields = file.read().split()
    except OSError:
        return 0
    return (int(fields[1]) - int(fields[2])) * PAGE


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
