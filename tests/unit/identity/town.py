"""Real boto3 clients against the dispatcher, in this process: signed, on the wire format, without a server."""

import json
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config

import modelyard.identity.operations  # noqa: F401  fills the table
from modelyard.access.accounts import AdministratorCredentials, create_account
from modelyard.access.authentication import Authenticator
from modelyard.access.keyring import KeyRing
from modelyard.aws.catalogue import Catalogue
from modelyard.aws.errors import AwsError
from modelyard.aws.http import HttpRequest, HttpResponse
from modelyard.aws.pagination import Tokens
from modelyard.blobs import open_blobs
from modelyard.clock import SystemClock
from modelyard.dispatch.dispatcher import Dispatcher
from modelyard.dispatch.operation import Mode, table
from modelyard.events.trail import AuditTrail
from modelyard.ids import RandomIds
from modelyard.settings import Settings
from modelyard.storage import migrate, open_storage

ACCOUNT = "111122223333"
OTHER_ACCOUNT = "444455556666"


class Town:
    """Two accounts behind a dispatcher, and clients that talk to it."""

    def __init__(self, data: Path, database: str = "") -> None:
        self.key_ring = KeyRing.create(data)
        self.storage = open_storage(database or data / "modelyard.db")
        migrate(self.storage, ["events", "access", "dispatch"])
        self.clock = SystemClock()
        self.ids = RandomIds()
        settings = Settings(data=data)
        self.dispatcher = Dispatcher(
            catalogue=Catalogue(),
            operations=table(),
            authenticator=Authenticator(self.key_ring),
            storage=self.storage,
            blobs=open_blobs(settings),
            tokens=Tokens(self.key_ring.derive("pagination")),
            settings=settings,
            clock=self.clock,
            ids=self.ids,
            recorder=AuditTrail(self.key_ring, self.clock),
        )
        self.administrators = {account: self._account(account) for account in (ACCOUNT, OTHER_ACCOUNT)}
        self.admin = self.client("iam")
        """IAM as the administrator of ACCOUNT."""

    def _account(self, account: str) -> AdministratorCredentials:
        now = self.clock.now()
        return self.storage.write(lambda tx: create_account(tx, self.key_ring, account, ids=self.ids, now=now))

    def client(self, service: str, account: str = ACCOUNT, keys: dict[str, str] | None = None) -> Any:
        """A boto3 client of the account's administrator, or with the keys that IAM or STS answered."""
        administrator = self.administrators[account]
        keys = keys or {"AccessKeyId": administrator.access_key_id, "SecretAccessKey": administrator.secret_access_key}
        client = boto3.client(
            service,
            region_name="us-east-1",
            endpoint_url="http://modelyard.test",
            aws_access_key_id=keys["AccessKeyId"],
            aws_secret_access_key=keys["SecretAccessKey"],
            aws_session_token=keys.get("SessionToken"),
            config=Config(retries={"total_max_attempts": 1}, parameter_validation=False),
        )
        client.meta.events.register("before-send", self._send)
        return client

    def user(self, name: str, *statements: dict[str, Any]) -> dict[str, str]:
        """The keys of a new user with an inline policy of these statements."""
        self.admin.create_user(UserName=name)
        if statements:
            self.admin.put_user_policy(UserName=name, PolicyName="inline", PolicyDocument=document(*statements))
        return self.admin.create_access_key(UserName=name)["AccessKey"]

    def _send(self, request: AWSPreparedRequest, **_rest: object) -> AWSResponse:
        parts = urlsplit(request.url)
        headers = {name.lower(): value if isinstance(value, str) else value.decode() for name, value in request.headers.items()}
        body = request.body or b""
        http = HttpRequest(
            request.method,
            parts.path,
            parts.query,
            {"host": parts.netloc, **headers},
            body if isinstance(body, bytes) else body.encode(),
        )
        answer = self._answer(http)
        content = answer.body if isinstance(answer.body, bytes) else b"".join(answer.body)
        raw = BytesIO(content)
        raw.stream = lambda *_: iter([raw.read()])  # type: ignore[attr-defined]
        return AWSResponse(request.url, answer.status, dict(answer.headers), raw)

    def _answer(self, http: HttpRequest) -> HttpResponse:
        call = None
        try:
            call = self.dispatcher.open(http, self.ids.request_id())
            self.dispatcher.admit(call)
            if call.operation.mode is Mode.WRITE:
                return self.dispatcher.submit(call).result(10)
            return self.dispatcher.perform(call)
        except AwsError as error:
            return self.dispatcher.failure(http, call, error, self.ids.request_id())


def document(*statements: dict[str, Any]) -> str:
    """A policy document."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(*actions: str, on: str | list[str] = "*", **more: Any) -> dict[str, Any]:
    """A statement that allows actions."""
    return {"Effect": "Allow", "Action": list(actions), "Resource": on, **more}


def trust(*principals: str, **more: Any) -> str:
    """A trust policy for users, roles or accounts."""
    return document(
        {
            "Effect": "Allow",
            "Principal": {"AWS": list(principals)},
            "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
            **more,
        }
    )
