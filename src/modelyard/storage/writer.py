"""The one writer of a process: many works, one commit.

The thread takes everything that is queued, runs each work in a savepoint of its own and commits them together, so
that while one commit waits for the disk the next batch gathers by itself. Nothing waits for a batch to fill.
"""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Any, Protocol, TypeVar

from modelyard.aws.errors import ThrottlingException
from modelyard.storage.errors import StorageError, StorageUnavailable
from modelyard.storage.interface import Transaction

T = TypeVar("T")

QUEUE_LIMIT = 10_000
"""Works that may wait before new ones are throttled."""
BATCH_LIMIT = 256
"""Works in one commit: bounds how long the first of them waits for the last."""
ATTEMPTS = 8
"""How often a batch is run when the database makes it repeat."""
REPEAT_PAUSE = 0.002
"""Seconds before the second attempt, and as much longer before each further one: whoever was in the way gets on."""

logger = logging.getLogger(__name__)


class RepeatBatch(Exception):
    """The database gave up the transaction for no fault of the works: run all of them again."""


class WriteTransaction(Transaction, Protocol):
    """A work's transaction, as the writer sees it."""

    actions: list[Callable[[], None]]
    failure: Exception | None
    """The first statement that failed; a work with one is undone even when it caught the error."""


class WriteConnection(Protocol):
    """What the writer needs of a dialect. Used by the writer's thread only."""

    def begin(self) -> None:
        """Start a transaction that no other process's writer runs beside. Raises StorageUnavailable."""
        ...

    def transaction(self) -> WriteTransaction:
        """The transaction as one work sees it."""
        ...

    def savepoint(self) -> None:
        """Mark where the next work begins; the one before it is kept."""
        ...

    def undo(self) -> None:
        """Go back to the savepoint. Raises RepeatBatch when the database has dropped the whole transaction."""
        ...

    def commit(self) -> None:
        """Make the batch durable. Raises StorageUnavailable, or RepeatBatch when it certainly was not committed."""
        ...

    def rollback(self) -> None:
        """Drop the batch; harmless when there is none."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


class _Job:
    """A queued work and what became of it."""

    __slots__ = ("actions", "error", "fatal", "future", "result", "work")

    def __init__(self, work: Callable[[Transaction], Any]) -> None:
        self.work = work
        self.future: Future[Any] = Future()
        self.result: Any = None
        self.error: BaseException | None = None
        self.fatal = False
        """Whether its failure ended the transaction of all."""
        self.actions: list[Callable[[], None]] = []

    def settle(self) -> None:
        """Tell the caller."""
        if self.error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(self.error)


class Writer:
    """Queues works and commits them in batches, on a thread of its own."""

    def __init__(self, connection: WriteConnection, *, queue_limit: int = QUEUE_LIMIT, batch_limit: int = BATCH_LIMIT) -> None:
        self._connection = connection
        self._queue_limit = queue_limit
        self._batch_limit = batch_limit
        self._queue: SimpleQueue[_Job | None] = SimpleQueue()
        self._gate = threading.Lock()
        self._closed = False
        self.turn = threading.Lock()
        """Held while works run, and not while their commit waits for the disk."""
        self._thread = threading.Thread(target=self._run, name="storage-writer", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[Transaction], T]) -> "Future[T]":
        """Queue `work`; see Storage.submit."""
        job = _Job(work)
        with self._gate:
            if self._closed:
                raise StorageError("the storage is closed")
            if self._queue.qsize() >= self._queue_limit:
                raise ThrottlingException("Rate exceeded: too many writes are waiting.")
            self._queue.put(job)
        return job.future

    def write(self, work: Callable[[Transaction], T]) -> T:
        """Queue `work` and wait for it; see Storage.write."""
        if self.is_this_thread():
            raise RuntimeError("a work may not wait for another work: they share the writer's thread")
        return self.submit(work).result()

    def is_this_thread(self) -> bool:
        """Whether the caller is a work, or an action after a commit."""
        return threading.current_thread() is self._thread

    def close(self) -> None:
        """Finish what is queued, then close the connection."""
        with self._gate:
            if self._closed:
                return
            self._closed = True
            self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        more = True
        while more:
            jobs, more = self._take()
            if jobs:
                self._settle(jobs)
        self._connection.close()

    def _take(self) -> tuple[list[_Job], bool]:
        """Everything that is queued, up to the limit, and whether there will be more."""
        jobs: list[_Job] = []
        job = self._queue.get()
        while job is not None:
            if job.future.set_running_or_notify_cancel():
                jobs.append(job)
            if len(jobs) >= self._batch_limit:
                return jobs, True
            try:
                job = self._queue.get_nowait()
            except Empty:
                return jobs, True
        return jobs, False

    def _settle(self, jobs: list[_Job]) -> None:
        """Commit the jobs, then let go of what waits for them."""
        try:
            self._commit(jobs)
        except Exception as error:
            for job in jobs:
                # One exception for each: several threads raising the same one would mix up its traceback.
                job.error = StorageUnavailable(f"the write was not stored: {error}")
                job.error.__cause__ = error
                job.settle()
            return
        for job in jobs:
            for action in job.actions:
                self._act(action)
        for job in jobs:
            job.settle()

    def _act(self, action: Callable[[], None]) -> None:
        try:
            action()
        except Exception:
            logger.exception("an action after a commit failed; the commit stands")

    def _commit(self, jobs: list[_Job]) -> None:
        """Run the jobs and commit, again when the database asks for it. Raises StorageUnavailable."""
        attempts = 0
        while jobs:
            try:
                self._connection.begin()
                self._perform(jobs)
            except RepeatBatch as error:
                self._connection.rollback()
                attempts += 1
                if attempts == ATTEMPTS:
                    raise StorageUnavailable(f"the database made the same work repeat {ATTEMPTS} times: {error}") from error
                jobs = [job for job in jobs if not job.fatal]
                time.sleep(REPEAT_PAUSE * attempts)
            except BaseException:
                self._connection.rollback()
                raise
            else:
                return

    def _perform(self, jobs: list[_Job]) -> None:
        with self.turn:
            keep = self._run_works(jobs)
        if keep:
            self._connection.commit()
        else:
            self._connection.rollback()

    def _run_works(self, jobs: list[_Job]) -> bool:
        """Run the works one after the other; whether there is something to commit."""
        if len(jobs) == 1:
            # Alone it needs no savepoint: undoing the work and undoing the batch are the same.
            return self._kept(jobs[0])
        for job in jobs:
            self._connection.savepoint()
            if not self._kept(job):
                self._undo(job)
        return True

    def _undo(self, job: _Job) -> None:
        try:
            self._connection.undo()
        except RepeatBatch:
            # It took the whole transaction with it (too large for the disk, say): its error stands, the others go on without it.
            job.fatal = True
            raise

    def _kept(self, job: _Job) -> bool:
        """Run one work; whether what it wrote shall stay."""
        transaction = self._connection.transaction()
        job.error = None
        job.actions = transaction.actions
        try:
            job.result = job.work(transaction)
            job.error = transaction.failure
        except BaseException as error:
            job.error = error
        if isinstance(transaction.failure, RepeatBatch):
            raise transaction.failure
        if job.error is not None:
            job.actions = []
        return job.error is None
