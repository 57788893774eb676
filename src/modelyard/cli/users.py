"""`modelyard users`: people and programs, each with a policy and a key.

The same as IAM's CreateUser, PutUserPolicy and CreateAccessKey, which any AWS client can call too; these need no server.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Protocol, TypeVar

import typer

from modelyard.access.credentials import root_principal
from modelyard.access.identities import AWS_POLICY_PREFIX
from modelyard.access.permission import RequestFacts
from modelyard.cli import credentials
from modelyard.cli.credentials import Credentials
from modelyard.cli.failure import CommandFailure
from modelyard.cli.options import DEFAULT_DATA, Account, Data, Output, settings_of
from modelyard.cli.output import Format, print_facts, print_rows
from modelyard.dispatch.context import Context
from modelyard.server.composition import build
from modelyard.settings import Settings

app = typer.Typer(name="users", help="Create users with a policy, and keys for them.", no_args_is_help=True)

T = TypeVar("T")


class Iam(Protocol):
    """Calls an operation of IAM as the root of an account."""

    def __call__(self, operation: str, **request: Any) -> Mapping[str, Any]:
        """The operation's result. Raises AwsError."""
        ...


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The user's name.")],
    policy: Annotated[
        Path | None, typer.Option("--policy", metavar="FILE", help="A policy document, JSON, that becomes the user's own.")
    ] = None,
    managed: Annotated[
        list[str] | None,
        typer.Option(
            "--managed", metavar="POLICY", help="A managed policy to attach, by ARN or by AWS's name for it; repeatable."
        ),
    ] = None,
    data: Data = DEFAULT_DATA,
    account: Account = None,
    output: Output = Format.TABLE,
) -> None:
    """Create a user and a key, and keep the key for `modelyard env --profile NAME`."""
    settings = settings_of(data)
    document = _read_policy(policy) if policy else None

    def make(iam: Iam) -> Mapping[str, Any]:
        iam("CreateUser", UserName=name)
        if document is not None:
            iam("PutUserPolicy", UserName=name, PolicyName=f"{name}-policy", PolicyDocument=document)
        for one in managed or ():
            iam("AttachUserPolicy", UserName=name, PolicyArn=one if one.startswith("arn:") else AWS_POLICY_PREFIX + one)
        return iam("CreateAccessKey", UserName=name)

    _keep(settings, account, name, in_one_transaction(settings, account, make), output)


@app.command("key")
def key(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The user's name.")],
    data: Data = DEFAULT_DATA,
    account: Account = None,
    output: Output = Format.TABLE,
) -> None:
    """Make another key for a user, and keep it for `modelyard env --profile NAME` in place of the one kept so far."""
    settings = settings_of(data)
    made = in_one_transaction(settings, account, lambda iam: iam("CreateAccessKey", UserName=name))
    _keep(settings, account, name, made, output)


@app.command("list")
def list_users(data: Data = DEFAULT_DATA, account: Account = None, output: Output = Format.TABLE) -> None:
    """List the users of an account."""
    rows = in_one_transaction(settings_of(data), account, _all_users)
    print_rows(rows, {"name": "name", "arn": "ARN"}, output)


def in_one_transaction(settings: Settings, account: str | None, work: Callable[[Iam], T]) -> T:
    """Run `work` on IAM in this process, as the root of the account (the default one when none is named).

    It happens whole or not at all. Raises AwsError as IAM does.
    """
    number = account or credentials.default_account(settings.data)
    house = build(settings)
    try:
        facts = RequestFacts(now=house.clock.now(), region=settings.region, source_ip="127.0.0.1", secure_transport=True)
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
        return house.storage.write(lambda tx: work(_iam_within(context.within(tx))))
    finally:
        house.close()


def _iam_within(context: Context) -> Iam:
    def call(operation: str, **request: Any) -> Mapping[str, Any]:
        result: Mapping[str, Any] = context.call("iam", operation, request)
        return result

    return call


def _all_users(iam: Iam) -> list[Mapping[str, object]]:
    rows: list[Mapping[str, object]] = []
    marker: dict[str, str] = {}
    while True:
        page = iam("ListUsers", **marker)
        rows += [{"name": user["UserName"], "arn": user["Arn"]} for user in page["Users"]]
        if not page.get("IsTruncated"):
            return rows
        marker = {"Marker": page["Marker"]}


def _keep(settings: Settings, account: str | None, name: str, answer: Mapping[str, Any], output: Format) -> None:
    """Keep a new key as the profile of its user, and print it."""
    number = account or credentials.default_account(settings.data)
    made = answer["AccessKey"]
    kept = Credentials(made["AccessKeyId"], made["SecretAccessKey"])
    path = credentials.add(settings.data, number, name, kept)
    facts = {"account": number, "user": name, "access_key_id": kept.access_key_id, "secret_access_key": kept.secret_access_key}
    print_facts({**facts, "kept_in": str(path)}, output)


def _read_policy(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    try:
        json.loads(text)
    except ValueError as error:
        raise CommandFailure(f"{path} is not JSON: {error}.") from error
    return text
