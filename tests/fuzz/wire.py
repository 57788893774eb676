"""Requests as bytes: serialised by botocore without its checks, signed by a signer of our own, sent over a plain socket.

So nothing between the test and the server refuses, repairs or repeats anything.
"""

import base64
import hashlib
import hmac
import json
import re
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.client import HTTPResponse, RemoteDisconnected
from typing import Any
from urllib.parse import quote, urlencode

from botocore.model import OperationModel
from botocore.serialize import create_serializer
from tests.fuzz.requests import operation_model
from tests.running import Credentials

REGION = "us-east-1"
SECONDS = 5.0
"""Within which everything is answered."""
SIGNED_AS = {
    "sagemaker": "sagemaker",
    "s3": "s3",
    "sts": "sts",
    "iam": "iam",
    "modelyard-runtime": "modelyard",
    "cloudwatch": "monitoring",
}
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_SPACES = re.compile(rb"[ \t]+")


class CannotBeSent(Exception):
    """There is no way to put these parameters on the wire."""


@dataclass
class Message:
    """A request before it is signed."""

    method: str
    path: str
    query: str = ""
    headers: dict[str, bytes] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    method: str

    def __str__(self) -> str:
        return f"{self.status} {self.body[:2000]!r}"


def message_of(service: str, operation: str, parameters: Mapping[str, Any]) -> Message:
    """The request that botocore makes of parameters, whatever they are. Raises CannotBeSent."""
    model = operation_model(service, operation)
    if service == "sagemaker":
        # botocore would make the types right.
        target = f"{model.metadata['targetPrefix']}.{operation}".encode()
        body = json.dumps(parameters, default=lambda value: base64.b64encode(value).decode()).encode()
        return Message("POST", "/", "", {"x-amz-target": target, "content-type": b"application/x-amz-json-1.1"}, body)
    _refuse_what_is_another_operation(model, parameters)
    serializer = create_serializer(model.service_model.resolved_protocol, include_validation=False)
    try:
        made = serializer.serialize_to_request(dict(parameters), model)
    except Exception as error:
        raise CannotBeSent(str(error)) from error
    path, _, fixed = made["url_path"].partition("?")
    pairs = made["query_string"]
    pairs = list(pairs.items()) if isinstance(pairs, Mapping) else list(pairs)
    query = "&".join(part for part in (fixed, _form(pairs)) if part)
    body = made["body"]
    if isinstance(body, Mapping):
        body = _form(list(body.items())).encode()
    elif isinstance(body, str):
        body = body.encode("utf-8", "surrogatepass")
    if not isinstance(body, bytes | bytearray):
        raise CannotBeSent("a body that is not bytes")
    headers = {name.lower(): _bytes(value) for name, value in made["headers"].items()}
    headers.pop("content-length", None)
    if any(_CONTROL.search(value) for value in headers.values()):
        raise CannotBeSent("a header cannot hold a control character: test_malformed_messages tries")
    return Message(made["method"], path, query, headers, bytes(body))


def _refuse_what_is_another_operation(model: OperationModel, parameters: Mapping[str, Any]) -> None:
    """Without a bucket or a key in the path, or a parameter that tells operations apart, S3 would see another operation."""
    if model.service_model.service_name != "s3" or model.input_shape is None:
        return
    for name in model.input_shape.required_members:
        location = model.input_shape.members[name].serialization.get("location")
        empty = ("", []) if location in ("uri", "header") else ()
        if parameters.get(name) in (None, *empty) or (location == "querystring" and isinstance(parameters[name], dict | list)):
            raise CannotBeSent(f"without {name} it is another operation")


def _form(pairs: list[tuple[str, Any]]) -> str:
    flat = [(name, item) for name, value in pairs for item in (value if isinstance(value, list) else [value])]
    try:
        return urlencode([(_bytes(name), _bytes(value)) for name, value in flat], quote_via=quote, safe="-_.~")
    except TypeError as error:
        raise CannotBeSent(str(error)) from error


def _bytes(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, bool):
        return b"true" if value else b"false"
    return str(value).encode("utf-8", "surrogatepass")


def sign(
    message: Message,
    credentials: Credentials,
    service: str,
    *,
    region: str = REGION,
    at: float | None = None,
    payload: bytes = b"",
) -> None:
    """Sign a message with Signature Version 4, as sent: neither the path nor the query is made any prettier.

    `payload` stands for the hash of the body, where it is to be another word.
    """
    moment = datetime.fromtimestamp(time.time() if at is None else at, UTC)
    stamp, day = moment.strftime("%Y%m%dT%H%M%SZ"), moment.strftime("%Y%m%d")
    digest = payload.decode() or hashlib.sha256(message.body).hexdigest()
    message.headers["x-amz-date"] = stamp.encode()
    message.headers["x-amz-content-sha256"] = digest.encode()
    if credentials.session_token:
        message.headers["x-amz-security-token"] = credentials.session_token.encode()
    names = sorted(name for name in message.headers if name == "host" or name.startswith(("x-amz-", "content-type")))
    lines = b"".join(b"%s:%s\n" % (name.encode(), _SPACES.sub(b" ", message.headers[name]).strip()) for name in names)
    pairs = sorted(tuple(pair.partition("=")[::2]) for pair in message.query.split("&")) if message.query else []
    query = "&".join(f"{name}={value}" for name, value in pairs)
    signed_names = ";".join(names)
    canonical = f"{message.method}\n{message.path}\n{query}\n".encode() + lines + f"\n{signed_names}\n{digest}".encode()
    scope = f"{day}/{region}/{service}/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical).hexdigest()}"
    key = b"AWS4" + credentials.secret_access_key.encode()
    for part in (day, region, service, "aws4_request", text):
        key = hmac.digest(key, part.encode(), "sha256")
    message.headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={credentials.access_key_id}/{scope}, SignedHeaders={signed_names}, Signature={key.hex()}"
    ).encode()


class Wire:
    """A connection to a server, opened again when the server closes it."""

    def __init__(self, port: int, credentials: Credentials) -> None:
        self.port = port
        self.credentials = credentials
        self._socket: socket.socket | None = None

    def call(self, service: str, operation: str, parameters: Mapping[str, Any], **signing: Any) -> Answer:
        """Sign a request, send it, and wait for the answer for `SECONDS` at most. Raises CannotBeSent."""
        return self.send(message_of(service, operation, parameters), service, **signing)

    def send(self, message: Message, service: str, **signing: Any) -> Answer:
        """Sign and send."""
        message.headers.setdefault("host", f"127.0.0.1:{self.port}".encode())
        sign(message, signing.pop("credentials", self.credentials), SIGNED_AS.get(service, service), **signing)
        return self.deliver(message)

    def deliver(self, message: Message) -> Answer:
        """Send a message as it is."""
        message.headers.setdefault("host", f"127.0.0.1:{self.port}".encode())
        message.headers["content-length"] = str(len(message.body)).encode()
        target = message.path + (f"?{message.query}" if message.query else "")
        head = f"{message.method} {target} HTTP/1.1\r\n".encode()
        head += b"".join(b"%s: %s\r\n" % (name.encode(), value) for name, value in message.headers.items())
        return self.exchange(head + b"\r\n" + message.body, message.method)

    def exchange(self, data: bytes, method: str = "POST", *, whole: bool = True) -> Answer:
        """Send bytes and read an answer; `whole` says that the bytes are all of a request, so that the connection stays.

        A connection that was idle may be closed by the server just now: then a new one is tried, as every client does.
        """
        reused = self._socket is not None
        try:
            return self._exchange(data, method, whole)
        except RemoteDisconnected:
            if not reused:
                raise
        return self._exchange(data, method, whole)

    def _exchange(self, data: bytes, method: str, whole: bool) -> Answer:
        connection = self._connected()
        connection.settimeout(SECONDS)
        # The server may answer, and hang up, before it was told everything.
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(data)
        if not whole:
            connection.shutdown(socket.SHUT_WR)
        response = HTTPResponse(connection, method=method)
        try:
            response.begin()
            body = response.read()
        except BaseException:
            self.close()
            raise
        headers = {name.lower(): value for name, value in response.getheaders()}
        if response.will_close or not whole:
            self.close()
        return Answer(response.status, headers, body, method)

    def close(self) -> None:
        """Hang up."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _connected(self) -> socket.socket:
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self.port), timeout=SECONDS)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._socket
