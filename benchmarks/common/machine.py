"""What the measurements were made on, and how much memory processes hold."""

import os
import platform
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any


def facts() -> dict[str, Any]:
    """The machine, for a result. The load tells whether others used it too."""
    return {
        "cores": os.cpu_count(),
        "processor": _processor(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "load_average": round(os.getloadavg()[0], 2),
        "disk_flush_milliseconds": round(flush_milliseconds(), 3),
    }


def flush_milliseconds(folder: Path | None = None) -> float:
    """What it takes to write 4 KB and have them on the disk."""
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        spent = []
        for _ in range(100):
            file.write(b"x" * 4096)
            file.flush()
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            spent.append(time.perf_counter() - began)
    return median(spent) * 1000


def resident_megabytes(pid: int) -> float:
    """What a process and its children hold in memory."""
    return round(sum(_resident_kilobytes(one) for one in family(pid)) / 1024, 1)


def family(pid: int) -> Iterator[int]:
    """A process and all that it started."""
    yield pid
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield from family(int(child))


def _resident_kilobytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
