"""Which server addresses may be connected to: resolved once, checked, and then connected to exactly."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from identities.resolver.errors import ResolverError

IPAddress = IPv4Address | IPv6Address
Lookup = Callable[[str, int], Iterable[str]]

DEFAULT_PORTS = {"nats": 4222, "tls": 4222, "ws": 80, "wss": 443}
_LONGEST = 2000
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)
_NUMERIC = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]*)*", re.ASCII)
_HELP = "Write it as nats://host:4222, tls://host:4222, ws://host:port or wss://host:port."

_METADATA = tuple(
    ip_network(text)
    for text in ("169.254.0.0/16", "100.100.100.200/32", "192.0.0.192/32", "fd00:ec2::/32", "fd20:ce::/32")
)
_THIS_NETWORK = ip_network("0.0.0.0/8")
_RESERVED = (ip_network("240.0.0.0/4"), ip_network("192.0.0.0/24"))
_NAT64 = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))
_COMPATIBLE = IPv6Network("::/96")


class AddressRefused(ResolverError):
    """A server address that is malformed, or leads where a client test must not go."""

    code = "address-refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerURL:
    """A well-formed server URL; `host` is the name that a certificate must bear."""

    scheme: str
    host: str
    port: int
    path: str = "/"

    @property
    def encrypted(self) -> bool:
        """True when the URL itself asks for TLS."""
        return self.scheme in ("tls", "wss")

    @property
    def websocket(self) -> bool:
        """True when NATS is spoken inside a web socket."""
        return self.scheme in ("ws", "wss")

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.path if self.path != '/' else ''}"


@dataclass(frozen=True, slots=True)
class Route:
    """A checked URL and the one address that it is connected to, whatever its name resolves to later."""

    url: ServerURL
    address: str


def parse_url(text: str, *, field: str = "url") -> ServerURL:
    """Read one server URL: scheme nats, tls, ws or wss; no user, no query; only plain notations of addresses.

    Raises: AddressRefused. Nothing is looked up.
    """
    value = text.strip()
    if (
        not value
        or len(value) > _LONGEST
        or not value.isascii()
        or not value.isprintable()
        or set(value) & set(' \\"<>')
    ):
        raise AddressRefused(f"This is no server address. {_HELP}", field=field)
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        raise AddressRefused(f"This server address is malformed. {_HELP}", field=field) from None
    if parts.scheme not in DEFAULT_PORTS or not value.partition(":")[2].startswith("//"):
        raise AddressRefused(f"Only nats, tls, ws and wss addresses are connected to. {_HELP}", field=field)
    if "@" in parts.netloc:
        raise AddressRefused("Leave out the user and password; the user's own JWT logs in.", field=field)
    if "?" in value or "#" in value or _PATH.fullmatch(parts.path) is None or ".." in parts.path:
        raise AddressRefused(f"A server address has no query and no odd path. {_HELP}", field=field)
    if parts.path not in ("", "/") and parts.scheme not in ("ws", "wss"):
        raise AddressRefused(f"Only ws and wss addresses have a path. {_HELP}", field=field)
    if port == 0 or (port is None and parts.netloc.endswith(":")):
        raise AddressRefused("A port is a number from 1 to 65535.", field=field)
    return ServerURL(
        scheme=parts.scheme,
        host=checked_host(parts.hostname or "", bracketed=parts.netloc.startswith("["), field=field),
        port=port or DEFAULT_PORTS[parts.scheme],
        path=parts.path or "/",
    )


def checked_host(host: str, *, bracketed: bool, field: str) -> str:
    """A host that is a name, or an address in the usual notation. Raises: AddressRefused."""
    if bracketed:
        try:
            return str(IPv6Address(host)) if "%" not in host else _no_host(field)
        except ValueError:
            return _no_host(field)
    name = host.removesuffix(".")
    labels = name.split(".")
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        return _no_host(field)
    if _NUMERIC.fullmatch(labels[-1]):
        # C libraries also read 127.1, 0177.0.0.1, 2130706433 and 0x7f.1 as addresses; people don't.
        try:
            return str(IPv4Address(name))
        except ValueError:
            return _no_host(field)
    return name


def _no_host(field: str) -> str:
    raise AddressRefused(
        "The host is neither a name nor an address in the usual notation (such as 192.0.2.1 or [2001:db8::1]).",
        field=field,
    )


def system_lookup(host: str, port: int) -> list[str]:
    """The addresses of a name, as the operating system resolves it. Raises: OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return [str(entry[4][0]) for entry in found]


def resolve(url: ServerURL, *, allow_loopback: bool, lookup: Lookup = system_lookup) -> Route:
    """Look the host up once and check every address that comes back; the first one is taken.

    Raises: AddressRefused when any of them is link-local, a cloud's metadata service, unspecified, multicast,
    reserved, or loopback without `allow_loopback`; OSError when the name is unknown.
    """
    return Route(url, checked_address(url.host, url.port, allow_loopback=allow_loopback, lookup=lookup))


def checked_address(
    host: str, port: int, *, allow_loopback: bool, lookup: Lookup = system_lookup, field: str = "url"
) -> str:
    """The first of a host's addresses, after all of them were checked: see `resolve`."""
    found = [_address(text, field) for text in lookup(host, port)]
    if not found:
        raise AddressRefused(f"{host} has no address.", field=field)
    for address in found:
        if reason := _refusal(address, allow_loopback=allow_loopback):
            raise AddressRefused(f"{host} leads to {address}, {reason}: not connected.", field=field)
    return str(found[0])


def refuse_literal(url: ServerURL, *, allow_loopback: bool, field: str = "url") -> None:
    """Refuse a URL whose host is itself an address that must not be connected to; names wait until they are looked up.

    Raises: AddressRefused.
    """
    try:
        address = ip_address(url.host)
    except ValueError:
        return
    if reason := _refusal(address, allow_loopback=allow_loopback):
        raise AddressRefused(f"{url.host} is not connected to: it is {reason}.", field=field)


def _address(text: str, field: str) -> IPAddress:
    try:
        return ip_address(text)
    except ValueError:
        raise AddressRefused("The name server gave no usable address.", field=field) from None


def _refusal(address: IPAddress, *, allow_loopback: bool) -> str:
    for inner in _meanings(address):
        if any(inner in network for network in _METADATA if network.version == inner.version):
            return "a link-local address or a cloud's metadata service"
        if inner.is_link_local or (
            isinstance(inner, IPv6Address) and (inner.scope_id or inner.is_site_local)
        ):
            return "a link-local address"
        if inner.is_unspecified or inner in _THIS_NETWORK:
            return "an address that stands for no host"
        if inner.is_multicast or any(inner in network for network in _RESERVED):
            return "a multicast or reserved address"
        if inner.is_loopback and not allow_loopback:
            return "this machine itself (loopback)"
    return ""


def _meanings(address: IPAddress) -> list[IPAddress]:
    """The address, and every IPv4 address that is written inside an IPv6 one."""
    if isinstance(address, IPv4Address):
        return [address]
    meanings: list[IPAddress] = [address]
    if address.ipv4_mapped:
        meanings = [address.ipv4_mapped]
    elif address.sixtofour:
        meanings.append(address.sixtofour)
    elif address.teredo:
        meanings.extend(address.teredo)
    elif any(address in network for network in _NAT64) or (address in _COMPATIBLE and int(address) > 1):
        meanings.append(IPv4Address(int(address) & 0xFFFFFFFF))
    return meanings
