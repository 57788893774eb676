"""The engine that runs transform jobs: those that nobody runs, a few at a time, each until it has ended.

A job is one server's at a time, by a lease in its row. Whoever takes it up goes on with the inputs that have no output yet. A
server that was taken for dead and lives may write an output again, as it was; what it says of the job is not heard.
"""

import logging
import os
import secrets
import threading
import time

from modelyard.aws.errors import AwsError
from modelyard.dispatch.acting import RoleUnusable, as_role
from modelyard.dispatch.artifacts import keeper
from modelyard.dispatch.context import Context
from modelyard.dispatch.dispatcher import Dispatcher
from modelyard.dispatch.log_lines import LogLines, LogStream
from modelyard.dispatch.model_lending import lender
from modelyard.dispatch.server_locks import is_free, locked
from modelyard.jobs import events, store, wakening
from modelyard.jobs.running_job import Outcome, RunningJob
from modelyard.jobs.transform_job import Status, TransformJob, holder
from modelyard.storage.errors import StorageUnavailable
from modelyard.storage.interface import Transaction

MOST_RUNNING = 5
"""Jobs that one server runs at a time; the others wait."""
MOST_OF_AN_ACCOUNT = MOST_RUNNING - 1
"""Of those, so many may be one account's: however long they take, somebody else's turn comes."""
LEASE_SECONDS = 15.0
BEAT_SECONDS = 3.0
MOST_ATTEMPTS = 3
"""So many servers may end while they run a job; then it has failed."""
TRY_AGAIN_SECONDS = 2.0
LOG_GROUP = "/aws/sagemaker/TransformJobs"

log = logging.getLogger("modelyard.jobs")


class Transforms:
    """Runs transform jobs (an engine, `dispatch.engines`)."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        # Engines end in the reverse order: what runs models has to be there first.
        lender().prepare(dispatcher)
        self._dispatcher = dispatcher
        self._owner = secrets.token_hex(8)
        self._folder = dispatcher.settings.data / "jobs" / "servers"
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = locked(self._folder / self._owner)
        self._running: dict[int, tuple[RunningJob, threading.Thread]] = {}
        self._lines = LogLines("transform-logs")
        self._streams: dict[tuple[int, str], LogStream] = {}
        self._beaten = float("-inf")
        self._closing = threading.Event()
        self._turning = threading.Lock()
        # What runs needs the server to answer: to be interrupted is no failure, to find nobody there would be one.
        dispatcher.engines.before_end(self._interrupt)

    @classmethod
    def of(cls, dispatcher: Dispatcher) -> "Transforms":
        """That of a server."""
        return dispatcher.engines.get(cls, lambda: cls(dispatcher))

    def turn(self) -> None:
        """Begin what nobody runs, stop what is to be stopped."""
        with self._turning:
            if not self._closing.is_set():
                self._turn()

    def close(self) -> None:
        """Interrupt what runs, and leave it to the next server."""
        with self._turning:
            self._interrupt()
        for _, thread in list(self._running.values()):
            thread.join()
        self._lines.close()
        (self._folder / self._owner).unlink(missing_ok=True)
        os.close(self._lock)

    def _interrupt(self) -> None:
        self._closing.set()
        for running, _ in list(self._running.values()):
            running.stopping.set()

    # --- a turn ---------------------------------------------------------------------------------

    def _turn(self) -> None:
        self._running = {number: one for number, one in self._running.items() if one[1].is_alive()}
        now, storage = self._dispatcher.clock.now(), self._dispatcher.storage
        with storage.read() as tx:
            own, others = store.owned(tx, self._owner), store.owners(tx) - {self._owner}
            left = [store.by_id(tx, number) for number in own if number not in self._running]
            room = MOST_RUNNING - len(self._running) - len(left)
            free = store.free(tx, self._owner, now, MOST_OF_AN_ACCOUNT, room) if room > 0 else []
        for number, (running, _) in self._running.items():
            # Also when it is another server's by now.
            if own.get(number) is not Status.IN_PROGRESS:
                running.stopping.set()
        if own and time.monotonic() - self._beaten >= BEAT_SECONDS:
            storage.write(lambda tx: store.renew(tx, self._owner, self._dispatcher.clock.now() + LEASE_SECONDS))
            self._beaten = time.monotonic()
        self._forget_the_dead(others)
        for job in left:
            # It was taken though the database did not say so, or its thread did not start, or ended too soon.
            assert job is not None, "its row was just read"
            self._begin(job)
        for number in free:
            taken = storage.write(lambda tx, number=number: self._take(tx, number))  # type: ignore[misc]
            if taken is not None:
                self._begin(taken)

    def _forget_the_dead(self, owners: set[str]) -> None:
        """A server on the same data directory has ended when the lock that it held is free: at once, and never wrongly."""
        for owner in owners:
            path = self._folder / owner
            if path.exists() and is_free(path):
                self._dispatcher.storage.write(lambda tx, owner=owner: store.forget(tx, owner))  # type: ignore[misc]
                wakening.tell()

    def _take(self, tx: Transaction, number: int) -> TransformJob | None:
        now = self._dispatcher.clock.now()
        return store.take(tx, number, self._owner, now, now + LEASE_SECONDS)

    def _begin(self, job: TransformJob) -> None:
        running = RunningJob(self._dispatcher, job, self._owner, self._note)
        thread = threading.Thread(target=self._run, args=(running,), name="transform-job", daemon=True)
        thread.start()
        self._running[job.id] = running, thread
        if self._closing.is_set():
            running.stopping.set()

    # --- on the thread of a job -----------------------------------------------------------------

    def _run(self, running: RunningJob) -> None:
        job, outcome = running.job, self._outcome(running)
        while not self._concluded(job, outcome):
            # The lease may run out meanwhile, and another server do the rest.
            if self._closing.wait(TRY_AGAIN_SECONDS):
                return
        for key in [key for key in self._streams if key[0] == job.id]:
            self._streams.pop(key, None)
        wakening.tell()

    def _outcome(self, running: RunningJob) -> Outcome | None:
        job = running.job
        if job.status is Status.STOPPING:
            return Outcome(Status.STOPPED)
        if job.attempts > MOST_ATTEMPTS:
            reason = f"InternalServerError: The server ended {MOST_ATTEMPTS} times while it ran this job."
            return Outcome(Status.FAILED, reason)
        outcome = running.run()
        # Whoever sees that the job has ended finds all of its logs.
        running.settle(self._closing)
        self._lines.flush()
        if running.put_off:
            self._closing.wait(TRY_AGAIN_SECONDS)
        return outcome

    def _concluded(self, job: TransformJob, outcome: Outcome | None) -> bool:
        """Try to write down how a job ended; False when it has to be tried again."""
        try:
            self._dispatcher.storage.write(lambda tx: self._conclude(tx, job, outcome))
        except StorageUnavailable:
            log.warning("the end of the transform job %s cannot be written down", job.at.arn)
            return False
        except Exception:
            log.exception("the transform job %s cannot be ended", job.at.arn)
            return False
        return True

    def _conclude(self, tx: Transaction, job: TransformJob, outcome: Outcome | None) -> None:
        """Write down how a job ended; one that was interrupted is left to others, unless it is to be stopped."""
        status = store.owned(tx, self._owner).get(job.id)
        if status is None:
            return
        if status is Status.STOPPING and (outcome is None or outcome.status is not Status.COMPLETED):
            outcome = Outcome(Status.STOPPED)
        if outcome is None:
            store.give_back(tx, job.id, self._owner)
            return
        now, keeps = self._dispatcher.clock.now(), keeper()
        store.end(tx, job.id, self._owner, outcome.status, outcome.reason, now)
        if keeps is not None:
            keeps.unpin(tx, holder(job.at), now)
        after = store.by_id(tx, job.id)
        assert after is not None, "it was just written"
        events.transform_changed(tx, after, now)

    def _note(self, job: TransformJob, stream: str, line: str) -> None:
        """Write a line into a log stream of a job."""

        def context() -> Context:
            try:
                return as_role(self._dispatcher, job.at.arn, job.plan["Role"])
            except RoleUnusable as error:
                raise AwsError(str(error)) from error

        self._lines.write(self._streams.setdefault((job.id, stream), LogStream(context, LOG_GROUP, stream)), line)
