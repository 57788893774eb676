"""The server's own certificate authority, and the certificates it makes for the names that clients ask for.

The SDKs call `https://sts.<region>.amazonaws.com` whatever endpoint they are given. A proxy setting brings that call
to this server, which answers as that name with a certificate of its own CA. `<data>/tls/ca.pem` is what clients are told
to trust (`AWS_CA_BUNDLE`, `REQUESTS_CA_BUNDLE`). It holds this CA alone and no public roots: whoever uses these
variables talks to nothing but this server, which lets no other host through, so trusting more would only help a
mistake go unnoticed.

Trusting the CA is harmless: it is critically constrained to the names below amazonaws.com, amazonaws.com.cn and api.aws,
localhost, loopback addresses and the server's own name; its key never leaves `<data>/tls/ca-key.pem` (0600).
"""

import datetime
import ipaddress
import logging
import os
import re
import secrets
import socket
import ssl
import tempfile
from collections import OrderedDict
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

log = logging.getLogger("modelyard.certificates")

AWS_DOMAINS = ("amazonaws.com", "amazonaws.com.cn", "api.aws")
"""What clients of AWS connect to; this server answers for every name below them."""
CA_DAYS = 3650
LEAF_DAYS = 365
MOST_CONTEXTS = 256
"""Names whose certificates are kept ready; one costs a fifth of a millisecond to make again."""
_HOST_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")


def is_aws_host(host: str) -> bool:
    """Whether `host` (lower case) is a name of AWS's."""
    return host.endswith(tuple("." + domain for domain in AWS_DOMAINS)) and _HOST_NAME.fullmatch(host) is not None


class Certificates:
    """TLS for any name that this server may answer for, from the CA in `directory`, made there when it is missing."""

    def __init__(self, directory: Path, host: str) -> None:
        self.directory = directory
        self._own_names = ("localhost", "127.0.0.1", "::1", *own_names(host))
        self._authority, self._authority_key = _authority(directory, self._own_names)
        if uncovered := _uncovered(self._authority, own_names(host)):
            log.warning(
                "the certificate authority in %s was made for another host: clients will not trust it for %s; "
                "delete the directory to have one made anew",
                directory,
                ", ".join(uncovered),
            )
        self._leaf_key = ec.generate_private_key(ec.SECP256R1())
        self._contexts: OrderedDict[str, ssl.SSLContext] = OrderedDict()
        self.context = self._context(self._own_names)
        """For the server's own names; a client that names another one (SNI) gets the certificate of that."""
        self.context.sni_callback = self._choose

    def _choose(self, connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, _: ssl.SSLContext) -> None:
        """Answer as the name that the client asks for, if it is one of AWS's."""
        host = (name or "").lower()
        if not is_aws_host(host):
            return
        context = self._contexts.get(host)
        if context is None:
            context = self._contexts[host] = self._context((host,))
            if len(self._contexts) > MOST_CONTEXTS:
                self._contexts.popitem(last=False)
        else:
            self._contexts.move_to_end(host)
        connection.context = context

    def _context(self, names: tuple[str, ...]) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        leaf = _certificate(
            subject=names[0],
            public_key=self._leaf_key.public_key(),
            issuer=self._authority.subject,
            issuer_key=self._authority_key,
            days=LEAF_DAYS,
            extensions=(
                (x509.BasicConstraints(ca=False, path_length=None), True),
                (x509.SubjectAlternativeName([_general_name(name) for name in names]), False),
                (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
                (x509.AuthorityKeyIdentifier.from_issuer_public_key(self._authority_key.public_key()), False),
            ),
        )
        # The ssl module reads certificates from files only.
        with tempfile.TemporaryDirectory(prefix="modelyard-") as place:
            path = Path(place) / "leaf.pem"
            path.write_bytes(_private_pem(self._leaf_key) + _public_pem(leaf) + _public_pem(self._authority))
            context.load_cert_chain(path)
        return context


def own_names(host: str) -> tuple[str, ...]:
    """The names under which clients reach a server that listens on `host`, besides loopback's."""
    if host in ("0.0.0.0", "::", ""):  # noqa: S104 - compared with, not bound to
        host = socket.gethostname()
    host = host.lower()
    if host == "localhost":
        return ()
    if _is_address(host):
        return () if ipaddress.ip_address(host).is_loopback else (host,)
    return (host,) if _HOST_NAME.fullmatch(host) else ()


def _uncovered(authority: x509.Certificate, names: tuple[str, ...]) -> list[str]:
    """The names that a CA may not make certificates for."""
    permitted = authority.extensions.get_extension_for_class(x509.NameConstraints).value.permitted_subtrees or []
    return [name for name in names if _general_name(name, subtree=True) not in permitted]


def make_authority(directory: Path, host: str) -> Path:
    """Make the CA of a data directory unless it is there; the path of `ca.pem`."""
    _authority(directory, ("localhost", "127.0.0.1", "::1", *own_names(host)))
    return directory / "ca.pem"


def _authority(directory: Path, names: tuple[str, ...]) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """The CA that is kept in `directory`: the one that is there, unless it is about to expire."""
    path = directory / "ca-key.pem"
    if path.exists():
        kept = _read_authority(path)
        if kept[0].not_valid_after_utc > _now() + datetime.timedelta(days=30):
            return kept
        path.unlink()
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _authority_certificate(key, names)
    draft = directory / f".ca-key.{secrets.token_hex(8)}"
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(_private_pem(key) + _public_pem(certificate))
        file.flush()
        os.fsync(file.fileno())
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        # Another server that starts on this directory was first: its CA is the one.
        certificate, key = _read_authority(path)
    draft.unlink()
    public = directory / f".ca.{secrets.token_hex(8)}"
    public.write_bytes(_public_pem(certificate))
    public.chmod(0o644)
    public.replace(directory / "ca.pem")
    return certificate, key


def _read_authority(path: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    content = path.read_bytes()
    key = serialization.load_pem_private_key(content, None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError(f"{path} does not hold the key that Modelyard made")
    return x509.load_pem_x509_certificate(content), key


def _authority_certificate(key: ec.EllipticCurvePrivateKey, names: tuple[str, ...]) -> x509.Certificate:
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Modelyard"),
            x509.NameAttribute(NameOID.COMMON_NAME, f"Modelyard local CA {os.urandom(4).hex()}"),
        ]
    )
    permitted: list[x509.GeneralName] = [x509.DNSName(domain) for domain in AWS_DOMAINS]
    permitted += [_general_name(name, subtree=True) for name in names]
    return _certificate(
        subject=subject,
        public_key=key.public_key(),
        issuer=subject,
        issuer_key=key,
        days=CA_DAYS,
        extensions=(
            (x509.BasicConstraints(ca=True, path_length=0), True),
            (_key_usage_of_an_authority(), True),
            (x509.NameConstraints(permitted_subtrees=permitted, excluded_subtrees=None), True),
            (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
        ),
    )


def _certificate(
    *,
    subject: str | x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
    days: int,
    extensions: tuple[tuple[x509.ExtensionType, bool], ...],
) -> x509.Certificate:
    if isinstance(subject, str):
        # A common name has 64 characters at most; clients read the alternative names.
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject[:64])])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(_now() - datetime.timedelta(days=1))
        .not_valid_after(_now() + datetime.timedelta(days=days))
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(issuer_key, hashes.SHA256())


def _key_usage_of_an_authority() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str, *, subtree: bool = False) -> x509.GeneralName:
    """A name as certificates write it; as a subtree, an address is a network and loopback is all of it."""
    if not _is_address(name):
        return x509.DNSName(name)
    address = ipaddress.ip_address(name)
    if not subtree:
        return x509.IPAddress(address)
    return x509.IPAddress(ipaddress.ip_network("127.0.0.0/8" if name == "127.0.0.1" else address))


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _public_pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
