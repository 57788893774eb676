"""What an operation is given besides its request: who, where, when, and the transaction."""

from collections.abc import Callable, Hashable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from modelyard.access.permission import RequestFacts
from modelyard.access.principal import Principal
from modelyard.aws.http import HttpRequest
from modelyard.aws.pagination import Tokens
from modelyard.ids import Ids
from modelyard.storage.interface import Storage, Transaction

if TYPE_CHECKING:
    from modelyard.blobs.interface import BlobStore
    from modelyard.dispatch.dispatcher import Dispatcher
    from modelyard.dispatch.recording import Journal, StreamedChange
    from modelyard.settings import Settings

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Context:
    """One call of one operation."""

    principal: Principal
    facts: RequestFacts
    request_id: str
    ids: Ids
    storage: Storage
    blobs: "BlobStore"
    settings: "Settings"
    tokens: Tokens
    """Seals and opens NextToken."""
    dispatcher: "Dispatcher"
    http: HttpRequest | None = None
    """The HTTP request, for the few operations that look at it (S3); None inside `call`."""
    transaction: Transaction | None = None
    prepared: object = None
    journal: "Journal | None" = None
    """Takes down refusals of calls within this one; None for a context that no request made: each of its calls has one."""
    owns_journal: bool = False
    """Whether the journal ends with this call."""
    within_operation: str = ""
    """The operation that made this call, `service:Operation`; empty for a client's own call."""
    operation: str = ""
    """The operation that is performed, `service:Operation`."""
    change: "StreamedChange | None" = None
    """Records the change of a STREAM operation that writes."""

    @property
    def tx(self) -> Transaction:
        """The transaction this operation runs in (READ, SLOW_READ and WRITE operations, and all permissions)."""
        if self.transaction is None:
            raise RuntimeError("a STREAM operation has no transaction of its own: use context.read() or context.write()")
        return self.transaction

    @property
    def account(self) -> str:
        """The caller's account."""
        return self.principal.account

    @property
    def region(self) -> str:
        """The region the request was signed for."""
        return self.facts.region

    @property
    def now(self) -> float:
        """When the request came, in epoch seconds."""
        return self.facts.now

    def read(self) -> AbstractContextManager[Transaction]:
        """A snapshot, for STREAM operations and `prepare`."""
        return self.storage.read()

    def write(self, work: Callable[[Transaction], T]) -> T:
        """A durable write, for STREAM operations: returns once it is on disk, and the record of the call with it."""
        return self.storage.write(work) if self.change is None else self.change.write(work)

    def within(self, transaction: Transaction | None, prepared: object = None) -> "Context":
        """The same call inside `transaction`."""
        return replace(self, transaction=transaction, prepared=prepared)

    def tell(self, topic: Hashable, times: int = 1) -> None:
        """Wake those who wait for this topic, once what was written is on disk (dispatch/waiting.py)."""
        signals = self.dispatcher.signals
        self.tx.after_commit(lambda: signals.tell(topic, times))

    def heard(self, topic: Hashable) -> int:
        """What an operation notes of a topic before it looks for what it may have to wait for."""
        return self.dispatcher.signals.heard(topic)

    def call(self, service: str, operation: str, request: Mapping[str, Any], *, principal: Principal | None = None) -> Any:
        """Reach another part as a customer would: validated and authorised as `principal` (the caller, unless given).

        Runs in this call's transaction when there is one. Raises AwsError as the operation does.
        """
        return self.dispatcher.call(self, service, operation, dict(request), principal or self.principal)
