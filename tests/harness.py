"""A whole house on a directory of its own, without HTTP: for the unit tests of the parts.

    with house(tmp_path) as yard:
        yard.call("sagemaker", "CreateModelPackageGroup", ModelPackageGroupName="g")

Calls go through `Dispatcher.call`: validated from the service model, authorised as their principal, performed in a
transaction, with the clock standing still (`yard.clock.advance(1)`) and identifiers that count up.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from modelyard.access.keyring import KeyRing
from modelyard.access.permission import RequestFacts
from modelyard.access.policy import parse_policy
from modelyard.access.principal import Principal, PrincipalKind
from modelyard.clock import FixedClock
from modelyard.dispatch.context import Context
from modelyard.ids import CountingIds
from modelyard.server.composition import House, build
from modelyard.settings import Settings

ACCOUNT = "111122223333"
OTHER_ACCOUNT = "444455556666"
START = 1_700_000_000.0

ALLOW_EVERYTHING = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}'


def user(account: str = ACCOUNT, name: str = "admin", *policies: str, **more: Any) -> Principal:
    """A user of `account` with these policy documents (texts), or one who may do everything when there are none."""
    return Principal(
        arn=f"arn:aws:iam::{account}:user/{name}",
        account=account,
        kind=PrincipalKind.USER,
        unique_id="AIDA" + name.upper().ljust(17, "X")[:17],
        name=name,
        policies=tuple(parse_policy(policy) for policy in policies or (ALLOW_EVERYTHING,)),
        **more,
    )


@dataclass
class Yard:
    """A house, and the means to call its operations."""

    house: House
    clock: FixedClock

    def context(self, principal: Principal | None = None, region: str = "us-east-1") -> Context:
        """A context as a request of `principal` would have; the administrator's unless given."""
        facts = RequestFacts(now=self.clock.now(), region=region, source_ip="127.0.0.1", secure_transport=False)
        return Context(
            principal=principal or user(),
            facts=facts,
            request_id=self.house.ids.request_id(),
            ids=self.house.ids,
            storage=self.house.storage,
            blobs=self.house.blobs,
            settings=self.house.settings,
            tokens=self.house.dispatcher.tokens,
            dispatcher=self.house.dispatcher,
        )

    def call(
        self, service: str, operation: str, principal: Principal | None = None, region: str = "us-east-1", **request: Any
    ) -> Any:
        """Perform an operation; members by botocore's names, a streaming payload as bytes. Raises AwsError as it does."""
        model = self.house.catalogue.operation(service, operation)
        streamed = model.streaming_input
        if streamed is not None and isinstance(request.get(streamed), bytes):
            request[streamed] = BytesIO(request[streamed])
        context = self.context(principal, region)
        return self.house.dispatcher.call(context, service, operation, request, context.principal)


@contextmanager
def house(data: Path, **settings: Any) -> Iterator[Yard]:
    """A fresh house in the directory `data`, closed at the end."""
    data.mkdir(parents=True, exist_ok=True)
    if not (data / "keys" / "master.key").exists():
        KeyRing.create(data)
    clock = FixedClock(START)
    built = build(Settings(data=data, **settings), clock=clock, ids=CountingIds())
    try:
        yield Yard(built, clock)
    finally:
        built.close()
