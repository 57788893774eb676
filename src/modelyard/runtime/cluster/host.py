"""What Ray runs on a node: a process with the agent of one workload. Modelyard has to be installed there."""

import os
import platform
import threading
from dataclasses import asdict
from typing import Any

import ray

from modelyard import __version__
from modelyard.runtime.cluster.agent import Agent, Place
from modelyard.runtime.cluster.cache import Cache


class Host:
    """An actor."""

    def open(self, certificate: str) -> dict[str, Any]:
        """Begin to wait for the server; where."""
        host = ray.util.get_node_ip_address()
        agent = Agent(host, certificate, Cache.of_node(os.environ))

        def leave() -> None:
            agent.over.wait()
            # Nothing runs any more. Ray is not asked, which may be what is gone.
            os._exit(0)

        threading.Thread(target=leave, daemon=True).start()
        node = f"{platform.node()} ({host})"
        return asdict(Place(host, agent.port, agent.certificate, node, __version__))
