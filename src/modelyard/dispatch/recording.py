"""The record stage: what becomes of calls goes into the audit trail.

A change is recorded in its own transaction, so it is recorded exactly when it happened. What is refused or fails undoes its
transaction; it is recorded in a write of its own, durable before the answer leaves. Reads that succeed cost nothing here.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from modelyard.access.authentication import Authenticator
from modelyard.access.evaluation import Decision
from modelyard.access.permission import Permission
from modelyard.access.principal import Principal, PrincipalKind
from modelyard.aws.errors import AccessDeniedException, AwsError, ThrottlingException
from modelyard.aws.http import HttpRequest
from modelyard.aws.operation_model import OperationModel
from modelyard.clock import Clock
from modelyard.dispatch.operation import Operation
from modelyard.dispatch.rationing import Rationing
from modelyard.events.audit_record import SUCCESS
from modelyard.events.redaction import Redaction, of_answer
from modelyard.events.trail import Recorder
from modelyard.storage.interface import Storage, Transaction

if TYPE_CHECKING:
    from modelyard.dispatch.context import Context

T = TypeVar("T")

LONGEST_AGENT = 256
LONGEST_MESSAGE = 512
MOST_RESOURCES = 16
"""ARNs in one record."""
REFUSALS = frozenset({"AccessDenied", "AccessDeniedException", "AccessDeniedFault", "UnauthorizedOperation"})
"""Codes of errors that say no to a caller who is known."""


class Refused(AccessDeniedException):
    """A permission that an operation needs is not granted."""

    def __init__(self, permission: Permission, decision: Decision) -> None:
        super().__init__(decision.message)
        self.permission = permission
        self.decision = decision


Entry = dict[str, Any]
"""The facts of a record that is to be made (modelyard.events.audit_record)."""


@dataclass(slots=True)
class Journal:
    """Refusals of calls within a call, until the call ends: its own transaction may be undone, they happened all the same."""

    entries: list[Entry] = field(default_factory=list)
    granted: Sequence[Permission] = ()
    """What was asked for and granted to the call itself, should it fail later."""


class Recording:
    """Makes records of calls."""

    def __init__(self, recorder: Recorder, authenticator: Authenticator, storage: Storage, clock: Clock) -> None:
        self._recorder = recorder
        self._authenticator = authenticator
        self._storage = storage
        self._clock = clock
        self._redaction = Redaction()
        self._rationing = Rationing()

    def change(
        self,
        tx: Transaction,
        context: "Context",
        model: OperationModel,
        request: Mapping[str, Any],
        permissions: Sequence[Permission],
        result: Any,
        *,
        repeated: bool = False,
    ) -> None:
        """Record a change, in its transaction, and before it what was refused on the way."""
        made = of_answer(result)
        facts = self._facts(context, model, request, permissions)
        facts["outcome"] = SUCCESS
        if made:
            facts["made"] = made
        errors = result.get("Errors") if type(result) is dict else None
        if errors:
            facts["errors"] = [{name: one[name] for name in ("Key", "Code") if name in one} for one in errors[:MOST_RESOURCES]]
        if repeated:
            facts["repeated"] = True
        if context.journal is not None and context.owns_journal:
            self._append(tx, context.journal.entries)
        self._recorder.append(tx, facts)

    def failed(
        self, context: "Context", operation: Operation, model: OperationModel, request: Mapping[str, Any], error: AwsError
    ) -> Entry | None:
        """The record of a call that failed, None when it need not be recorded: a read that was not refused, a call of nobody."""
        if context.principal.kind is PrincipalKind.ANONYMOUS or isinstance(error, ThrottlingException):
            return None
        if not operation.writes and error.code not in REFUSALS:
            return None
        permissions: Sequence[Permission] = (error.permission,) if isinstance(error, Refused) else ()
        if not permissions and context.journal is not None and context.owns_journal:
            permissions = context.journal.granted
        facts = self._facts(context, model, request, permissions)
        facts |= {"outcome": error.code, "message": error.message[:LONGEST_MESSAGE], "read_only": not operation.writes}
        if isinstance(error, Refused):
            facts |= {"refused": error.permission.action, "reason": error.decision.reason.value}
        return facts

    def unauthenticated(self, http: HttpRequest, model: OperationModel, request_id: str, error: AwsError) -> Entry | None:
        """The record of a request whose signature was refused; None unless it named a key that is known.

        Anybody can send such requests, so they are rationed; the next record says how many were left out.
        """
        now = self._clock.now()
        with self._storage.read() as tx:
            claimed = self._authenticator.claimed(tx, http, model, now)
        if claimed is None:
            return None
        key_id, principal, region = claimed
        left_out = self._rationing.take(key_id, now)
        if left_out is None:
            return None
        facts: dict[str, Any] = {
            **_caller(principal, region, request_id, http.client, http.headers.get("user-agent", "")),
            "service": model.service,
            "operation": model.name,
            "resources": [],
            "parameters": {},
            "outcome": error.code,
            "message": error.message[:LONGEST_MESSAGE],
            "read_only": True,
            "authenticated": False,
            "access_key": key_id,
        }
        if left_out:
            facts["left_out_before"] = left_out
        return facts

    def submit(self, entries: list[Entry]) -> "Future[None]":
        """Queue a write of records; the future is done once they are on disk."""
        return self._storage.submit(lambda tx: self._append(tx, entries))

    def _append(self, tx: Transaction, entries: Iterable[Entry]) -> None:
        for entry in entries:
            self._recorder.append(tx, entry)

    def _facts(
        self, context: "Context", model: OperationModel, request: Mapping[str, Any], permissions: Sequence[Permission]
    ) -> Entry:
        principal, facts = context.principal, context.facts
        record = _caller(principal, facts.region, context.request_id, facts.source_ip, facts.user_agent)
        resources = list(dict.fromkeys([permission.resource.arn for permission in permissions]))
        owners = {permission.resource.account for permission in permissions} - {principal.account}
        record["service"] = model.service
        record["operation"] = model.name
        record["parameters"] = self._redaction.of(model, request)
        record["resources"] = resources[:MOST_RESOURCES]
        record["read_only"] = False
        if owners:
            record["owners"] = sorted(owners)
        if context.within_operation:
            record["within"] = context.within_operation
        return record


def note_refusal(context: "Context", request: Mapping[str, Any], permission: Permission, decision: Decision) -> None:
    """Have it recorded that one of many things was refused, in an operation that goes on; `request` is what asked for it."""
    service, _, name = context.operation.partition(":")
    dispatcher = context.dispatcher
    model, operation = dispatcher.catalogue.operation(service, name), dispatcher.operations[service, name]
    entry = dispatcher.recording.failed(context, operation, model, request, Refused(permission, decision))
    if entry is not None and context.journal is not None:
        context.journal.entries.append(entry)


def _caller(principal: Principal, region: str, request_id: str, source: str, agent: str) -> dict[str, Any]:
    return {
        "request": request_id,
        "account": principal.account,
        "region": region,
        "principal": principal.arn,
        "principal_id": principal.unique_id,
        "source": source,
        "agent": agent[:LONGEST_AGENT],
    }


class StreamedChange:
    """The change of a STREAM operation: its record goes into the first transaction that it writes in."""

    def __init__(self, storage: Storage, record: Callable[[Transaction, Any], None]) -> None:
        self._storage = storage
        self._record = record
        self._recorded = False

    def write(self, work: Callable[[Transaction], T]) -> T:
        """Do `work` durably, and record the call with it."""
        if self._recorded:
            return self._storage.write(work)

        def recorded(tx: Transaction) -> T:
            result = work(tx)
            self._record(tx, result)
            return result

        result = self._storage.write(recorded)
        self._recorded = True
        return result

    def end(self, result: Any) -> None:
        """Record a call that had nothing to write."""
        if not self._recorded:
            self._storage.write(lambda tx: self._record(tx, result))
            self._recorded = True
