"""The life of a request below the HTTP server: route, authenticate, parse, validate, authorise, perform, answer.

Plain synchronous code. The server decides on which thread each stage runs; `Call` carries a request through them.
"""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from modelyard.access.authentication import Authenticator
from modelyard.access.evaluation import decide
from modelyard.access.permission import RequestFacts
from modelyard.access.principal import Principal
from modelyard.aws.catalogue import Catalogue, OperationModel, Route
from modelyard.aws.errors import AccessDeniedException, AwsError, UnknownOperationException
from modelyard.aws.http import Document, HttpRequest, HttpResponse
from modelyard.aws.pagination import Tokens
from modelyard.blobs.interface import BlobStore
from modelyard.clock import Clock
from modelyard.dispatch import client_tokens
from modelyard.dispatch.content_encoding import unpacked
from modelyard.dispatch.context import Context
from modelyard.dispatch.operation import Mode, Operation, OperationTable
from modelyard.ids import Ids
from modelyard.settings import Settings
from modelyard.storage.interface import Storage, Transaction


@dataclass(slots=True)
class Call:
    """One HTTP request on its way through the stages."""

    http: HttpRequest
    route: Route
    operation: Operation
    request_id: str
    context: Context | None = None
    request: dict[str, Any] = field(default_factory=dict)

    @property
    def model(self) -> OperationModel:
        """The operation in the service model."""
        return self.route.operation

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

    def _admit(self, tx: Transaction, call: Call, transaction: Transaction | None = None) -> Context:
        now = self.clock.now()
        caller = self.authenticator.authenticate(tx, call.http, call.model, now, anonymous=call.operation.anonymous)
        # What S3 is sent gzipped is kept gzipped.
        http = caller.http if call.model.service == "s3" else unpacked(caller.http, self.settings.max_request_bytes)
        call.request = call.model.parse(http, call.route)
        call.model.validate(call.request)
        facts = RequestFacts(
            now=now,
            region=caller.region,
            source_ip=call.http.client,
            secure_transport=call.http.scheme == "https",
            user_agent=call.http.headers.get("user-agent", ""),
            signature_version=caller.signature_version,
        )
        call.context = self._context(caller.principal, facts, call.request_id, caller.http, transaction)
        return call.context

    def perform(self, call: Call) -> HttpResponse:
        """Authorise, perform and serialise an admitted READ, SLOW_READ or STREAM call, on this thread."""
        assert call.context is not None
        return call.model.serialize(self._perform_read(call.operation, call.context, call.request), call.request_id)

    def prepares(self, call: Call) -> bool:
        """Whether an admitted WRITE first has to look at bytes, which belongs on a thread of its own."""
        operation = call.operation
        return operation.prepare is not None and (operation.prepares is None or operation.prepares(call.request))

    def prepare(self, call: Call) -> None:
        """Authorise a WRITE for the first time, then let it look at what it needs outside the transaction."""
        assert call.context is not None and call.operation.prepare is not None
        self._authorise_apart(call.operation, call.context, call.request)
        call.context = replace(call.context, prepared=call.operation.prepare(call.context, call.request))

    def prepare_and_submit(self, call: Call) -> "Future[HttpResponse]":
        """Both, for a WRITE that `prepares`. Raises AwsError when the preparation is refused."""
        self.prepare(call)
        return self.submit(call)

    def submit(self, call: Call) -> "Future[HttpResponse]":
        """Queue an admitted WRITE; the answer is there once the commit is on disk."""
        context = call.context
        assert context is not None

        def work(tx: Transaction) -> HttpResponse:
            result = self._perform_write(call.operation, context.within(tx, context.prepared), call.request, call.model)
            return call.model.serialize(result, call.request_id)

        return self.storage.submit(work)

    def call(self, caller: Context, service: str, name: str, request: dict[str, Any], principal: Principal) -> Any:
        """Perform an operation for another part, as `principal`; see Context.call."""
        model = self.catalogue.operation(service, name)
        operation = self.operations.get((service, name))
        if operation is None:
            raise UnknownOperationException(f"The operation {service}:{name} is not available in Modelyard.")
        model.validate(request)
        context = replace(caller, principal=principal, http=None, prepared=None)
        if operation.mode is not Mode.WRITE:
            result = self._perform_read(operation, context, request)
            return orjson.loads(bytes(result)) if isinstance(result, Document) else result
        if context.transaction is not None:
            return self._perform_write(operation, context, request, model)
        if operation.prepare is not None and (operation.prepares is None or operation.prepares(request)):
            self._authorise_apart(operation, context, request)
            context = replace(context, prepared=operation.prepare(context, request))
        return self.storage.write(lambda tx: self._perform_write(operation, context.within(tx, context.prepared), request, model))

    def _context(
        self, principal: Principal, facts: RequestFacts, request_id: str, http: HttpRequest, transaction: Transaction | None
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
        )

    def _perform_read(self, operation: Operation, context: Context, request: dict[str, Any]) -> Any:
        if operation.mode is Mode.STREAM:
            self._authorise_apart(operation, context, request)
            return operation.perform(context.within(None), request)
        if context.transaction is not None:
            return self._authorise_and(operation.perform, operation, context, request)
        with self.storage.read() as tx:
            return self._authorise_and(operation.perform, operation, context.within(tx), request)

    def _perform_write(self, operation: Operation, context: Context, request: dict[str, Any], model: OperationModel) -> Any:
        self._authorise(operation, context, request)
        token = request.get(model.idempotency_token) if model.idempotency_token else None
        if not token:
            return operation.perform(context, request)
        return client_tokens.once(context, model, token, request, lambda: operation.perform(context, request))

    def _authorise_apart(self, operation: Operation, context: Context, request: dict[str, Any]) -> None:
        """Authorise in a snapshot of its own, for what runs outside a transaction."""
        if context.transaction is not None:
            self._authorise(operation, context, request)
            return
        with self.storage.read() as tx:
            self._authorise(operation, context.within(tx), request)

    def _authorise_and(
        self, perform: Callable[[Context, dict[str, Any]], Any], operation: Operation, context: Context, request: dict[str, Any]
    ) -> Any:
        self._authorise(operation, context, request)
        return perform(context, request)

    def _authorise(self, operation: Operation, context: Context, request: dict[str, Any]) -> None:
        """Raise AccessDeniedException unless every permission of the operation is granted."""
        for permission in operation.permissions(context, request):
            decision = decide(context.principal, permission, context.facts)
            if not decision.allowed:
                raise AccessDeniedException(decision.message)

    def failure(self, http: HttpRequest, call: Call | None, error: AwsError, request_id: str) -> HttpResponse:
        """The answer to a request that failed, in the wire format of the service it was meant for."""
        if call is not None:
            return call.model.serialize_error(error, request_id)
        return self.catalogue.failure(http, error, request_id)
