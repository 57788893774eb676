"""The process that knows Ray. It is asked for places on standard input and answers on standard output, a JSON object a line.

    {"number": N, "name": …, "cpus": …, "memory": BYTES, "certificate": PEM, "seconds": …}
    {"number": N, "place": {…}} or {"number": N, "failed": SENTENCE}

The first line that it says is {"ready": ""}, or {"ready": WHY_NOT}. A place is an actor for one workload: Ray finds the node and
holds its resources, and has no other part in it. It is detached, since it ends by itself when its server is gone, and not
when this process is; and Ray starts no other in its stead, since the server knows better what is wanted.
"""

import contextlib
import json
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import ray
from ray.exceptions import GetTimeoutError

from modelyard.runtime.cluster.host import Host
from modelyard.runtime.workload import MEBIBYTE

AT_A_TIME = 64
_telling = threading.Lock()


def main() -> None:
    """The command line: the address of the cluster, and a namespace."""
    address, namespace = sys.argv[1:]
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    # What Ray prints is no answer.
    os.dup2(2, 1)
    pool = ThreadPoolExecutor(AT_A_TIME)

    def tell(message: dict[str, Any]) -> None:
        with _telling:
            out.write(json.dumps(message) + "\n")
            out.flush()

    def answer(wanted: dict[str, Any]) -> None:
        tell({"number": wanted["number"], **_placed(wanted)})

    def connect() -> None:
        try:
            ray.init(address, namespace=namespace, log_to_driver=False, configure_logging=False)
        except Exception as error:
            tell({"ready": _sentence(error)})
            os._exit(1)
        tell({"ready": ""})

    connecting = pool.submit(connect)
    for line in sys.stdin:
        connecting.result()
        pool.submit(answer, json.loads(line))
    os._exit(0)


def _placed(wanted: dict[str, Any]) -> dict[str, Any]:
    """A place, or why there is none."""
    actor = None
    try:
        actor = (
            ray.remote(Host)
            .options(
                name=wanted["name"],
                lifetime="detached",
                num_cpus=wanted["cpus"],
                memory=wanted["memory"],
                scheduling_strategy="SPREAD",
                max_restarts=0,
            )
            .remote()
        )
        return {"place": ray.get(actor.open.remote(wanted["certificate"]), timeout=wanted["seconds"])}
    except GetTimeoutError:
        failed = _no_room(wanted)
    except Exception as error:
        failed = f"Ray could not start it on a node: {_sentence(error)}"
    if actor is not None:
        with contextlib.suppress(Exception):
            ray.kill(actor)
    return {"failed": failed}


def _no_room(wanted: dict[str, Any]) -> str:
    with contextlib.suppress(Exception):
        free = ray.available_resources()
        wants = f"{wanted['cpus']:g} CPUs and {wanted['memory'] / MEBIBYTE:.0f} MiB"
        has = f"{free.get('CPU', 0):g} CPUs and {free.get('memory', 0) / MEBIBYTE:.0f} MiB"
        return (
            f"No node of the Ray cluster had room for it within {wanted['seconds']:.0f} seconds: it takes {wants}, and {has}"
            " are free on all nodes together."
        )
    return "No node of the Ray cluster had room for it in time."


def _sentence(error: BaseException) -> str:
    """The line that says most of an error of Ray's, which has many."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__)[:300]


if __name__ == "__main__":
    main()
