"""Which hosts and which addresses Grace may ask over HTTP. Pure: the rules against server-side request forgery.

A URL is read once, strictly, into a `Target`; its host must be written on the allow-list as it stands; every address that
the name resolves to must be a public one. What is asked is then the address that was checked, not the name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address
from urllib.parse import urlsplit

from grace.errors import Refused

_PORTS = {"https": 443, "http": 80}
_URL = re.compile(r"^https?://[\x21-\x7e]+$")
_NAME = re.compile(r"^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")

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


@dataclass(frozen=True, slots=True)
class Target:
    """One URL taken apart: `path` begins with a slash and holds the query."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def header(self) -> str:
        """The Host header."""
        return self.host if self.port == _PORTS[self.scheme] else f"{self.host}:{self.port}"


def target_of(url: str) -> Target:
    """Return the parts of a URL; raises `Refused` (`address`) for one that could be read in two ways."""
    if not _URL.match(url) or "\\" in url:
        raise _refused(url, "write http:// or https://, printable ASCII, no blanks and no backslash")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as exc:
        raise _refused(url, "host and port cannot be read") from exc
    if "@" in parts.netloc:
        raise _refused(url, "leave the user name and password out")
    host = (parts.hostname or "").lower()
    if not _NAME.match(host):
        raise _refused(url, "the host must be a plain name, such as shop.example.com")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, port or _PORTS[parts.scheme], path)


def check_listed(url: str, hosts: Iterable[str]) -> Target:
    """Return the URL's parts when its host is on the allow-list.

    A line of the list is a host (`shop.example.com`: https on port 443), a host and port (`shop.example.com:8443`: https), or
    both with the scheme (`http://shop.example.com`); scheme, host and port must all be the same.

    Raises:
        Refused: `address`, for a URL that cannot be read or is not listed.
    """
    target = target_of(url)
    for line in hosts:
        listed = target_of(line if "://" in line else f"https://{line}")
        if (listed.scheme, listed.host, listed.port) == (target.scheme, target.host, target.port):
            return target
    raise _refused(url, f"{target.scheme}://{target.header} is not on the list of hosts (context `http_hosts`)")


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
    return Refused("address", f"{url[:200]!r} may not be asked: {reason}")
