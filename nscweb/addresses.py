"""Where a request comes from."""

from __future__ import annotations

import ipaddress

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str:
    """The client's address, "" when unknown; believes `X-Forwarded-For` from the configured number of proxies.

    The outermost middleware puts it into `REMOTE_ADDR`; asking again gives the same answer.
    """
    forwarded = [
        part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",") if part.strip()
    ]
    proxies: int = settings.TRUSTED_PROXIES
    text = request.META.get("REMOTE_ADDR", "")
    if proxies and len(forwarded) >= proxies:
        text = forwarded[-proxies]
    try:
        return str(ipaddress.ip_address(text.strip("[]")))
    except ValueError:
        return ""


def is_local(request: HttpRequest) -> bool:
    """Whether the request comes from this host itself, not through a proxy on it."""
    if not settings.TRUSTED_PROXIES and "X-Forwarded-For" in request.headers:
        return False
    address = client_address(request)
    return bool(address) and ipaddress.ip_address(address).is_loopback
