"""The table of operations: what each part answers, and what has to be granted before it may.

A part declares an operation in about ten lines; the service model gives its shapes, its constraints and its wire
format. Importing a part fills the table; the composition root imports the parts.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from modelyard.access.permission import Permission
from modelyard.dispatch.context import Context

Request = dict[str, Any]
Perform = Callable[[Context, Request], Any]
Permissions = Callable[[Context, Request], Iterable[Permission]]
Prepare = Callable[[Context, Request], object]


class Mode(StrEnum):
    """How an operation meets the database, and so where it runs."""

    READ = "read"
    """In one snapshot, `context.tx`. Microseconds: on an embedded database it runs on the event loop."""
    SLOW_READ = "slow read"
    """In one snapshot, in a thread: it may look at many rows."""
    WRITE = "write"
    """In the writer's transaction, `context.tx`; the answer leaves once that is on disk."""
    STREAM = "stream"
    """In a thread, with no transaction of its own: it moves bytes, and uses `context.read()` and `context.write()`."""
    RELAY = "relay"
    """As READ, and quick as that, but answers `Relayed`: what follows is awaited on the event loop, with nothing held."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One AWS operation as this server answers it."""

    service: str
    """botocore's name of the service: `sagemaker`, `s3`, `sts`."""
    name: str
    perform: Perform
    mode: Mode
    permissions: Permissions
    """The permissions it needs, worked out from a valid request; it may read, never write. Evaluated in the same
    transaction as the operation (a snapshot of its own for STREAM). An empty result allows every signed caller."""
    prepare: Prepare | None = None
    """For a WRITE that first has to look at bytes: runs in a thread, after a first authorisation and before the
    transaction; its result is `context.prepared`."""
    prepares: Callable[[Request], bool] | None = None
    """Whether this request needs `prepare` at all."""
    anonymous: bool = False
    """True where an unsigned request may come through to authorisation (S3 objects under a public bucket policy)."""
    qualified: str = ""
    """`service:Name`."""
    largest_body: int = 0
    """Bytes of a body that may be larger than those of other operations; 0 where the setting counts."""
    writes: bool = False
    """Whether it changes something, and so goes into the audit trail: the STREAMs that say so, and every WRITE but those that say
    they do not: messages and log lines pass through by the million. What is refused is recorded of all."""


OperationTable = Mapping[tuple[str, str], Operation]
_table: dict[tuple[str, str], Operation] = {}


def operations_of(service: str) -> Callable[..., Callable[[Perform], Perform]]:
    """The decorator with which a part declares operations of `service`.

    >>> operation = operations_of("sts")
    >>> @operation("GetCallerIdentity", mode=Mode.READ, permissions=nothing)
    ... def get_caller_identity(context, request): ...
    """

    def operation(
        name: str,
        *,
        mode: Mode,
        permissions: Permissions,
        prepare: Prepare | None = None,
        prepares: Callable[[Request], bool] | None = None,
        anonymous: bool = False,
        writes: bool | None = None,
        largest_body: int = 0,
    ) -> Callable[[Perform], Perform]:
        def declare(perform: Perform) -> Perform:
            key = (service, name)
            if key in _table:
                raise ValueError(f"{service}:{name} is declared twice")
            _table[key] = Operation(
                service=service,
                name=name,
                perform=perform,
                mode=mode,
                permissions=permissions,
                prepare=prepare,
                prepares=prepares,
                anonymous=anonymous,
                qualified=f"{service}:{name}",
                writes=mode is Mode.WRITE if writes is None else writes,
                largest_body=largest_body,
            )
            return perform

        return declare

    return operation


def table() -> OperationTable:
    """Every operation declared so far."""
    return _table
