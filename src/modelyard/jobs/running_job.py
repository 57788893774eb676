"""One job that runs: instances are borrowed, every input is transformed, and what came of it is told."""

import logging
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from modelyard.blobs.interface import BlobsUnavailable
from modelyard.dispatch.acting import RoleUnusable, as_role
from modelyard.dispatch.context import Context
from modelyard.dispatch.dispatcher import Dispatcher
from modelyard.dispatch.model_lending import Borrower, Lent, NotRunning, lender
from modelyard.jobs import inputs, store, transform_job
from modelyard.jobs.inputs import Input, NoInput
from modelyard.jobs.transform_job import LONGEST_REASON, Limits, Status, TransformJob
from modelyard.jobs.transforming import Interrupted, NotTransformed, Transformation, Worker
from modelyard.storage.errors import StorageUnavailable

UNAVAILABLE = (StorageUnavailable, BlobsUnavailable)
"""What is no fault of a job: it is tried again, by whichever server can."""
MOST_THREADS = 8
"""That read and write for one instance."""

log = logging.getLogger("modelyard.jobs")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ended."""

    status: Status
    reason: str | None = None


class GivenUp(Exception):
    """The job cannot go on; the text is for FailureReason."""


@dataclass(slots=True)
class Progress:
    """What the threads of a job share."""

    left: "queue.SimpleQueue[Input]"
    failures: list[str] = field(default_factory=list)
    """Why inputs have no output."""
    broken: str | None = None
    """Why no further one can be transformed."""


class RunningJob:
    """A job on a thread of its own."""

    def __init__(self, dispatcher: Dispatcher, job: TransformJob, owner: str, note: Callable[[TransformJob, str, str], None]):
        self.job = job
        self.stopping = threading.Event()
        """Set when it is to end before it is done."""
        self.put_off = False
        """Whether it was interrupted by what may take a moment."""
        self._dispatcher = dispatcher
        self._owner = owner
        self._note = note
        self._role: str = job.plan["Role"]
        self._lent: list[Lent] = []

    def run(self) -> Outcome | None:
        """Do it all; None when it was interrupted."""
        try:
            return self._run()
        except Interrupted:
            return None
        except UNAVAILABLE as error:
            self._put_off(error)
            return None
        except (GivenUp, NoInput, RoleUnusable) as error:
            return Outcome(Status.FAILED, str(error)[:LONGEST_REASON])
        except Exception:
            if self.stopping.is_set():
                return None
            log.exception("the transform job %s broke down", self.job.at.arn)
            return Outcome(Status.FAILED, "InternalServerError: We encountered an internal error. The server's log has more.")

    def settle(self, closing: threading.Event) -> None:
        """After its run: returns once all that its containers printed is kept, or the server is closing."""
        for one in self._lent:
            one.settle(closing)

    def _put_off(self, error: Exception) -> None:
        log.warning("the transform job %s is put off: %s", self.job.at.arn, error)
        self.put_off = True
        self.stopping.set()

    def _acting(self) -> Context:
        return as_role(self._dispatcher, self.job.at.arn, self._role)

    def _run(self) -> Outcome:
        document = self.job.document
        source = document["TransformInput"]["DataSource"]["S3DataSource"]
        found = inputs.inputs(self._acting(), source, self._role)
        with self._dispatcher.storage.read() as tx:
            done = store.done(tx, self.job.id)
        left = [one for one in found if one.uri not in done]
        with self._borrowed(min(document["TransformResources"]["InstanceCount"], len(left))) as lent:
            limits = self._ready(lent)
            self._dispatcher.storage.write(lambda tx: store.started(tx, self.job.id, self._owner, self._dispatcher.clock.now()))
            progress = self._transform(left, lent, limits)
        if self.stopping.is_set():
            raise Interrupted
        return _outcome(progress, len(found))

    @contextmanager
    def _borrowed(self, count: int) -> Iterator[list[Lent]]:
        at = self.job.at
        borrower = Borrower(at.account, at.region, "transform-job", at.name)
        try:
            for _ in range(count):
                self._lent.append(lender().lend(self._dispatcher, borrower, self.job.plan))
            yield self._lent
        finally:
            for one in self._lent:
                one.end()

    def _ready(self, lent: list[Lent]) -> Limits:
        """Wait for all of them; what may be sent at once. Raises GivenUp."""
        try:
            for one in lent:
                one.wait_until_ready(self.stopping)
        except NotRunning as error:
            raise GivenUp(
                "AlgorithmError: The primary container did not pass the ping health check. Please check CloudWatch logs for this"
                f" job. ({error})"
            ) from None
        if self.stopping.is_set():
            raise Interrupted
        offered = lent[0].parameters() if lent and transform_job.wants_parameters(self.job.document) else {}
        limits = transform_job.limits(self.job.document, offered)
        strategy = "MULTI_RECORD" if limits.multi else "SINGLE_RECORD"
        said = f"MaxConcurrentTransforms={limits.concurrency}, MaxPayloadInMB={limits.mebibytes}, BatchStrategy={strategy}"
        for one in lent:
            self._note(self.job, f"{one.log_stream}/data-log", f"[sagemaker logs]: {said}")
        return limits

    def _transform(self, left: list[Input], lent: list[Lent], limits: Limits) -> Progress:
        folder = self._dispatcher.settings.data / "jobs"
        progress = Progress(queue.SimpleQueue())
        for one in left:
            progress.left.put(one)
        transformation = Transformation(self.job.document, limits, self._acting, self.stopping, folder)
        threads = []
        for instance in lent:
            worker = Worker(instance, threading.BoundedSemaphore(limits.concurrency))
            for _ in range(min(limits.concurrency, MOST_THREADS, len(left))):
                arguments = (progress, transformation, worker)
                threads.append(threading.Thread(target=self._work, args=arguments, name="transform", daemon=True))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return progress

    def _work(self, progress: Progress, transformation: Transformation, worker: Worker) -> None:
        """Transform what is left, one input after the other. One that fails holds up no others, as on AWS."""
        while not self.stopping.is_set() and progress.broken is None:
            try:
                one = progress.left.get_nowait()
            except queue.Empty:
                return
            try:
                transformation.transform(one, worker)
                self._dispatcher.storage.write(lambda tx, one=one: store.add_done(tx, self.job.id, one.uri))  # type: ignore[misc]
            except Interrupted:
                return
            except UNAVAILABLE as error:
                self._put_off(error)
            except NotTransformed as error:
                progress.failures.append(str(error))
                self._note(self.job, f"{worker.lent.log_stream}/data-log", f"[sagemaker logs]: {error}")
            except (NotRunning, RoleUnusable) as error:
                progress.broken = f"AlgorithmError: {one.uri} was not transformed. {error}"
            except Exception:
                log.exception("%s of the transform job %s could not be transformed", one.uri, self.job.at.arn)
                progress.broken = f"InternalServerError: {one.uri} was not transformed. The server's log has more."


def _outcome(progress: Progress, count: int) -> Outcome:
    failures = [*progress.failures, *([progress.broken] if progress.broken is not None else [])]
    if not failures:
        return Outcome(Status.COMPLETED)
    reason = progress.broken or failures[0]
    more = f" ({len(failures)} of {count} inputs failed.)" if len(failures) > 1 else ""
    return Outcome(Status.FAILED, reason[: LONGEST_REASON - len(more)] + more)
