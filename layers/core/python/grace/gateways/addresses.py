"""Which hosts and which addresses Grace may ask over HTTP. Pure: the rules against server-side request forgery.

A URL is read once, strictly, into a `Target`; its host must be written on the allow-list as it stands; every address that
the name resolves to must be a public one. What is asked is then the address that was checked, not the name.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address

from grace.errors import Refused
from grace.model.address import Target, listed
from grace.model.wording import address as shown

_NOT_PUBLIC_4 = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",  # shared
            "127.0.0.0/8",
            "169.254.0.0/16",  # link-local: the metadata services
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.88.99.0/24",  # 6to4 relays
            "192.168.0.0/16",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",
        ),
    )
)
_PUBLIC_6 = IPv6Network("2000::/3")
_NOT_PUBLIC_6 = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # protocol assignments; Teredo, which carries IPv4, is among them
            "2001:db8::/32",
            "2002::/16",  # 6to4 carries IPv4
            "3fff::/20",
        ),
    )
)
"""The IANA special-purpose address registries. Written out, because `ipaddress.is_global` differs between Python versions
and calls some of these ranges global."""


def check_listed(url: str, hosts: Iterable[str]) -> Target:
    """Return the URL's parts when its host is on the allow-list (`model.address.listed`).

    Raises:
        Refused: `address`, for a URL that cannot be read or is not listed.
    """
    try:
        return listed(url, hosts)
    except ValueError as exc:
        raise _refused(url, str(exc)) from exc


def check_public(url: str, addresses: Sequence[str]) -> None:
    """Raise `Refused` unless every address a name resolved to is a public one; a single private one taints the name."""
    if not addresses:
        raise _refused(url, "the name has no address")
    for address in addresses:
        if not is_public(address):
            raise _refused(url, f"it leads to {address}, which is not a public address")


def is_public(address: str) -> bool:
    """Return whether an IP address is a public unicast one.

    Private, loopback, link-local, shared, multicast and reserved ranges are not. Of IPv6 only global unicast is, so no
    mapped, translated or tunnelled form of an IPv4 address gets through.
    """
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, IPv4Address):
        return not any(ip in net for net in _NOT_PUBLIC_4)
    return ip in _PUBLIC_6 and not any(ip in net for net in _NOT_PUBLIC_6)


def _refused(url: str, reason: str) -> Refused:
    return Refused("address", f"{shown(url)[:200]!r} may not be asked: {reason}")
