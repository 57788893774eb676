"""Transforming one input: read, cut, asked of a model a few payloads at a time, and written as a whole or not at all."""

import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from modelyard.aws.errors import AwsError
from modelyard.dispatch.context import Context
from modelyard.dispatch.model_lending import Lent, NotAnswered, Patience, Payload, Reply
from modelyard.jobs import splitting
from modelyard.jobs.inputs import Input, output_of
from modelyard.jobs.processing import NotProcessed, Processing
from modelyard.jobs.splitting import MEBIBYTE, BadGzip, TooMuchData
from modelyard.jobs.transform_job import (
    DEFAULT_RETRIES,
    DEFAULT_TIMEOUT_SECONDS,
    GZIP,
    LINE,
    MOST_MEBIBYTES,
    Document,
    Limits,
)

LOOK_SECONDS = 0.25
"""How soon whoever waits notices that the job is to stop."""


class Interrupted(Exception):
    """The job is to stop."""


class NotTransformed(Exception):
    """An input has no output; the text says why, for FailureReason."""


@dataclass(slots=True)
class Worker:
    """A borrowed instance, and how much may be asked of it at a time."""

    lent: Lent
    permits: threading.BoundedSemaphore


@dataclass(frozen=True, slots=True)
class Asked:
    """A payload that is on its way."""

    payload: bytes
    reply: "Future[Reply]"


class Transformation:
    """What one job does with each of its inputs."""

    def __init__(
        self, document: Document, limits: Limits, acting: Callable[[], Context], stopping: threading.Event, folder: Path
    ) -> None:
        self._given, self._wanted = document["TransformInput"], document["TransformOutput"]
        self._limits = limits
        self._acting = acting
        self._stopping = stopping
        self._folder = folder
        self._processing = Processing(document)
        client = document.get("ModelClientConfig", {})
        self._patience = Patience(
            client.get("InvocationsTimeoutInSeconds", DEFAULT_TIMEOUT_SECONDS),
            client.get("InvocationsMaxRetries", DEFAULT_RETRIES),
        )

    @property
    def _limit(self) -> int:
        """Bytes of a payload."""
        return (self._limits.mebibytes or MOST_MEBIBYTES) * MEBIBYTE

    def transform(self, one: Input, worker: Worker) -> None:
        """Write the output of an input. Raises NotTransformed, NotRunning and Interrupted: then nothing is written."""
        try:
            with tempfile.TemporaryFile(dir=self._folder) as file:
                content_type = self._answer_all(one, worker, file)
                file.seek(0)
                self._put(one, file, content_type)
        except NotAnswered as error:
            raise NotTransformed(_unanswered(one, error, worker.lent.log_stream)) from None
        except TooMuchData:
            raise NotTransformed(
                f"ClientError: Too much data for max payload size: {one.uri} has a record of more than {self._limit} bytes."
            ) from None
        except BadGzip as error:
            raise NotTransformed(f"ClientError: {one.uri} is not a whole gzip file: {error}") from None
        except NotProcessed as error:
            raise NotTransformed(f"ClientError: {one.uri} could not be processed: {error}") from None
        except AwsError as error:
            raise NotTransformed(f"ClientError: {one.uri} could not be read or its output written: {error.message}") from None
        except (OSError, CancelledError) as error:
            raise NotTransformed(f"InternalServerError: {one.uri} could not be transformed: {error}") from None

    def _answer_all(self, one: Input, worker: Worker, file: IO[bytes]) -> str | None:
        """Ask for everything, and write the answers in order; their content type, None where they have several."""
        waiting: deque[Asked] = deque()
        types: set[str | None] = set()
        try:
            for payload in self._payloads(one):
                sent = self._processing.sent(payload)
                while not worker.permits.acquire(blocking=False):
                    if waiting:
                        types.add(self._write(waiting, worker, file))
                    elif worker.permits.acquire(timeout=LOOK_SECONDS):
                        break
                    self._look()
                waiting.append(self._ask(worker, payload, sent))
            while waiting:
                types.add(self._write(waiting, worker, file))
        finally:
            for asked in waiting:
                asked.reply.cancel()
                worker.permits.release()
        return types.pop() if len(types) == 1 else None

    def _ask(self, worker: Worker, payload: bytes, sent: bytes) -> Asked:
        asked = Payload(sent, self._given.get("ContentType"), self._wanted.get("Accept"))
        try:
            return Asked(payload, worker.lent.ask(asked, self._patience))
        except BaseException:
            worker.permits.release()
            raise

    def _write(self, waiting: deque[Asked], worker: Worker, file: IO[bytes]) -> str | None:
        asked = waiting[0]
        while True:
            self._look()
            try:
                reply = asked.reply.result(LOOK_SECONDS)
                break
            except TimeoutError:
                continue
        waiting.popleft()
        worker.permits.release()
        file.write(self._processing.written(asked.payload, reply.body, reply.content_type))
        return reply.content_type

    def _look(self) -> None:
        if self._stopping.is_set():
            raise Interrupted

    def _payloads(self, one: Input) -> Iterator[bytes]:
        """What is sent of an input, before any filter; nothing of an empty one."""
        pieces = self._read(one)
        if self._given["CompressionType"] == GZIP:
            pieces = splitting.unpacked(pieces)
        if self._given["SplitType"] != LINE:
            content = splitting.whole(pieces, self._limit)
            if content:
                yield content
            return
        records = splitting.lines(pieces, self._limit)
        for batch in splitting.batches(records, self._limit, multi=self._limits.multi):
            yield b"\n".join(batch)

    def _read(self, one: Input) -> Iterable[bytes]:
        body: bytes | Iterable[bytes] = self._acting().call("s3", "GetObject", {"Bucket": one.bucket, "Key": one.key})["Body"]
        return [body] if isinstance(body, bytes) else body

    def _put(self, one: Input, file: IO[bytes], content_type: str | None) -> None:
        self._look()
        where = output_of(one, self._wanted["S3OutputPath"])
        request: dict[str, Any] = {"Bucket": where.bucket, "Key": where.key, "Body": file}
        if content_type is not None:
            request["ContentType"] = content_type
        if self._wanted.get("KmsKeyId"):
            request |= {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self._wanted["KmsKeyId"]}
        self._acting().call("s3", "PutObject", request)


def _unanswered(one: Input, error: NotAnswered, log_stream: str) -> str:
    whose = "ClientError" if 400 <= error.status < 500 else "AlgorithmError"
    how = f"answered {error.status}" if error.status else "gave no answer"
    see = f"See the log stream {log_stream} of /aws/sagemaker/TransformJobs."
    return f'{whose}: {one.uri}: the container {error.container} {how}: "{error.message}". {see}'
