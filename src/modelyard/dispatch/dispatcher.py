"""The life of a request below the HTTP server: route, authenticate, parse, validate, authorise, perform, answer.

Plain synchronous code. The server decides on which thread each stage runs; `Call` carries a request through them.
"""

import logging
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from modelyard.access.authentication import Authenticator
from modelyard.access.evaluation import decide
from modelyard.access.permission import Permission, RequestFacts
from modelyard.access.principal import Principal
from modelyard.access.sight import Sight, sight
from modelyard.aws.catalogue import Catalogue, OperationModel, Route
from modelyard.aws.errors import AwsError, UnknownOperationException
from modelyard.aws.http import Document, HttpRequest, HttpResponse
from modelyard.aws.pagination import Tokens
from modelyard.blobs.interface import BlobStore
from modelyard.clock import Clock
from modelyard.dispatch import client_tokens
from modelyard.dispatch.content_encoding import unpacked
from modelyard.dispatch.context import Context
from modelyard.dispatch.engines import Engines
from modelyard.dispatch.operation import Mode, Operation, OperationTable
from modelyard.dispatch.reception import Reception
from modelyard.dispatch.recording import Entry, Journal, Recording, Refused, StreamedChange
from modelyard.dispatch.relayed import Relayed
from modelyard.dispatch.waiting import NothingYet, Signals
from modelyard.events.trail import Recorder
from modelyard.ids import Ids
from modelyard.settings import Settings
from modelyard.storage.errors import StorageError
from modelyard.storage.interface import Storage, Transaction

log = logging.getLogger("modelyard.dispatch")


@dataclass(slots=True)
class Call:
    """One HTTP request on its way through the stages."""

    http: HttpRequest
    route: Route
    operation: Operation
    request_id: str
    context: Context | None = None
    """Set once it is known who calls."""
    request: dict[str, Any] = field(default_factory=dict)
    signature_refused: bool = False

    @property
    def model(self) -> OperationModel:
        """The operation in the service model."""
        return self.route.operation

    @property
    def refused_within(self) -> bool:
        """Whether calls within this one were refused, while it may have gone on."""
        context = self.context
        return context is not None and context.journal is not None and bool(context.journal.entries)

    @property
    def streams_in(self) -> bool:
        """True when the payload must not be read into memory."""
        return self.model.streaming_input is not None


class Dispatcher:
    """Knows the operations and everything they need."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        operations: OperationTable,
        authenticator: Authenticator,
        storage: Storage,
        blobs: BlobStore,
        tokens: Tokens,
        settings: Settings,
        clock: Clock,
        ids: Ids,
        recorder: Recorder,
    ) -> None:
        self.catalogue = catalogue
        self.operations = operations
        self.authenticator = authenticator
        self.storage = storage
        self.blobs = blobs
        self.tokens = tokens
        self.settings = settings
        self.clock = clock
        self.ids = ids
        self.recorder = recorder
        self.recording = Recording(recorder, authenticator, storage, clock)
        self.signals = Signals()
        self.engines = Engines()
        self.reception: Reception | None = None
        """Set once the server answers; None in a house without one."""

    def open(self, http: HttpRequest, request_id: str) -> Call:
        """Find the operation from the head of a request; the body may still be on its way.

        Raises UnknownOperationException for what this server does not answer.
        """
        route = self.catalogue.route(unpacked(http, self.settings.max_request_bytes))
        model = route.operation
        operation = self.operations.get((model.service, model.name))
        if operation is None:
            raise UnknownOperationException(f"The operation {model.service}:{model.name} is not available in Modelyard.")
        return Call(http=http, route=route, operation=operation, request_id=request_id)

    def admit(self, call: Call) -> None:
        """Check the signature, read the request out of the wire format and validate it. Raises AwsError."""
        with self.storage.read() as tx:
            self._admit(tx, call)

    def admit_and_perform(self, call: Call) -> HttpResponse:
        """Both, for a READ or SLOW_READ, in one snapshot and so for half the price. Raises AwsError."""
        with self.storage.read() as tx:
            context = self._admit(tx, call, tx)
            result = self._authorise_and(call.operation.perform, call.operation, context, call.request)
        return call.model.serialize(result, call.request_id)

    def admit_and_begin(self, call: Call) -> Relayed:
        """Both, for a RELAY: what is to be awaited. Raises AwsError."""
        with self.storage.read() as tx:
            context = self._admit(tx, call, tx)
            found: Relayed = self._authorise_and(call.operation.perform, call.operation, context, call.request)
        return found

    def _admit(self, tx: Transaction, call: Call, transaction: Transaction | None = None) -> Context:
        now = self.clock.now()
        try:
            caller = self.authenticator.authenticate(tx, call.http, call.model, now, anonymous=call.operation.anonymous)
        except AwsError:
            call.signature_refused = True
            raise
        facts = RequestFacts(
            now=now,
            region=caller.region,
            source_ip=call.http.client,
            secure_transport=call.http.scheme == "https",
            user_agent=call.http.headers.get("user-agent", ""),
            signature_version=caller.signature_version,
        )
        call.context = self._context(caller.principal, facts, call.request_id, caller.http, transaction, call.operation.qualified)
        # What S3 is sent gzipped is kept gzipped.
        http = caller.http if call.model.service == "s3" else unpacked(caller.http, self.settings.max_request_bytes)
        call.request = call.model.parse(http, call.route)
        call.model.validate(call.request)
        return call.context

    def perform(self, call: Call) -> HttpResponse:
        """Authorise, perform and serialise an admitted READ or SLOW_READ call, on this thread."""
        assert call.context is not None
        result = self._perform_read(call.operation, call.context, call.request, call.model)
        return call.model.serialize(result, call.request_id)

    def perform_stream(self, call: Call) -> HttpResponse | NothingYet:
        """The same for a STREAM, which may have nothing to answer with yet."""
        assert call.context is not None
        result = self._perform_read(call.operation, call.context, call.request, call.model)
        return result if isinstance(result, NothingYet) else call.model.serialize(result, call.request_id)

    def prepares(self, call: Call) -> bool:
        """Whether an admitted WRITE first has to look at bytes, which belongs on a thread of its own."""
        operation = call.operation
        return operation.prepare is not None and (operation.prepares is None or operation.prepares(call.request))

    def prepare(self, call: Call) -> None:
        """Authorise a WRITE for the first time, then let it look at what it needs outside the transaction."""
        assert call.context is not None and call.operation.prepare is not None
        self._authorise_apart(call.operation, call.context, call.request)
        call.context = replace(call.context, prepared=call.operation.prepare(call.context, call.request))

    def prepare_and_submit(self, call: Call) -> "Future[HttpResponse | NothingYet]":
        """Both, for a WRITE that `prepares`. Raises AwsError when the preparation is refused."""
        self.prepare(call)
        return self.submit(call)

    def submit(self, call: Call) -> "Future[HttpResponse | NothingYet]":
        """Queue an admitted WRITE; the answer is there once the commit is on disk."""
        context = call.context
        assert context is not None

        def work(tx: Transaction) -> HttpResponse | NothingYet:
            result = self._perform_write(call.operation, context.within(tx, context.prepared), call.request, call.model)
            return result if isinstance(result, NothingYet) else call.model.serialize(result, call.request_id)

        return self.storage.submit(work)

    def submit_again(self, call: Call) -> "Future[HttpResponse | NothingYet]":
        """Queue a WRITE that found nothing before, as of now."""
        context = call.context
        assert context is not None
        call.context = replace(context, facts=replace(context.facts, now=self.clock.now()))
        return self.submit(call)

    def unrecorded(self, call: Call, error: AwsError | None) -> list[Entry]:
        """What has to be recorded before the answer leaves: the call, when it failed with `error`, and refusals within it.

        May read the database. Empty for nearly every call that succeeded, and for failures that nobody has to answer for.
        """
        context = call.context
        if context is None:
            if error is None or not call.signature_refused:
                return []
            entry = self.recording.unauthenticated(call.http, call.model, call.request_id, error)
            return [] if entry is None else [entry]
        entries = [] if context.journal is None else list(context.journal.entries)
        if error is None:
            # A WRITE has recorded them in its transaction.
            return [] if call.operation.mode is Mode.WRITE and call.operation.writes else entries
        entry = self.recording.failed(context, call.operation, call.model, call.request, error)
        return entries if entry is None else [*entries, entry]

    def call(self, caller: Context, service: str, name: str, request: dict[str, Any], principal: Principal) -> Any:
        """Perform an operation for another part, as `principal`; see Context.call."""
        model = self.catalogue.operation(service, name)
        operation = self.operations.get((service, name))
        if operation is None:
            raise UnknownOperationException(f"The operation {service}:{name} is not available in Modelyard.")
        inside = caller.transaction is not None
        theirs = caller.journal if inside else None
        journal = Journal() if theirs is None else theirs
        context = replace(
            caller,
            principal=principal,
            http=None,
            prepared=None,
            journal=journal,
            owns_journal=not inside,
            within_operation=caller.operation,
            operation=f"{service}:{name}",
            change=None,
        )
        try:
            result = self._call(context, operation, request, model)
        except AwsError as error:
            entry = self.recording.failed(context, operation, model, request, error)
            if entry is not None:
                journal.entries.append(entry)
            if theirs is None:
                self._end(journal, inside)
            raise
        # A WRITE of its own has recorded them in its transaction.
        if theirs is None and (inside or operation.mode is not Mode.WRITE or not operation.writes):
            self._end(journal, inside)
        if isinstance(result, NothingYet):
            # Whoever calls may hold the writer's thread: nobody waits in here.
            return result.answer
        return orjson.loads(bytes(result)) if isinstance(result, Document) else result

    def _call(self, context: Context, operation: Operation, request: dict[str, Any], model: OperationModel) -> Any:
        model.validate(request)
        if operation.mode is Mode.RELAY:
            if not context.owns_journal:
                # It would hold the transaction of whoever calls.
                raise AwsError(f"{operation.qualified} is not called in a transaction.")
            relayed: Relayed = self._perform_read(operation, context, request, model)
            return relayed.wait()
        if operation.mode is not Mode.WRITE:
            return self._perform_read(operation, context, request, model)
        if context.transaction is not None:
            return self._perform_write(operation, context, request, model)
        if operation.prepare is not None and (operation.prepares is None or operation.prepares(request)):
            self._authorise_apart(operation, context, request)
            context = replace(context, prepared=operation.prepare(context, request))
        return self.storage.write(lambda tx: self._perform_write(operation, context.within(tx, context.prepared), request, model))

    def _end(self, journal: Journal, inside: bool) -> None:
        """Record what a call, and those within it, were refused; returns once that is on disk.

        Inside a transaction with no request behind it that is done after it, whatever becomes of it: nobody waits in here.
        """
        if not journal.entries:
            return
        if not inside:
            self.recording.submit(journal.entries).result()
            return
        try:
            self.recording.submit(journal.entries)
        except (AwsError, StorageError) as error:
            log.error("%d refusals are not in the audit trail: %s", len(journal.entries), error)

    def _context(
        self,
        principal: Principal,
        facts: RequestFacts,
        request_id: str,
        http: HttpRequest,
        transaction: Transaction | None,
        operation: str,
    ) -> Context:
        return Context(
            principal=principal,
            facts=facts,
            request_id=request_id,
            ids=self.ids,
            storage=self.storage,
            blobs=self.blobs,
            settings=self.settings,
            tokens=self.tokens,
            dispatcher=self,
            http=http,
            transaction=transaction,
            journal=Journal(),
            owns_journal=True,
            operation=operation,
        )

    def _perform_read(self, operation: Operation, context: Context, request: dict[str, Any], model: OperationModel) -> Any:
        if operation.mode is Mode.STREAM:
            return self._perform_stream(operation, context, request, model)
        if context.transaction is not None:
            return self._authorise_and(operation.perform, operation, context, request)
        with self.storage.read() as tx:
            return self._authorise_and(operation.perform, operation, context.within(tx), request)

    def _perform_stream(self, operation: Operation, context: Context, request: dict[str, Any], model: OperationModel) -> Any:
        permissions = self._authorise_apart(operation, context, request)
        context = context.within(None)
        if not operation.writes:
            return operation.perform(context, request)

        def record(tx: Transaction, result: Any) -> None:
            self.recording.change(tx, context, model, request, permissions, result)

        change = StreamedChange(self.storage, record)
        result = operation.perform(replace(context, change=change), request)
        change.end(result)
        return result

    def _perform_write(self, operation: Operation, context: Context, request: dict[str, Any], model: OperationModel) -> Any:
        if context.journal is not None and context.owns_journal:
            # The writer may run the same work again.
            context.journal.entries.clear()
        permissions = self._authorise(operation, context, request)
        token = request.get(model.idempotency_token) if model.idempotency_token else None
        if not token:
            result = operation.perform(context, request)
            if operation.writes:
                self.recording.change(context.tx, context, model, request, permissions, result)
            return result
        performed = False

        def perform() -> Any:
            nonlocal performed
            performed = True
            return operation.perform(context, request)

        result = client_tokens.once(context, model, token, request, perform)
        self.recording.change(context.tx, context, model, request, permissions, result, repeated=not performed)
        return result

    def _authorise_apart(self, operation: Operation, context: Context, request: dict[str, Any]) -> list[Permission]:
        """Authorise in a snapshot of its own, for what runs outside a transaction."""
        if context.transaction is not None:
            return self._authorise(operation, context, request)
        with self.storage.read() as tx:
            return self._authorise(operation, context.within(tx), request)

    def _authorise_and(
        self, perform: Callable[[Context, dict[str, Any]], Any], operation: Operation, context: Context, request: dict[str, Any]
    ) -> Any:
        self._authorise(operation, context, request)
        return perform(context, request)

    def _authorise(self, operation: Operation, context: Context, request: dict[str, Any]) -> list[Permission]:
        """What was asked for and granted. Raises AccessDeniedException unless every permission of the operation is granted."""
        granted = []
        for permission in operation.permissions(context, request):
            decision = decide(context.principal, permission, context.facts)
            if not decision.allowed and not (
                permission.listing and sight(context.principal, permission, context.facts) is Sight.SOME
            ):
                raise Refused(permission, decision)
            granted.append(permission)
        if operation.writes and context.owns_journal and context.journal is not None:
            context.journal.granted = granted
        return granted

    def failure(self, http: HttpRequest, call: Call | None, error: AwsError, request_id: str) -> HttpResponse:
        """The answer to a request that failed, in the wire format of the service it was meant for."""
        if call is not None:
            return call.model.serialize_error(error, request_id)
        return self.catalogue.failure(http, error, request_id)
