"""URLs as Go's `net/url.Parse` takes and refuses them, as far as the rules of operators and accounts ask."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv6Address

from identities.claims.validate_text import quote

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
_USERINFO = re.compile(r"[A-Za-z0-9\-._:~!$&'()*+,;=%@]*")
_PORT = re.compile(r"(:[0-9]*)?")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2}).{0,2}", re.DOTALL)
_BAD_HOST_ESCAPE = re.compile(r"%(?!25)[0-7][0-9A-Fa-f]")
_BAD_HOST_CHARACTER = re.compile(r"[^\x80-\U0010ffffA-Za-z0-9\-_.~!$&'()*+,;=:\[\]<>\"%]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_ZONE = "%25"


class UrlError(ValueError):
    """A URL that Go refuses, with Go's words for it."""


@dataclass(frozen=True, slots=True)
class Url:
    """The parts of a URL that the rules look at; `hostname` is without port and brackets."""

    scheme: str = ""
    has_user: bool = False
    hostname: str = ""
    path: str = ""


def parse(text: str) -> Url:
    """Take a URL apart as Go's `net/url.Parse` does.

    Raises:
        UrlError: with the text of Go's `*url.Error`, `parse "…": …`.
    """
    body, _, fragment = text.partition("#")
    try:
        url = _parse(body)
    except UrlError as error:
        raise UrlError(f"parse {quote(body)}: {error}") from None
    try:
        _check_escapes(fragment)
    except UrlError as error:
        raise UrlError(f"parse {quote(text)}: {error}") from None
    return url


def _parse(text: str) -> Url:
    if _CONTROL.search(text):
        raise UrlError("net/url: invalid control character in URL")
    if text == "*":
        return Url(path="*")
    scheme, rest = _split_scheme(text)
    rest = rest.partition("?")[0]
    if not rest.startswith("/"):
        if scheme:
            return Url(scheme=scheme)
        if ":" in rest.partition("/")[0]:
            raise UrlError("first path segment in URL cannot contain colon")
    has_user, hostname = False, ""
    if rest.startswith("//") and (scheme or not rest.startswith("///")):
        authority, slash, rest = rest[2:].partition("/")
        rest = slash + rest
        has_user, hostname = _authority(scheme, authority)
    _check_escapes(rest)
    return Url(scheme=scheme, has_user=has_user, hostname=hostname, path=rest)


def _split_scheme(text: str) -> tuple[str, str]:
    if text.startswith(":"):
        raise UrlError("missing protocol scheme")
    before, colon, after = text.partition(":")
    if colon and _SCHEME.fullmatch(before):
        return before.lower(), after
    return "", text


def _authority(scheme: str, authority: str) -> tuple[bool, str]:
    user, at, host = authority.rpartition("@")
    hostname = _hostname(scheme, host)
    if at:
        if not _USERINFO.fullmatch(user):
            raise UrlError("net/url: invalid userinfo")
        _check_escapes(user)
    return bool(at), hostname


def _hostname(scheme: str, host: str) -> str:
    bracket = host.rfind("[")
    if bracket > 0:
        raise UrlError("invalid IP-literal")
    if bracket == 0:
        return _ip_literal(host)
    # Only http and https refuse several colons (go.dev/issue/75223, 78077); Go then calls the rest the port.
    colon = host.find(":") if scheme in ("http", "https") else host.rfind(":")
    if colon >= 0:
        _check_port(host[colon:])
    _check_host(host)
    return host if colon < 0 else host[:colon]


def _ip_literal(host: str) -> str:
    literal, bracket, port = host[1:].rpartition("]")
    if not bracket:
        raise UrlError("missing ']' in host")
    _check_port(port)
    address, zone, zone_name = literal.partition(_ZONE)
    _check_host(address)
    try:
        IPv6Address(address if not zone else f"{address}%{zone_name}")
    except AddressValueError:
        raise UrlError("invalid IP-literal") from None
    return literal


def _check_port(port: str) -> None:
    if not _PORT.fullmatch(port):
        raise UrlError(f"invalid port {quote(port)} after host")


def _check_escapes(text: str) -> None:
    if bad := _BAD_ESCAPE.search(text):
        raise UrlError(f"invalid URL escape {quote(bad.group())}")


def _check_host(host: str) -> None:
    _check_escapes(host)
    if bad := _BAD_HOST_ESCAPE.search(host):
        raise UrlError(f"invalid URL escape {quote(bad.group())}")
    if bad := _BAD_HOST_CHARACTER.search(host):
        raise UrlError(f"invalid character {quote(bad.group())} in host name")
