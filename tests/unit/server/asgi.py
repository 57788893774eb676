"""Drives the application without sockets: signed requests in, answers out."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from modelyard.access.accounts import AdministratorCredentials
from modelyard.server.app import Application

REGION = "us-east-1"
Headers = dict[str, str]


@dataclass
class Answer:
    """What was answered."""

    status: int = 0
    headers: Headers = field(default_factory=dict)
    body: bytes = b""
    received: int = 0
    """Bytes of the request's body that the application asked for."""


@dataclass
class Client:
    """Sends requests as one administrator would."""

    application: Application
    key: AdministratorCredentials

    def signed(self, service: str, method: str, target: str, headers: Headers, body: bytes) -> Headers:
        """The headers of a request with its signature."""
        # botocore leaves the payload out of the signature over https alone; the scheme is no part of it.
        request = AWSRequest(method, f"https://127.0.0.1:9100{target}", headers={"host": "127.0.0.1:9100", **headers}, data=body)
        request.context["client_config"] = Config(s3={"payload_signing_enabled": False})
        kind = S3SigV4Auth if service == "s3" else SigV4Auth
        kind(Credentials(self.key.access_key_id, self.key.secret_access_key), service, REGION).add_auth(request)
        return dict(request.headers.items())

    async def sagemaker(self, operation: str, body: bytes, headers: Headers | None = None) -> Answer:
        """A call of a SageMaker operation."""
        wanted = {"x-amz-target": f"SageMaker.{operation}", "content-type": "application/x-amz-json-1.1", **(headers or {})}
        return await self.send("POST", "/", self.signed("sagemaker", "POST", "/", wanted, body), [body])

    async def s3(
        self, method: str, target: str, pieces: Iterable[bytes] = (), headers: Headers | None = None, **more: Any
    ) -> Answer:
        """A call of an S3 operation, its payload not signed."""
        return await self.send(method, target, self.signed("s3", method, target, headers or {}, b""), pieces, **more)

    async def send(
        self,
        method: str,
        target: str,
        headers: Headers,
        pieces: Iterable[bytes] = (),
        *,
        length: int | None = None,
        leaves: bool = False,
        takes: int | None = None,
        gone: asyncio.Event | None = None,
    ) -> Answer:
        """A request with its body in `pieces`; the client `leaves` after them, or after it took so many pieces of the answer, or
        once it is `gone`."""
        pieces = list(pieces)
        size = sum(map(len, pieces)) if length is None else length
        answer, waiting, gone = Answer(), [*pieces], gone or asyncio.Event()
        taken = 0

        async def receive() -> Any:
            if waiting:
                piece = waiting.pop(0)
                answer.received += len(piece)
                return {"type": "http.request", "body": piece, "more_body": bool(waiting) or leaves}
            if leaves:
                return {"type": "http.disconnect"}
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            nonlocal taken
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.headers = {name.decode(): value.decode() for name, value in message["headers"]}
                return
            answer.body += message.get("body", b"")
            taken += 1
            if takes is not None and taken >= takes:
                gone.set()

        await self.application(_scope(method, target, {"content-length": str(size), **headers}, gone), receive, send)
        return answer


def _scope(method: str, target: str, headers: Headers, gone: asyncio.Event) -> dict[str, Any]:
    parts = urlsplit(target)
    return {
        "type": "http",
        "http_version": "1.1",
        "scheme": "http",
        "method": method,
        "path": parts.path,
        "raw_path": parts.path.encode(),
        "query_string": parts.query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 9100),
        "state": {"disconnected": gone.is_set},
    }
