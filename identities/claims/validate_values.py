"""The single values inside limits, read as strictly or leniently as Go reads them: networks, times of day, zones."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_TIME_OF_DAY = re.compile(r"([0-9]|[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.,][0-9]+)?")
_DIGITS = re.compile(r"[0-9]{1,8}")


def is_cidr(text: str) -> bool:
    """True for `address/bits` as Go's `net.ParseCIDR` takes it: a bare address or an IPv6 zone is none."""
    address, slash, bits = text.partition("/")
    if not slash or "%" in address or not _DIGITS.fullmatch(bits):
        return False
    try:
        width = IPv6Address(address).max_prefixlen if ":" in address else IPv4Address(address).max_prefixlen
    except AddressValueError:
        return False
    return int(bits) <= width


def is_time_of_day(text: str) -> bool:
    """True for what Go's `time.Parse("15:04:05")` takes: a one-digit hour and fractions of a second included."""
    return _TIME_OF_DAY.fullmatch(text) is not None


@lru_cache(maxsize=1024)
def zone_problem(name: str) -> str:
    """What Go's `time.LoadLocation` says against an IANA zone name, "" when it loads. Names are case-sensitive."""
    if name in ("", "UTC", "Local"):
        return ""
    if ".." in name or name[0] in "/\\":
        return "time: invalid location name"
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return f"unknown time zone {name}"
    return ""
