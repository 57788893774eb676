"""The demo's steps about serving: deployed, updated with requests running, rolled back, deleted by accident and restored."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Self

from botocore.exceptions import BotoCoreError, ClientError

from modelyard.cli.demo.narration import Mismatch
from modelyard.cli.demo.training import Candidate, Screening

if TYPE_CHECKING:
    from modelyard.cli.demo.story import Story

ENDPOINT = "tumour-screening"
SECONDS = 120.0
CALLERS = 2
PAUSE = 0.02
"""Between two requests of a caller."""


class Callers:
    """Clients that ask an endpoint one patient after the other, as long as the block runs."""

    def __init__(self, runtime: Any, patients: Sequence[bytes]) -> None:
        self.answered: Counter[str] = Counter()
        """By the model that did."""
        self.failed: list[str] = []
        self._runtime = runtime
        self._patients = patients
        self._stopping = threading.Event()

    def _call(self, number: int) -> None:
        while not self._stopping.wait(PAUSE):
            number += 1
            try:
                answer = self._runtime.invoke_endpoint(
                    EndpointName=ENDPOINT, ContentType="text/csv", Body=self._patients[number % len(self._patients)]
                )
                answer["Body"].read()
                self.answered[answer["CustomAttributes"]] += 1
            except (ClientError, BotoCoreError) as error:
                self.failed.append(str(error))

    def __enter__(self) -> Self:
        self._threads = ThreadPoolExecutor(CALLERS)
        for number in range(CALLERS):
            self._threads.submit(self._call, number)
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._threads.shutdown()


class Serving:
    """Tells these steps of a story."""

    def __init__(self, story: "Story", data: Screening) -> None:
        self._story = story
        self._data = data
        self._rows = [",".join(map(str, row)).encode() for row in data.test]

    def tell(self, approved: Candidate, register_next: Callable[[], Candidate]) -> None:
        """All of them, where this machine can make the sandboxes that models are served in."""
        if not self.deploy(approved):
            return
        following = register_next()
        self.update(approved, following)
        self.roll_back(approved)
        self.restore(approved)

    def deploy(self, candidate: Candidate) -> bool:
        """Make an endpoint of the approved version; False where this machine runs no models."""
        tell, sagemaker = self._story.tell, self._sagemaker
        tell.step("The approved version becomes an endpoint", "deployer")
        self._configure(candidate)
        tags = [{"Key": "environment", "Value": "production"}]
        sagemaker.create_endpoint(EndpointName=ENDPOINT, EndpointConfigName=candidate.name, Tags=tags)
        tell.call(f"sagemaker.create_endpoint(EndpointName='{ENDPOINT}', EndpointConfigName='{candidate.name}', Tags={tags})")
        began = time.monotonic()
        shown = self._settled()
        if "sandbox" in shown.get("FailureReason", ""):
            tell.refused(shown["FailureReason"])
            tell.say("So no model is served on this machine; the rest of the demo needs none.")
            return False
        tell.answer({"EndpointStatus": shown["EndpointStatus"], "after": f"{time.monotonic() - began:.1f} seconds"})
        tell.holds("a process of its own serves it, in a sandbox", shown["EndpointStatus"] == "InService")
        self._predict(candidate)
        return True

    def update(self, before: Candidate, after: Candidate) -> None:
        """Move the endpoint to the next version while it is asked."""
        tell = self._story.tell
        tell.step("The endpoint moves to the next version while requests keep coming", "deployer")
        with self._callers() as callers:
            self._until(lambda: callers.answered[before.name] > 0)
            self._configure(after)
            self._sagemaker.update_endpoint(EndpointName=ENDPOINT, EndpointConfigName=after.name)
            tell.call(f"sagemaker.update_endpoint(EndpointName='{ENDPOINT}', EndpointConfigName='{after.name}')")
            self._settled()
            self._until(lambda: callers.answered[after.name] > CALLERS)
        self._count(callers)
        self._predict(after)

    def roll_back(self, candidate: Candidate) -> None:
        """Back to the version before, while it is asked."""
        tell = self._story.tell
        tell.step("Too many false alarms: back to the version before, with requests running again", "deployer")
        extras = self._story.client("modelyard", "deployer")
        with self._callers() as callers:
            self._until(lambda: sum(callers.answered.values()) > 0)
            extras.rollback_endpoint(EndpointName=ENDPOINT)
            tell.call(f"modelyard.rollback_endpoint(EndpointName='{ENDPOINT}')")
            self._settled()
            self._until(lambda: callers.answered[candidate.name] > CALLERS)
        self._count(callers)
        history = extras.list_endpoint_deployments(EndpointName=ENDPOINT)["Deployments"]
        tell.table(
            ("deployment", "configuration", "by", "now"),
            [
                (one["Kind"], one["EndpointConfigName"], one["StartedBy"].rpartition(":")[2], "serves" if one["Current"] else "")
                for one in reversed(history)
            ],
        )

    def restore(self, candidate: Candidate) -> None:
        """Delete the endpoint, its configuration and its model, and have all of it back by one call."""
        tell, sagemaker = self._story.tell, self._sagemaker
        tell.step("Somebody deletes the endpoint by accident, with all that it was made of", "deployer")
        sagemaker.delete_endpoint(EndpointName=ENDPOINT)
        tell.call(f"sagemaker.delete_endpoint(EndpointName='{ENDPOINT}')")
        sagemaker.delete_endpoint_config(EndpointConfigName=candidate.name)
        tell.call(f"sagemaker.delete_endpoint_config(EndpointConfigName='{candidate.name}')")
        sagemaker.delete_model(ModelName=candidate.name)
        tell.call(f"sagemaker.delete_model(ModelName='{candidate.name}')")
        self._until(lambda: not sagemaker.list_endpoints(NameContains=ENDPOINT)["Endpoints"])
        try:
            self._runtime.invoke_endpoint(EndpointName=ENDPOINT, Body=self._rows[0])
        except ClientError as error:
            tell.refused(str(error))
        else:
            raise Mismatch("an endpoint that was deleted answers nobody")
        extras = self._story.client("modelyard", "deployer")
        began = time.monotonic()
        extras.restore_endpoint(EndpointName=ENDPOINT)
        tell.call(f"modelyard.restore_endpoint(EndpointName='{ENDPOINT}')")
        self._settled()
        tell.say(f"It is back after {time.monotonic() - began:.1f} seconds, from the registry alone:")
        self._predict(candidate)
        arn = self._story.versions[candidate.name]
        [use] = extras.list_version_deployments(ModelPackageArn=arn)["Deployments"]
        tell.call(f"modelyard.list_version_deployments(ModelPackageArn='{arn}')")
        tell.answer({name: use[name] for name in ("EndpointName", "VariantName", "Environment")})
        tell.holds(
            "the registry says where the version is deployed",
            (use["EndpointName"], use["Environment"]) == (ENDPOINT, "production"),
        )

    # --- what the steps share -------------------------------------------------------------------

    @property
    def _sagemaker(self) -> Any:
        return self._story.client("sagemaker", "deployer")

    @property
    def _runtime(self) -> Any:
        return self._story.client("sagemaker-runtime", "deployer")

    def _callers(self) -> Callers:
        return Callers(self._runtime, self._rows)

    def _configure(self, candidate: Candidate) -> None:
        """A model of the registered version, and a configuration with it."""
        tell, sagemaker, arn = self._story.tell, self._sagemaker, self._story.versions[candidate.name]
        sagemaker.create_model(ModelName=candidate.name, PrimaryContainer={"ModelPackageName": arn})
        tell.call(f"sagemaker.create_model(ModelName='{candidate.name}', PrimaryContainer={{'ModelPackageName': '{arn}'}})")
        variant = {
            "VariantName": "AllTraffic",
            "ModelName": candidate.name,
            "InstanceType": "ml.m5.large",
            "InitialInstanceCount": 1,
        }
        sagemaker.create_endpoint_config(EndpointConfigName=candidate.name, ProductionVariants=[variant])
        tell.call(f"sagemaker.create_endpoint_config(EndpointConfigName='{candidate.name}', ProductionVariants=[...])")

    def _predict(self, candidate: Candidate) -> None:
        """Ask about all patients at once: the answers have to be those of the model that was trained."""
        tell = self._story.tell
        answer = self._runtime.invoke_endpoint(EndpointName=ENDPOINT, ContentType="text/csv", Body=b"\n".join(self._rows))
        tell.call(f"sagemaker_runtime.invoke_endpoint(EndpointName='{ENDPOINT}', ContentType='text/csv', Body=...)")
        labels = [int(line) for line in answer["Body"].read().split()]
        right = sum(label == int(truth) for label, truth in zip(labels, self._data.test_labels, strict=True))
        tell.holds(
            f"the {candidate.name} answers: {right} of {len(labels)} patients are right, as measured",
            (answer["CustomAttributes"], round(right / len(labels), 4)) == (candidate.name, candidate.accuracy),
        )

    def _count(self, callers: Callers) -> None:
        tell = self._story.tell
        answers = ", ".join(f"{count} by the {name}" for name, count in callers.answered.items())
        tell.say(f"Requests meanwhile: {sum(callers.answered.values())}, answered {answers}.")
        tell.holds("none of them failed", not callers.failed and len(callers.answered) == 2)

    def _settled(self) -> Mapping[str, Any]:
        """The endpoint once nothing is in progress."""
        shown: list[Mapping[str, Any]] = []

        def settled() -> bool:
            shown[:] = [self._sagemaker.describe_endpoint(EndpointName=ENDPOINT)]
            return shown[0]["EndpointStatus"] not in ("Creating", "Updating")

        self._until(settled)
        return shown[0]

    @staticmethod
    def _until(done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + SECONDS
        while not done():
            if time.monotonic() > deadline:
                raise Mismatch("it is done within two minutes")
            time.sleep(0.05)
