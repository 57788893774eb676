"""What an endpoint has to bear while requests keep coming: updates of every kind, roll-backs, other counts, killed workers."""

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self

from botocore.exceptions import ClientError
from tests.endpoints import Deployer
from tests.open_loop import echoes
from tests.processes import below
from tests.running import RunningYard

HALF = {"Type": "CAPACITY_PERCENT", "Value": 50}
VARIANTS = ("left", "right")
INSTANCES = 2
"""Of each variant."""
WORDS = ("amber", "birch", "cedar")


def blue_green(kind: str, **more: object) -> dict[str, object]:
    routing = {"Type": kind, "WaitIntervalInSeconds": 0, **more}
    return {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing, "TerminationWaitInSeconds": 0}}


POLICIES: dict[str, dict[str, Any]] = {
    "update all at once": {},
    "update by canary": blue_green("CANARY", CanarySize=HALF),
    "update in linear steps": blue_green("LINEAR", LinearStepSize=HALF),
    "rolling update": {"RollingUpdatePolicy": {"MaximumBatchSize": HALF, "WaitIntervalInSeconds": 0}},
}


def workers(yard: RunningYard) -> list[int]:
    """The processes of models, and of nothing else, that a server runs."""
    assert yard.process is not None
    return sorted(process.number for process in below(yard.process.pid) if process.words()[-1:] == ["serve.py"])


class Killer:
    """Kills a worker of an endpoint each second (kill -9), whichever, as soon as two of each variant are healthy."""

    def __init__(self, deployer: Deployer, endpoint: str, seconds: float = 1.0) -> None:
        self.killed = 0
        self._deployer = deployer
        self._endpoint = endpoint
        self._seconds = seconds
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._stopping.wait(self._seconds):
            while not self._stopping.is_set() and not self._may():
                time.sleep(0.02)
            with suppress(IndexError, ProcessLookupError):  # those that are drained may end meanwhile
                os.kill(random.choice(workers(self._deployer.yard)), signal.SIGKILL)
                self.killed += 1

    def _may(self) -> bool:
        variants = self._deployer.described(self._endpoint)["ProductionVariants"]
        return all(one["CurrentInstanceCount"] >= 2 for one in variants)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()


class Unrest:
    """An endpoint of two variants, and one operation on it after the other."""

    def __init__(self, deployer: Deployer, pause: float = 0.0) -> None:
        self.done: Counter[str] = Counter()
        self.not_done: list[str] = []
        """Operations that ended in service on what served before, and why: too many of the new workers were killed."""
        self.seconds: dict[str, list[float]] = {}
        self._deployer = deployer
        self._extras = deployer.yard.client("modelyard")
        self._pause = pause
        """Seconds between two operations."""
        self._turn = 0
        for word in WORDS:
            deployer.model(word, echoes(word))
            model = {"ModelName": deployer.named(word), "InitialInstanceCount": INSTANCES}
            deployer.config(word, *({"VariantName": variant, **model} for variant in VARIANTS))
        self.endpoint = deployer.named("unrest")
        deployer.sagemaker.create_endpoint(EndpointName=self.endpoint, EndpointConfigName=deployer.named(WORDS[0]))
        deployer.settled(self.endpoint)

    def go_through(self, count: int) -> None:
        """Have so many operations done, each begun when the one before has ended."""
        kinds: list[tuple[str, Callable[[], object]]] = []
        for name, policy in POLICIES.items():
            kinds += [
                (name, lambda policy=policy: self._update(policy)),  # type: ignore[misc]
                ("scale out", lambda: self._scale(INSTANCES + 2)),
                ("roll back", lambda: self._extras.rollback_endpoint(EndpointName=self.endpoint)),
                ("scale in", lambda: self._scale(INSTANCES)),
            ]
        for number in range(count):
            self._one(*kinds[number % len(kinds)])
            time.sleep(self._pause)

    def _one(self, kind: str, begin: Callable[[], object]) -> None:
        began = time.monotonic()
        try:
            begin()
        except ClientError as error:
            # A roll-back to what is served already, since the update before it did not come to pass.
            self.not_done.append(f"{kind}: {error}")
            return
        shown = self._deployer.settled(self.endpoint, seconds=120)
        self.seconds.setdefault(kind, []).append(round(time.monotonic() - began, 2))
        if "FailureReason" in shown:
            self.not_done.append(f"{kind}: {shown['FailureReason']}")
        else:
            self.done[kind] += 1

    def _update(self, policy: dict[str, Any]) -> None:
        self._turn += 1
        more = {"DeploymentConfig": policy} if policy else {}
        config = self._deployer.named(WORDS[self._turn % len(WORDS)])
        self._deployer.sagemaker.update_endpoint(EndpointName=self.endpoint, EndpointConfigName=config, **more)

    def _scale(self, count: int) -> None:
        counts = [{"VariantName": variant, "DesiredInstanceCount": count} for variant in VARIANTS]
        self._deployer.sagemaker.update_endpoint_weights_and_capacities(
            EndpointName=self.endpoint, DesiredWeightsAndCapacities=counts
        )
