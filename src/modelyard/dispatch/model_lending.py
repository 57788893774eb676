"""Models that run for a while for a part that does not host them: a job borrows instances from the part that does.

The part that hosts models says once how (`lends_models`), as parts say how their resources are found; whoever has something to
be computed asks `lender()`, and nobody imports another part for it.
"""

import threading
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol

from modelyard.dispatch.context import Context
from modelyard.dispatch.dispatcher import Dispatcher

Document = dict[str, Any]


class NotRunning(Exception):
    """An instance did not come up, or has ended; the text says why."""


class NotAnswered(Exception):
    """A container answered otherwise than with 200, or not at all."""

    def __init__(self, container: str, status: int, message: str) -> None:
        super().__init__(message)
        self.container = container
        self.status = status
        """0 for no answer."""
        self.message = message


@dataclass(frozen=True, slots=True)
class Borrower:
    """For whom a model runs."""

    account: str
    region: str
    kind: str
    """What its ARN begins with: `transform-job`."""
    name: str


@dataclass(frozen=True, slots=True)
class Terms:
    """What is to run."""

    model_name: str
    instance_type: str
    environment: Mapping[str, str]
    """Goes over that of the model."""


@dataclass(frozen=True, slots=True)
class Payload:
    """What is sent to /invocations."""

    body: bytes
    content_type: str | None = None
    accept: str | None = None


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a request may take, and how often it is tried again."""

    seconds: float
    retries: int


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model answered: its last container, where it has several in a row."""

    body: bytes
    content_type: str | None


class Lent(Protocol):
    """An instance that was borrowed. It is to be given back with `end`."""

    @property
    def log_stream(self) -> str:
        """The log stream of its container, or what those of its containers begin with."""
        ...

    def wait_until_ready(self, stopping: threading.Event) -> None:
        """Returns once it answers /ping, or something is stopping. Raises NotRunning."""
        ...

    def parameters(self) -> Mapping[str, Any]:
        """What its first container answers to GET /execution-parameters; empty where it has nothing to say."""
        ...

    def ask(self, payload: Payload, patience: Patience) -> "Future[Reply]":
        """Have something computed. The future raises NotAnswered and NotRunning."""
        ...

    def end(self) -> None:
        """It is not needed any more. Harmless when called twice."""
        ...

    def settle(self, closing: threading.Event) -> None:
        """After its end: returns once nothing of it runs and all that it printed is kept, or the server is closing."""
        ...


class Lender(Protocol):
    """What hosts models."""

    def prepare(self, dispatcher: Dispatcher) -> None:
        """Make the engine that runs models, if it is not there: engines end in the reverse order."""
        ...

    def plan(self, context: Context, held_as: str, terms: Terms) -> Document:
        """What is to run, put down whole, with a hold on its bytes that lasts until `held_as` is unpinned.

        `Role` is the execution role, None for none. Raises ValidationException.
        """
        ...

    def lend(self, dispatcher: Dispatcher, borrower: Borrower, plan: Document) -> Lent:
        """Begin to start an instance."""
        ...


_lenders: list[Lender] = []


def lends_models(lender: Lender) -> None:
    """Declare what hosts models."""
    _lenders[:] = [lender]


def lender() -> Lender:
    """What hosts models in this server. Raises LookupError where nothing does."""
    if not _lenders:
        raise LookupError("nothing hosts models in this server")
    return _lenders[0]
