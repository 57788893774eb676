"""Which addresses events may be sent to: a URL that somebody gave must not reach what only this machine can reach.

`public` lets through addresses of the internet alone; `private` also those of this machine and of private networks. Addresses of
the link, where clouds keep the credentials of machines, are never let through.
"""

import ipaddress
import socket
from collections.abc import Sequence

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_PRIVATE = tuple(
    ipaddress.ip_network(text) for text in ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7")
)
_METADATA = frozenset(ipaddress.ip_address(text) for text in ("169.254.169.254", "fd00:ec2::254", "fd20:ce::254"))
_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")


class NotAllowed(Exception):
    """No address of a host is one that events may be sent to."""


def allowed(address: IpAddress, addresses: str) -> bool:
    """Whether events may be sent to an address; `addresses` is `public` or `private`."""
    address = _meant(address)
    if address in _METADATA or address.is_link_local or address.is_multicast or address.is_unspecified:
        return False
    if address.is_global:
        return True
    return addresses == "private" and any(address in network for network in _PRIVATE)


def _meant(address: IpAddress) -> IpAddress:
    """The IPv4 address that an IPv6 address is another way to write."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _TRANSLATED:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else address)


def resolve(host: str, port: int, addresses: str) -> Sequence[tuple[socket.AddressFamily, str]]:
    """The addresses of a host that events may be sent to. Whoever connects uses these, not the name again.

    Raises NotAllowed, and OSError when the name cannot be resolved.
    """
    found = dict.fromkeys(
        (family, str(address[0])) for family, _, _, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    )
    usable = [(family, text) for family, text in found if allowed(ipaddress.ip_address(text.partition("%")[0]), addresses)]
    if not usable:
        raise NotAllowed(f"{host} is not at an address that events may be sent to.")
    return usable
