"""What the engine is asked to make of a workload: values of Docker's API."""

import resource
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from modelyard.runtime.base import USER, order_of, python_mounts
from modelyard.runtime.inside import doorman
from modelyard.runtime.oci.door import INSIDE, NAME
from modelyard.runtime.workload import MEBIBYTE, Limits, Workload

SERVER = "org.modelyard.server"
"""A label: the server that a container is of."""
DOORMAN = "/doorman.py"
DOORMAN_MEMORY = 128 * MEBIBYTE
DOORMAN_CAPABILITIES = ["DAC_OVERRIDE", "NET_RAW"]
"""The first to reach the socket of a server that is not root; the second for no use of its own: it is one that no workload has,
so no workload may look into the doorman, though it be root in its container."""
IMAGE_CAPABILITIES = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "NET_BIND_SERVICE", "SETGID", "SETUID"]
"""What images that begin as root need to become somebody else."""

Configuration = dict[str, Any]


def doorman_configuration(image: str, folder: Path, server: str) -> Configuration:
    """The container of a doorman, whose socket is in a folder."""
    shown = order_of(Workload(sys.executable, mounts=python_mounts()))
    mounts = [*shown["mounts"], (str(Path(doorman.__file__)), DOORMAN, True), (str(folder), INSIDE, False)]  # type: ignore[misc]
    return {
        "Image": image,
        "Entrypoint": [sys.executable, "-I", "-S", DOORMAN],
        "Cmd": [f"{INSIDE}/{NAME}"],
        "User": "0",
        "Hostname": "sandbox",
        "Labels": {SERVER: server},
        "HostConfig": {
            "NetworkMode": "none",
            "ReadonlyRootfs": True,
            "CapDrop": ["ALL"],
            "CapAdd": DOORMAN_CAPABILITIES,
            "SecurityOpt": ["no-new-privileges"],
            "LogConfig": {"Type": "none"},
            "Binds": _binds(mounts),
            "Ulimits": _ulimits(Limits(open_files=256)),
            "Memory": DOORMAN_MEMORY,
            "MemorySwap": DOORMAN_MEMORY,
        },
    }


def workload_configuration(workload: Workload, base: str, door: str, server: str) -> Configuration:
    """The container of a workload that comes in by the door of the container `door`."""
    own = workload.image is not None
    shown = order_of(workload)
    hidden: Iterable[str] = () if own else shown["hidden"]  # type: ignore[assignment]
    mounts = [(str(one.source.resolve()), one.target, one.read_only) for one in workload.mounts] if own else shown["mounts"]
    configuration: Configuration = {
        "Image": workload.image if own else base,
        "Cmd": list(workload.arguments),
        "Env": [f"{name}={value}" for name, value in workload.environment.items()],
        "Labels": {SERVER: server},
        "HostConfig": {
            "NetworkMode": f"container:{door}",
            "PidMode": f"container:{door}",
            "ReadonlyRootfs": not own,
            "CapDrop": ["ALL"],
            "CapAdd": IMAGE_CAPABILITIES if own else [],
            "SecurityOpt": ["no-new-privileges"],
            "LogConfig": {"Type": "none"},
            "Binds": _binds(mounts),  # type: ignore[arg-type]
            "Tmpfs": {"/tmp": f"rw,nosuid,nodev,mode=1777,size={workload.limits.scratch}"}  # noqa: S108 - the container's own
            | dict.fromkeys(hidden, "ro,size=4k"),
            "Ulimits": _ulimits(workload.limits),
            "Memory": workload.limits.memory,
            "MemorySwap": workload.limits.memory,
            "PidsLimit": workload.limits.processes,
        },
    }
    if workload.command:
        configuration["Entrypoint"] = [workload.command]
    if workload.directory:
        configuration["WorkingDir"] = workload.directory
    if not own:
        configuration["User"] = f"{USER}:{USER}"
    return configuration


def _binds(mounts: Iterable[tuple[str, str, bool]]) -> list[str]:
    return [f"{source}:{target}:{'ro' if read_only else 'rw'}" for source, target, read_only in mounts]


def _ulimits(limits: Limits) -> list[Configuration]:
    """Limits of each process. None is above the server's own, which an engine that it started could not set."""
    wanted = {
        "nofile": (resource.RLIMIT_NOFILE, limits.open_files),
        "nproc": (resource.RLIMIT_NPROC, limits.processes),
        "core": (resource.RLIMIT_CORE, 0),
        "fsize": (resource.RLIMIT_FSIZE, limits.file_bytes),
        "cpu": (resource.RLIMIT_CPU, limits.cpu_seconds),
    }
    found = []
    for name, (kind, value) in wanted.items():
        if value is not None:
            highest = resource.getrlimit(kind)[1]
            bound = value if highest == resource.RLIM_INFINITY else min(value, highest)
            found.append({"Name": name, "Soft": bound, "Hard": bound})
    return found
