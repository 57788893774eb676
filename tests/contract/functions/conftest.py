"""A house on each database, without HTTP, whose functions really run."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from tests.functions import TRUST, zipped
from tests.harness import ACCOUNT, START, Yard, house
from tests.postgresql import PostgresqlServer, fresh_database, postgresql_server  # noqa: F401

from modelyard.access.store import add_account

Create = Callable[..., str]


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def shared_house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    """A house on each database, for all tests: name what you make so that no other test meets it."""
    with ExitStack() as stack:
        settings: dict[str, Any] = {"function_environments": 6}
        if request.param == "postgresql":
            server: PostgresqlServer = request.getfixturevalue("postgresql_server")
            settings["database"] = stack.enter_context(fresh_database(server.address))
        made = stack.enter_context(house(tmp_path_factory.mktemp("functions"), **settings))
        made.house.storage.write(lambda tx: add_account(tx, ACCOUNT, START))
        made.call("iam", "CreateRole", RoleName="runs", AssumeRolePolicyDocument=TRUST)
        policy = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["sqs:*", "logs:*"], "Resource": "*"}]}'
        made.call("iam", "PutRolePolicy", RoleName="runs", PolicyName="does", PolicyDocument=policy)
        yield made


@pytest.fixture
def create(shared_house: Yard) -> Create:
    """Creates a function of a name with this code, and gives its ARN."""

    def create(name: str, code: str, **more: Any) -> str:
        role = f"arn:aws:iam::{ACCOUNT}:role/runs"
        settings: dict[str, Any] = {"Runtime": "python3.11", "Handler": "app.handler", "Role": role, **more}
        made = shared_house.call("lambda", "CreateFunction", FunctionName=name, Code={"ZipFile": zipped(code)}, **settings)
        return str(made["FunctionArn"])

    return create
