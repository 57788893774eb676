"""`serve`: answers /ping, /invocations and /execution-parameters for one model, or the multi-model API for many.

/ping   200 the model is loaded     503 it is being loaded      500 it cannot be loaded: the body says why
"""

import json
import os
import sys
import threading
import traceback
from collections.abc import Iterable, Iterator

from .http import Answer, Handle, Request
from .model import Model, load
from .multi_model import Models
from .settings import Settings
from .workers import listen, serve_alone, serve_with_workers

LARGEST_TRANSFORM = 6
"""MB."""
LONGEST_REASON = 1024


class Service:
    """One model, while it is loaded and from then on."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._model: Model | None = None
        self._failure = ""
        self._turn = threading.Semaphore(settings.threads)

    def load(self) -> None:
        """Load the model, or take down why it cannot be."""
        try:
            self._model = load(self._settings)
            print("The model is loaded.", file=sys.stderr, flush=True)
        except BaseException as error:  # the owner's code may raise anything, also SystemExit
            traceback.print_exc(file=sys.stderr)
            self._failure = f"{type(error).__name__}: {error}"[:LONGEST_REASON]
            print(f"The model cannot be loaded: {self._failure}", file=sys.stderr, flush=True)

    def handle(self, request: Request) -> Answer:
        """Answer a request."""
        path = request.target.partition("?")[0]
        if path == "/invocations" and request.method == "POST":
            return self._invoke(request)
        if path == "/ping":
            return self._state() or Answer(200)
        if path == "/execution-parameters":
            parameters = {
                "MaxConcurrentTransforms": self._settings.workers * self._settings.threads,
                "BatchStrategy": "MULTI_RECORD",
                "MaxPayloadInMB": LARGEST_TRANSFORM,
            }
            return Answer(200, json.dumps(parameters).encode(), "application/json")
        return Answer(
            405 if path == "/invocations" else 404, b"There is GET /ping, POST /invocations, GET /execution-parameters."
        )

    def _state(self) -> Answer | None:
        """Why it cannot answer; None when it can."""
        if self._model is not None:
            return None
        if self._failure:
            return Answer(500, f"The model cannot be loaded: {self._failure}".encode())
        return Answer(503, b"The model is being loaded.")

    def _invoke(self, request: Request) -> Answer:
        model = self._model
        if model is None:
            return self._state() or Answer(503)
        with self._turn:
            answer = model.answer(request.body, request.headers.get("content-type", ""), request.headers.get("accept", ""))
        if not isinstance(answer.body, bytes):
            answer.body = self._in_turn(answer.body)
        return answer

    def _in_turn(self, pieces: "Iterable[bytes]") -> "Iterator[bytes]":
        """The model works while its answer is sent, so no other request is in it meanwhile."""
        with self._turn:
            yield from pieces


def _prepare(settings: Settings) -> Handle:
    if settings.multi_model:
        return Models(settings).handle
    service = Service(settings)
    threading.Thread(target=service.load, daemon=True).start()
    return service.handle


def main() -> None:
    """Serve until SIGTERM."""
    settings = Settings.of()
    # A thread for each processor makes single rows slower, and several workers fight over them.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    listener = listen(settings.port)
    if settings.workers > 1 and not settings.multi_model:
        serve_with_workers(listener, lambda: _prepare(settings), settings.workers)
    else:
        serve_alone(listener, lambda: _prepare(settings))


if __name__ == "__main__":
    main()
