"""Calls of operations from a command: in this process, as the root of an account, with or without a server beside it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from modelyard.access.credentials import root_principal
from modelyard.access.permission import RequestFacts
from modelyard.cli import credentials
from modelyard.dispatch.context import Context
from modelyard.server.composition import build
from modelyard.settings import Settings


class Call(Protocol):
    """Performs an operation."""

    account: str
    region: str
    arn: str
    """Who calls."""

    def __call__(self, service: str, operation: str, **request: Any) -> Any:
        """The operation's result. Raises AwsError."""
        ...


class _Calls:
    def __init__(self, context: Context) -> None:
        self._context = context
        self.account = context.account
        self.region = context.region
        self.arn = context.principal.arn

    def __call__(self, service: str, operation: str, **request: Any) -> Any:
        return self._context.call(service, operation, request)


@contextmanager
def as_root(settings: Settings, account: str | None, region: str | None = None) -> Iterator[Call]:
    """Operations on the data of `settings`, as the root of the account (the default one when none is named)."""
    number = account or credentials.default_account(settings.data)
    house = build(settings)
    try:
        facts = RequestFacts(
            now=house.clock.now(),
            region=region or settings.region,
            source_ip="127.0.0.1",
            secure_transport=True,
            user_agent="modelyard",
        )
        context = Context(
            principal=root_principal(number),
            facts=facts,
            request_id=house.ids.request_id(),
            ids=house.ids,
            storage=house.storage,
            blobs=house.blobs,
            tokens=house.dispatcher.tokens,
            settings=settings,
            dispatcher=house.dispatcher,
        )
        yield _Calls(context)
    finally:
        house.close()
