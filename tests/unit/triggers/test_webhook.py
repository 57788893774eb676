"""Signed requests to HTTP endpoints: what is sent, how an answer is read, and whereto nothing is ever sent."""

import hashlib
import hmac
import ipaddress
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from modelyard.triggers import addresses, api_destination, connection, webhook
from modelyard.triggers.pace import Pace
from modelyard.triggers.webhook import WebhookError

pytestmark = pytest.mark.ours

Respond = Callable[[socket.socket], None]


@contextmanager
def endpoint(respond: Respond) -> Iterator[tuple[str, list[bytes]]]:
    """A server for one connection: its URL, and what it received."""
    received: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(10)
                data = b""
                while b"\r\n\r\n" not in data:
                    data += connection.recv(65536)
                head, _, body = data.partition(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
                while len(body) < length:
                    body += connection.recv(65536)
                received.append(head + b"\r\n\r\n" + body)
                respond(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", received
        thread.join(10)


def answering(data: bytes) -> Respond:
    return lambda connection: connection.sendall(data)


@pytest.mark.parametrize(
    ("data", "status", "retry_after"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, None),
        (b"HTTP/1.0 204\r\n\r\n", 204, None),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\n\r\n", 201, None),
        (b"HTTP/1.1 429 Slow\r\nRetry-After: 17\r\n\r\n", 429, 17.0),
        (b"HTTP/1.1 503 No\r\nretry-after: Wed, 21 Oct 2026 07:28:00 GMT\r\n\r\n", 503, None),
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n", 302, None),
    ],
)
def test_answers(data: bytes, status: int, retry_after: float | None) -> None:
    """The status of the first answer that is final; a redirect is an answer like any other."""
    with endpoint(answering(data)) as (url, received):
        answer = webhook.send("POST", f"{url}/hook?x=1", {"X-A": "b"}, b"{}", "private")
    assert (answer.status, answer.retry_after) == (status, retry_after)
    head = received[0].split(b"\r\n")
    assert head[0] == b"POST /hook?x=1 HTTP/1.1"
    assert {b"Host: " + url.removeprefix("http://").encode(), b"Content-Length: 2", b"Connection: close", b"X-A: b"} < set(head)
    assert received[0].endswith(b"\r\n\r\n{}")


@pytest.mark.parametrize("data", [b"", b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"x" * 80_000, b"HTTP/1.1 200 OK\r\n"])
def test_what_is_no_answer(data: bytes) -> None:
    """A connection that ends, or says something else, is a failure."""
    with endpoint(answering(data)) as (url, _), pytest.raises(WebhookError) as caught:
        webhook.send("POST", url, {}, b"", "private")
    assert not caught.value.timed_out


def test_one_deadline_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """An endpoint that answers byte by byte cannot hold a thread for longer than the deadline."""
    monkeypatch.setattr(webhook, "TIMEOUT", 0.3)

    def drip(connection: socket.socket) -> None:
        end = time.monotonic() + 2
        while time.monotonic() < end:
            try:
                connection.sendall(b"x")
            except OSError:
                return
            threading.Event().wait(0.02)

    began = time.monotonic()
    with endpoint(drip) as (url, _):
        with pytest.raises(WebhookError) as caught:
            webhook.send("POST", url, {}, b"", "private")
        assert caught.value.timed_out
        assert time.monotonic() - began < 1


def test_nobody_there() -> None:
    """A closed port is a failure that says so."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(WebhookError, match="failed"):
        webhook.send("POST", f"http://127.0.0.1:{port}/", {}, b"", "private")


def test_signatures() -> None:
    """The signature is that of timestamp, dot and body under the secret."""
    headers = webhook.signed({}, "secret", 1_700_000_000.9, b'{"a":1}')
    expected = hmac.new(b"secret", b'1700000000.{"a":1}', hashlib.sha256).hexdigest()
    assert headers == {"X-Modelyard-Timestamp": "1700000000", "X-Modelyard-Signature": f"v1={expected}"}


@pytest.mark.parametrize(
    ("address", "public", "private"),
    [
        ("93.184.215.14", True, True),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", True, True),
        ("127.0.0.1", False, True),
        ("::1", False, True),
        ("10.1.2.3", False, True),
        ("172.31.0.1", False, True),
        ("192.168.1.1", False, True),
        ("fd12::1", False, True),
        ("::ffff:127.0.0.1", False, True),
        ("64:ff9b::10.0.0.1", False, True),
        ("2002:7f00:1::", False, True),
        ("169.254.169.254", False, False),
        ("::ffff:169.254.169.254", False, False),
        ("64:ff9b::169.254.169.254", False, False),
        ("2002:a9fe:a9fe::", False, False),
        ("fe80::1", False, False),
        ("fd00:ec2::254", False, False),
        ("0.0.0.0", False, False),
        ("::", False, False),
        ("224.0.0.1", False, False),
        ("ff02::1", False, False),
        ("100.100.100.200", False, False),
        ("255.255.255.255", False, False),
        ("192.0.2.1", False, False),
    ],
)
def test_addresses(address: str, public: bool, private: bool) -> None:
    """What is let through by default, and when private addresses are allowed; never what is of the link."""
    parsed = ipaddress.ip_address(address)
    assert (addresses.allowed(parsed, "public"), addresses.allowed(parsed, "private")) == (public, private)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "2130706433", "127.1", "0x7f.1"])
def test_nothing_is_sent_to_this_machine_by_default(host: str) -> None:
    """However its address is written."""
    with pytest.raises(WebhookError) as caught:
        webhook.send("POST", f"http://{host}:9/", {}, b"", "public")
    assert caught.value.refused


KEY = {"ApiKeyAuthParameters": {"ApiKeyName": "X-Key", "ApiKeyValue": "value"}}
DESTINATION = {"InvocationEndpoint": "https://example.com/a/*/b/*?q=1", "HttpMethod": "POST"}
EVENT = json.dumps({"detail": {"name": "x/../y z", "n": 3}})


def test_requests() -> None:
    """Parameters of the connection and of the target are in the request, filled from the event, and cannot leave their place."""
    parameters = {
        **KEY,
        "InvocationHttpParameters": {
            "HeaderParameters": [{"Key": "X-Always", "Value": "1"}],
            "QueryStringParameters": [{"Key": "k", "Value": "v w"}],
            "BodyParameters": [{"Key": "more", "Value": "yes"}],
        },
    }
    http = {
        "PathParameterValues": ["$.detail.name", "two"],
        "HeaderParameters": {"X-N": "$.detail.n", "x-always": "2", "X-Key": "forged"},
        "QueryStringParameters": {"n": "$.detail.nowhere"},
    }
    call = api_destination.call_of(DESTINATION, "API_KEY", parameters, {"HttpParameters": http}, '{"a": 1}', EVENT)
    assert call.url == "https://example.com/a/x%2F..%2Fy%20z/b/two?q=1&n=&k=v+w"
    assert call.headers["X-N"] == "3"
    assert (call.headers["X-Always"], call.headers["X-Key"]) == ("1", "value")
    assert json.loads(call.body) == {"a": 1, "more": "yes"}


def test_authorisation() -> None:
    """A user and password are sent as HTTP has it; a key named as the signature is not sent at all."""
    basic = {"BasicAuthParameters": {"Username": "user", "Password": "pass"}}
    assert api_destination.call_of(DESTINATION, "BASIC", basic, {}, "x", EVENT).headers["Authorization"] == "Basic dXNlcjpwYXNz"
    silent = {"ApiKeyAuthParameters": {"ApiKeyName": "x-modelyard-signature", "ApiKeyValue": "value"}}
    assert "value" not in api_destination.call_of(DESTINATION, "API_KEY", silent, {}, "x", EVENT).headers.values()


def test_headers_end_where_they_end() -> None:
    """A value from an event cannot begin another header."""
    with endpoint(answering(b"HTTP/1.1 200 OK\r\n\r\n")) as (url, received):
        webhook.send("POST", url, {"X-A": "b\r\nX-Evil: 1"}, b"", "private")
    assert b"\r\nX-Evil" not in received[0]


@pytest.mark.parametrize(
    "url",
    ["ftp://example.com/", "example.com", "https://", "https://user@example.com/", "https://*.example.com/", "https://a:0/"],
)
def test_what_is_no_endpoint(url: str) -> None:
    """Only HTTP and HTTPS, without user names, and with a host that is said."""
    with pytest.raises(connection.RefusedParameters):
        connection.check_endpoint(url)


def test_pace() -> None:
    """Calls of one destination are spaced by its rate; others do not wait for it."""
    waits: list[float] = []
    pace = Pace(waits.append, lambda: 100.0)
    for _ in range(3):
        pace.take("one", 10)
    pace.take("two", 10)
    assert waits == pytest.approx([0.1, 0.2])


@pytest.mark.parametrize("host", ["a" * 64 + ".example", "a..example"])
def test_a_name_that_is_none_is_a_failure(host: str) -> None:
    """A host that cannot even be asked for is a failed attempt, and no defect."""
    with pytest.raises(WebhookError, match="cannot be resolved"):
        webhook.send("POST", f"https://{host}/", {}, b"", "private")
