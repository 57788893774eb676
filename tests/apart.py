"""Nodes of a cluster without a cluster: each workload's agent is a process of its own, placed here by nobody but the test."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from modelyard.runtime.cluster.agent import Place
from modelyard.runtime.workload import Limits

AGENT = """
import json, sys
from dataclasses import asdict
from pathlib import Path
from modelyard import __version__
from modelyard.runtime.cluster import wire
from modelyard.runtime.cluster.agent import Agent, Place
from modelyard.runtime.cluster.cache import Cache

wanted = json.loads(sys.stdin.readline())
wire.LOST_SECONDS = wanted["lost"]
agent = Agent("127.0.0.1", wanted["certificate"], Cache(Path(wanted["cache"]), wanted["room"]))
print(json.dumps(asdict(Place("127.0.0.1", agent.port, agent.certificate, wanted["node"], __version__))), flush=True)
agent.over.wait()
"""


class Apart:
    """A node (a `Placing`)."""

    def __init__(self, folder: Path, room: int = 1024**3, lost: float = 30.0) -> None:
        self.cache = folder / "cache"
        self.agents: list[subprocess.Popen[str]] = []
        """Of each workload that was started."""
        self.places: list[Place] = []
        self.changes: dict[str, str] = {}
        """What it says of itself that is not so."""
        self._wanted = {"cache": str(self.cache), "room": room, "lost": lost, "node": folder.name}

    def place(self, name: str, limits: Limits, certificate: str) -> Place:
        """A place for a workload."""
        agent = subprocess.Popen([sys.executable, "-c", AGENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.agents.append(agent)
        assert agent.stdin is not None and agent.stdout is not None
        with agent.stdin:
            agent.stdin.write(json.dumps({**self._wanted, "certificate": certificate}) + "\n")
        with agent.stdout:
            self.places.append(Place(**json.loads(agent.stdout.readline())))
        return replace(self.places[-1], **self.changes)

    def close(self) -> None:
        """Called by whoever was given this: the agents have to end by themselves."""

    def end(self) -> None:
        """All agents have ended by themselves, or end now."""
        for agent in self.agents:
            try:
                agent.wait(30)
            finally:
                agent.kill()
                agent.wait()
