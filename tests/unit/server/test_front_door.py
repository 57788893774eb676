"""The front door: what a connection speaks, and what a slow or broken client can do to the server."""

import socket
import ssl
import time

import pytest
import urllib3
from tests.unit.server.conftest import Door, answer, rest

GET = b"GET /a HTTP/1.1\r\nhost: x\r\n\r\n"
LAST = b"GET /last HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"

pytestmark = pytest.mark.ours


def test_plain_http(door: Door) -> None:
    """A plain request is answered."""
    assert door.ask(LAST).endswith(b"http GET /last 0")


def test_tls(door: Door) -> None:
    """A TLS client that trusts our CA gets an answer for 127.0.0.1 and for localhost."""
    with urllib3.PoolManager(ca_certs=str(door.authority)) as pool:
        for host in ("127.0.0.1", "localhost"):
            assert pool.request("GET", f"https://{host}:{door.address[1]}/b").data == b"https GET /b 0"


def test_tls_is_not_trusted_without_our_authority(door: Door) -> None:
    """A client that does not trust our CA refuses the certificate."""
    with urllib3.PoolManager(retries=False) as pool, pytest.raises(urllib3.exceptions.SSLError):
        pool.request("GET", f"https://127.0.0.1:{door.address[1]}/")


@pytest.mark.parametrize(
    "host",
    [
        "sts.us-east-1.amazonaws.com",
        "sts.cn-north-1.amazonaws.com.cn",
        "bucket.with.dots.s3.eu-west-1.amazonaws.com",
        "x.api.aws",
    ],
)
def test_connect_to_a_name_of_aws_ends_here(door: Door, host: str) -> None:
    """Through CONNECT a client reaches us under a name of AWS's, with a certificate for exactly that name."""
    with urllib3.ProxyManager(f"http://127.0.0.1:{door.address[1]}", ca_certs=str(door.authority)) as pool:
        assert pool.request("POST", f"https://{host}/c", body=b"xyz").data == b"https POST /c 3"


@pytest.mark.parametrize(
    "target", ["registry.example.org:443", "amazonaws.com.evil.org:443", "evilamazonaws.com:443", "sts.amazonaws.com:80"]
)
def test_connect_to_another_host_is_refused(door: Door, target: str) -> None:
    """CONNECT to anything but a name of AWS's on port 443 answers 403 and says why."""
    refused = door.ask(f"CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n\r\n".encode())
    assert refused.startswith(b"HTTP/1.1 403 Forbidden\r\n")
    assert target.encode() in refused.partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize(
    "line", [b"CONNECT nothing HTTP/1.1", b"CONNECT :443 HTTP/1.1", b"CONNECT a b c", b"CONNECT [::1]:443 HTTP/1.1"]
)
def test_a_malformed_connect_is_a_bad_request(door: Door, line: bytes) -> None:
    """A CONNECT that cannot be read answers 400."""
    assert door.ask(line + b"\r\n\r\n").startswith(b"HTTP/1.1 400 ")


def test_connect_then_plain_http(door: Door) -> None:
    """A tunnel may carry plain HTTP, and its first request may come together with the CONNECT."""
    connect = b"CONNECT sts.amazonaws.com:443 HTTP/1.1\r\n\r\n"
    answered = door.ask(connect + LAST)
    assert answered.startswith(b"HTTP/1.1 200 ")
    assert answered.endswith(b"http GET /last 0")


def test_connect_byte_by_byte(door: Door) -> None:
    """A CONNECT that comes in single bytes is understood, and so is the TLS in it."""
    with door.connection() as peer:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in b"CONNECT sts.amazonaws.com:443 HTTP/1.1\r\nuser-agent: slow\r\n\r\n":
            peer.sendall(bytes([byte]))
            time.sleep(0.001)
        assert peer.recv(1000).startswith(b"HTTP/1.1 200 ")
        context = ssl.create_default_context(cafile=str(door.authority))
        with context.wrap_socket(peer, server_hostname="sts.amazonaws.com") as secure:
            secure.sendall(LAST)
            assert rest_of_tls(secure).endswith(b"https GET /last 0")


def rest_of_tls(secure: ssl.SSLSocket) -> bytes:
    received = b""
    while piece := secure.recv(65536):
        received += piece
    return received


def test_a_method_that_starts_like_connect(door: Door) -> None:
    """Bytes that look like a CONNECT at first and turn out not to be one reach the HTTP parser whole."""
    with door.connection() as peer:
        peer.sendall(b"C")
        time.sleep(0.02)
        peer.sendall(b"OPY /c HTTP/1.1\r\nconnection: close\r\n\r\n")
        assert rest(peer).endswith(b"http COPY /c 0")


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x00\x01\x02\x03" * 10,
        b"HELO mail\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET http://nowhere HTTP/1.1\r\n\r\n",
        b"GET /caf\xc3\xa9 HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n",
        b"GET / HTTP/1.1\r\nbad header\r\n\r\n",
        b"GET / HTTP/1.1\r\nname: a\x00b\r\n\r\n",
    ],
)
def test_garbage_is_a_bad_request(door: Door, garbage: bytes) -> None:
    """Bytes that are no HTTP request answer 400 with a request id, and the connection is closed."""
    answered = door.ask(garbage)
    assert answered.startswith(b"HTTP/1.1 400 ")
    assert b"x-amzn-requestid: " in answered


def test_garbage_after_the_tls_byte_closes(door: Door) -> None:
    """A first byte of TLS with no TLS after it is hung up on."""
    assert not door.ask(b"\x16" + b"garbage" * 100).startswith(b"HTTP")


@pytest.mark.parametrize(
    ("request_head", "status"),
    [
        (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n", b"414"),
        (b"GET / HTTP/1.1\r\n" + b"".join(b"h%d: x\r\n" % n for n in range(300)) + b"\r\n", b"431"),
        (b"GET / HTTP/1.1\r\nlong: " + b"x" * 70_000 + b"\r\n\r\n", b"431"),
        (b"GET / HTTP/1.1\r\nendless: " + b"x" * 200_000, b"431"),
        (b"CONNECT sts.amazonaws.com:443 HTTP/1.1\r\nendless: " + b"x" * 20_000, b"431"),
    ],
)
def test_a_head_that_is_too_large(door: Door, request_head: bytes, status: bytes) -> None:
    """A head beyond the limits is refused with the status that says so."""
    assert door.ask(request_head).startswith(b"HTTP/1.1 " + status)


def test_pipelined_requests_are_answered_in_order(door: Door) -> None:
    """Requests sent at once are answered one after the other, bodies and all."""
    post = b"POST /p%d HTTP/1.1\r\ncontent-length: 3\r\n\r\nabc"
    answered = door.ask(b"".join(post % n for n in range(20)) + LAST)
    assert [answered.index(b"POST /p%d 3" % n) for n in range(20)] == sorted(
        answered.index(b"POST /p%d 3" % n) for n in range(20)
    )
    assert answered.endswith(b"GET /last 0")


def test_a_flood_of_pipelined_requests(door: Door) -> None:
    """Of thousands of requests at once some are answered; the others, which would fill the memory, go with the connection."""
    answered = door.ask(b"GET /f HTTP/1.1\r\n\r\n" * 5000)
    assert 1 <= answered.count(b"http GET /f 0") < 5000


def test_garbage_behind_a_request(door: Door) -> None:
    """What came before the garbage is answered; then the connection is closed."""
    answered = door.ask(GET + b"\x00\x00garbage\r\n\r\n")
    assert b"http GET /a 0" in answered


def test_keep_alive_and_close(door: Door) -> None:
    """HTTP/1.1 keeps the connection, HTTP/1.0 closes it."""
    with door.connection() as peer:
        for _ in range(3):
            peer.sendall(GET)
            assert answer(peer).endswith(b"http GET /a 0")
        peer.sendall(b"GET /old HTTP/1.0\r\n\r\n")
        assert rest(peer).endswith(b"http GET /old 0")


def test_expect_100_continue(door: Door) -> None:
    """A client that waits to be asked for its body is asked."""
    with door.connection() as peer:
        peer.sendall(b"PUT /e HTTP/1.1\r\ncontent-length: 4\r\nexpect: 100-continue\r\n\r\n")
        assert peer.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        peer.sendall(b"body")
        assert answer(peer).endswith(b"http PUT /e 4")


def test_an_answer_before_the_body(door: Door) -> None:
    """A request that is answered before its body came leaves the connection fit for the next one."""
    with door.connection() as peer:
        peer.sendall(b"PUT /early HTTP/1.1\r\ncontent-length: 500000\r\n\r\n" + bytes(1000))
        assert answer(peer).endswith(b"http PUT /early 0")
        peer.sendall(bytes(499_000) + LAST)
        assert rest(peer).endswith(b"http GET /last 0")


def test_an_offer_to_upgrade_is_ignored(door: Door) -> None:
    """A client that offers HTTP/2 in clear text is answered in HTTP/1.1."""
    upgrade = b"GET /up HTTP/1.1\r\nhost: x\r\nconnection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AA\r\n\r\n"
    assert door.ask(upgrade).endswith(b"http GET /up 0")


def test_a_large_upload(door: Door) -> None:
    """Twenty megabytes arrive whole, chunked and not."""
    with urllib3.PoolManager() as pool:
        url = f"http://127.0.0.1:{door.address[1]}/u"
        assert pool.request("PUT", url, body=bytes(20_000_000)).data == b"http PUT /u 20000000"
        chunked = pool.request("PUT", url, body=(bytes(100_000) for _ in range(200)), chunked=True)
        assert chunked.data == b"http PUT /u 20000000"


# --- clients that hold a connection ---------------------------------------------------------------


@pytest.mark.parametrize("first", [b"", b"G", b"CONN", b"CONNECT sts.amazonaws.com:443 HTTP/1.1\r\n\r\n"])
def test_a_connection_that_says_nothing_is_closed(impatient_door: Door, first: bytes) -> None:
    """Whoever connects and does not go on is hung up on after `header_seconds`."""
    began = time.monotonic()
    with impatient_door.connection() as peer:
        peer.sendall(first)
        rest(peer)
    assert 0.1 < time.monotonic() - began < 2


def test_slowloris(impatient_door: Door) -> None:
    """A head that comes in drops is ended with 408, however steadily it drips."""
    began = time.monotonic()
    with impatient_door.connection() as peer:
        peer.sendall(b"GET / HTTP/1.1\r\n")
        received = b""
        while not received and time.monotonic() - began < 4:
            try:
                peer.sendall(b"x: y\r\n")
                peer.settimeout(0.03)
                received = peer.recv(1000)
            except TimeoutError:
                continue
    assert received.startswith(b"HTTP/1.1 408 ")
    assert time.monotonic() - began < 2


def test_a_tls_handshake_that_stops(impatient_door: Door) -> None:
    """A TLS handshake that does not go on is ended."""
    began = time.monotonic()
    assert impatient_door.ask(b"\x16\x03\x01\x02\x00") == b""
    assert time.monotonic() - began < 2


def test_a_body_that_stops(impatient_door: Door) -> None:
    """A body that pauses for longer than `body_seconds` ends the connection."""
    began = time.monotonic()
    assert impatient_door.ask(b"PUT /b HTTP/1.1\r\ncontent-length: 1000\r\n\r\nabc") == b""
    assert time.monotonic() - began < 2


def test_a_body_that_drips(impatient_door: Door) -> None:
    """A body below the slowest rate ends the connection, though it never pauses."""
    began = time.monotonic()
    with impatient_door.connection() as peer, pytest.raises(OSError):
        peer.sendall(b"PUT /b HTTP/1.1\r\ncontent-length: 1000\r\n\r\n")
        while time.monotonic() - began < 4:
            peer.sendall(b"x")
            time.sleep(0.02)
    assert time.monotonic() - began < 2


def test_an_idle_connection_is_closed(impatient_door: Door) -> None:
    """A connection without a next request is closed after `idle_seconds`."""
    began = time.monotonic()
    with impatient_door.connection() as peer:
        peer.sendall(GET)
        assert rest(peer).endswith(b"http GET /a 0")
    assert 0.1 < time.monotonic() - began < 2


def test_a_client_that_takes_nothing(impatient_door: Door) -> None:
    """Whoever asks for much and reads none of it is hung up on."""
    with impatient_door.connection() as peer:
        peer.sendall(b"GET /large HTTP/1.1\r\n\r\n")
        wait_until(lambda: impatient_door.state.connections)
        wait_until(lambda: not impatient_door.state.tasks)


def test_a_client_that_leaves_early(door: Door) -> None:
    """An answer stops when its client leaves in the middle."""
    with door.connection() as peer:
        peer.sendall(b"GET /large HTTP/1.1\r\n\r\n")
        peer.recv(1000)
    wait_until(lambda: not door.state.tasks)


def test_more_connections_than_there_is_room_for(impatient_door: Door) -> None:
    """When all places are taken by clients that say nothing, a new client is answered all the same."""
    silent = [socket.create_connection(impatient_door.address, timeout=5) for _ in range(30)]
    try:
        assert impatient_door.ask(LAST).endswith(b"http GET /last 0")
    finally:
        for peer in silent:
            peer.close()


def wait_until(condition: object) -> None:
    deadline = time.monotonic() + 4
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.01)
