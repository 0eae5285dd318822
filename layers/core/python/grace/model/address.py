"""A web address, read strictly, and the list of hosts that an `http` expectation may name."""

import re
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import urlsplit

_PORTS = {"https": 443, "http": 80}
_URL = re.compile(r"^https?://[\x21-\x7e]+$")
_NAME = re.compile(r"^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")


class Target(NamedTuple):
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
    """Return the parts of a URL; raises ValueError with the fix for one that could be read in two ways."""
    if not _URL.match(url) or "\\" in url:
        raise ValueError("write http:// or https://, printable ASCII, no blanks and no backslash")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as exc:
        raise ValueError("host and port cannot be read") from exc
    if "@" in parts.netloc:
        raise ValueError("leave the user name and password out")
    host = (parts.hostname or "").lower()
    if not _NAME.match(host):
        raise ValueError("the host must be a plain name, such as shop.example.com")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, port or _PORTS[parts.scheme], path)


def listed(url: str, hosts: Iterable[str]) -> Target:
    """Return the URL's parts when its host is on the list.

    A line of the list is a host (`shop.example.com`: https on port 443), a host and port (`shop.example.com:8443`: https), or
    both with the scheme (`http://shop.example.com`); scheme, host and port must all be the same.

    Raises:
        ValueError: the URL, or a line of the list, cannot be read, or the host is not listed.
    """
    target = target_of(url)
    for line in hosts:
        entry = target_of(line if "://" in line else f"https://{line}")
        if (entry.scheme, entry.host, entry.port) == (target.scheme, target.host, target.port):
            return target
    raise ValueError(f"{target.scheme}://{target.header} is not on the list of hosts (context `http_hosts`)")
