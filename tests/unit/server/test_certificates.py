"""The local certificate authority: made once, kept to itself, and good for nothing but this server's names."""

import socket
import ssl
import stat
import threading
from pathlib import Path

import pytest
from cryptography import x509

from modelyard.server import certificates
from modelyard.server.certificates import Certificates, is_aws_host, make_authority, own_names

pytestmark = pytest.mark.ours


def test_made_once(tmp_path: Path) -> None:
    """The CA of a data directory stays what it is, whoever asks for it and however often."""
    first = make_authority(tmp_path / "tls", "127.0.0.1").read_bytes()
    Certificates(tmp_path / "tls", "127.0.0.1")
    assert make_authority(tmp_path / "tls", "127.0.0.1").read_bytes() == first


def test_the_key_is_the_owners(tmp_path: Path) -> None:
    """Nobody else may read the CA's key; its certificate is for everybody and holds no key."""
    path = make_authority(tmp_path / "tls", "127.0.0.1")
    assert stat.S_IMODE((tmp_path / "tls" / "ca-key.pem").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "tls").stat().st_mode) == 0o700
    assert b"PRIVATE KEY" not in path.read_bytes()
    assert [entry.name for entry in sorted((tmp_path / "tls").iterdir())] == ["ca-key.pem", "ca.pem"]


def test_made_by_several_at_once(tmp_path: Path) -> None:
    """Servers that start together on a new directory agree on one CA."""
    found: list[bytes] = []
    gate = threading.Barrier(4)

    def make() -> None:
        gate.wait()
        found.append(certificates._authority(tmp_path / "tls", ("localhost",))[0].fingerprint(certificates.hashes.SHA256()))

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(found)) == 1


def test_one_that_expires_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A CA that is about to expire is replaced when the server starts."""
    monkeypatch.setattr(certificates, "CA_DAYS", 20)
    old = make_authority(tmp_path / "tls", "127.0.0.1").read_bytes()
    monkeypatch.undo()
    assert make_authority(tmp_path / "tls", "127.0.0.1").read_bytes() != old


def shake_hands(server: ssl.SSLContext, authority: Path, name: str) -> x509.Certificate:
    """The certificate that a client who trusts `authority` accepts for `name`."""
    client = ssl.create_default_context(cafile=str(authority))
    ours, theirs = socket.socketpair()
    with ours, theirs:
        thread = threading.Thread(target=_serve, args=(server, ours))
        thread.start()
        try:
            with client.wrap_socket(theirs, server_hostname=name) as secure:
                certificate = secure.getpeercert(binary_form=True)
                assert certificate is not None
                return x509.load_der_x509_certificate(certificate)
        finally:
            theirs.close()
            thread.join()


def _serve(context: ssl.SSLContext, peer: socket.socket) -> None:
    try:
        with context.wrap_socket(peer, server_side=True):
            pass
    except OSError:
        pass  # the client did not like the certificate


@pytest.mark.parametrize(
    "name", ["localhost", "127.0.0.1", "sts.us-east-1.amazonaws.com", "a-very.long.bucket.s3.amazonaws.com", "x.api.aws"]
)
def test_names_that_clients_accept(tmp_path: Path, name: str) -> None:
    """Clients that trust the CA accept the server under its own names and under AWS's."""
    made = Certificates(tmp_path / "tls", "127.0.0.1")
    shake_hands(made.context, tmp_path / "tls" / "ca.pem", name)


def test_a_certificate_is_made_once_for_a_name(tmp_path: Path) -> None:
    """The second client of a name gets the certificate that the first got."""
    made = Certificates(tmp_path / "tls", "127.0.0.1")
    serials = {shake_hands(made.context, tmp_path / "tls" / "ca.pem", "s3.amazonaws.com").serial_number for _ in range(3)}
    assert len(serials) == 1


def test_ready_certificates_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many names clients ask for, so many certificates are kept and no more."""
    monkeypatch.setattr(certificates, "MOST_CONTEXTS", 3)
    made = Certificates(tmp_path / "tls", "127.0.0.1")
    for number in range(6):
        shake_hands(made.context, tmp_path / "tls" / "ca.pem", f"bucket-{number}.s3.amazonaws.com")
    assert len(made._contexts) == 3


@pytest.mark.parametrize("name", ["example.com", "registry.example.org", "evilamazonaws.com"])
def test_the_authority_is_good_for_nothing_else(tmp_path: Path, name: str) -> None:
    """Whoever stole the CA's key could not pose as anybody but AWS and this machine to those who trust it."""
    made = Certificates(tmp_path / "tls", "127.0.0.1")
    forged = made._context((name,))
    with pytest.raises(ssl.SSLCertVerificationError) as raised:
        shake_hands(forged, tmp_path / "tls" / "ca.pem", name)
    assert "permitted subtree violation" in str(raised.value)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("sts.amazonaws.com", True),
        ("a.b.s3.us-east-1.amazonaws.com.cn", True),
        ("sagemaker.us-east-1.api.aws", True),
        ("amazonaws.com", False),
        ("xamazonaws.com", False),
        ("sts.amazonaws.com.example.org", False),
        (".amazonaws.com", False),
        ("a..amazonaws.com", False),
        ("-.amazonaws.com", False),
        ("sts.amazonaws.com.", False),
        ("", False),
    ],
)
def test_names_of_aws(host: str, expected: bool) -> None:
    """Names below AWS's domains are AWS's, and names that only look so are not."""
    assert is_aws_host(host) is expected


@pytest.mark.parametrize(
    ("host", "names"),
    [("127.0.0.1", ()), ("localhost", ()), ("::1", ()), ("10.1.2.3", ("10.1.2.3",)), ("Yard.Example", ("yard.example",))],
)
def test_own_names(host: str, names: tuple[str, ...]) -> None:
    """The server's own names are loopback's and the one it listens on."""
    assert own_names(host) == names


def test_another_host_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A server that moves to a host its CA was not made for says so, and what to do; on the old one it says nothing."""
    make_authority(tmp_path / "tls", "yard.example")
    Certificates(tmp_path / "tls", "yard.example")
    assert not caplog.records
    Certificates(tmp_path / "tls", "other.example")
    assert "clients will not trust it for other.example" in caplog.text
