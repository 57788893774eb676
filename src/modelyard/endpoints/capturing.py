"""Keeping captured requests: gathered in memory, and put into S3 about once a second, as the execution role of their model.

No request waits for it. What cannot be kept is left out and counted (`losses`): what comes faster than it can be kept, and what
the role may not write. What S3 cannot take at the moment is tried again.
"""

import io
import logging
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from modelyard.aws.errors import AwsError
from modelyard.blobs.interface import BlobsUnavailable
from modelyard.dispatch.dispatcher import Dispatcher
from modelyard.endpoints.acting import RoleUnusable, context_of
from modelyard.endpoints.capture import Capture, Exchange, hour_of, key, line
from modelyard.endpoints.losses import Losses, Place
from modelyard.endpoints.model import Document
from modelyard.storage.errors import StorageUnavailable

FLUSH_SECONDS = 1.0
MOST_BYTES = 64 * 1024 * 1024
"""Of payloads that may wait."""
MOST_OF_ONE = 32 * 1024 * 1024
"""Of those, what one variant may have."""
LARGEST_FILE = 8 * 1024 * 1024
"""Bytes of payloads after which another file begins."""
WHAT = "Data captures"

log = logging.getLogger("modelyard.endpoints")


@dataclass(frozen=True, slots=True)
class Basket:
    """What is kept together: a variant's requests under one configuration."""

    place: Place
    capture: Capture


class _Later(Exception):
    """Nothing can be kept at the moment."""


class Capturing:
    """Gathers exchanges and keeps them, on a thread of its own."""

    def __init__(self, dispatcher: Dispatcher, losses: Losses) -> None:
        self._dispatcher = dispatcher
        self._losses = losses
        self._lock = threading.Lock()
        self._waiting: dict[Basket, list[Exchange]] = {}
        self._held: dict[Place, int] = {}
        self._total = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="endpoint-capture", daemon=True)
        self._thread.start()

    def add(self, basket: Basket, exchange: Exchange) -> None:
        """Have an exchange kept soon. On any thread, and quick."""
        size = exchange.size
        with self._lock:
            held = self._held.get(basket.place, 0)
            fits = held + size <= MOST_OF_ONE and self._total + size <= MOST_BYTES
            if fits:
                self._held[basket.place] = held + size
                self._total += size
                self._waiting.setdefault(basket, []).append(exchange)
        if not fits:
            self._losses.add(basket.place, WHAT, 1, "They come faster than they can be kept.")

    def lost(self, basket: Basket, why: str) -> None:
        """An exchange cannot be kept."""
        self._losses.add(basket.place, WHAT, 1, why)

    def flush(self) -> None:
        """Keep what waits now."""
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        for basket, exchanges in waiting.items():
            self._keep(basket, exchanges)

    def close(self) -> None:
        """Keep what waits, and end; what cannot be kept now is lost."""
        self._stopping.set()
        self._thread.join()
        self.flush()
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        for basket, exchanges in waiting.items():
            self._lose(basket, exchanges, "The server has ended.")
        self._losses.tell(at_once=True)

    def _run(self) -> None:
        while not self._stopping.wait(FLUSH_SECONDS):
            self.flush()
            self._losses.tell()

    def _keep(self, basket: Basket, exchanges: list[Exchange]) -> None:
        files = list(_files(exchanges))
        while files:
            try:
                self._put(basket, files[0])
            except _Later:
                left = [one for file in files for one in file]
                with self._lock:
                    self._waiting[basket] = left + self._waiting.get(basket, [])
                return
            except (AwsError, RoleUnusable) as error:
                self._lose(basket, files[0], str(error))
            except Exception as error:
                log.exception("captured requests of %s could not be kept", basket.place.at.arn)
                self._lose(basket, files[0], f"{type(error).__name__}.")
            else:
                self._let_go(basket, files[0])
            del files[0]

    def _put(self, basket: Basket, exchanges: list[Exchange]) -> None:
        place, capture = basket.place, basket.capture
        request: Document = {
            "Bucket": capture.bucket,
            "Key": key(capture, place.at.name, place.variant, exchanges, self._dispatcher.ids.request_id()),
            "Body": io.BytesIO(b"".join(line(capture, one) for one in exchanges)),
            "ContentType": "application/json",
        }
        if capture.key_id is not None:
            request |= {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": capture.key_id}
        try:
            context_of(self._dispatcher, place.at, place.role).call("s3", "PutObject", request)
        except (StorageUnavailable, BlobsUnavailable) as error:
            raise _Later from error
        except AwsError as error:
            if error.status >= 500:
                raise _Later from error
            raise

    def _lose(self, basket: Basket, exchanges: list[Exchange], why: str) -> None:
        self._losses.add(basket.place, WHAT, len(exchanges), why)
        self._let_go(basket, exchanges)

    def _let_go(self, basket: Basket, exchanges: list[Exchange]) -> None:
        size = sum(one.size for one in exchanges)
        with self._lock:
            self._total -= size
            self._held[basket.place] -= size
            if not self._held[basket.place]:
                del self._held[basket.place]


def _files(exchanges: Iterable[Exchange]) -> Iterable[list[Exchange]]:
    """Exchanges by the files that they go into: each is of one hour, and ends soon after it is large enough."""
    for _, of_hour in groupby(exchanges, lambda one: hour_of(one.event)):
        file: list[Exchange] = []
        size = 0
        for one in of_hour:
            file.append(one)
            size += one.size
            if size >= LARGEST_FILE:
                yield file
                file, size = [], 0
        if file:
            yield file
