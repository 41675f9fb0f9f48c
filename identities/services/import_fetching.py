"""Fetches what is to be imported from an address: one JWT or pack, or all that an account server has (`nsc pull`)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

from django.conf import settings

from identities.errors import IdentityError
from identities.models import Account
from identities.resolver import fetching

FIELD = "url"
MOST_SECONDS = 120.0
LARGEST_PACK = 16 * 1024 * 1024
MOST_ACCOUNTS = 10_000
"""What nats-account-server gives in one pack at most."""


def check(url: str) -> None:
    """Refuse an address that nothing is fetched from. Raises: AddressRefused."""
    fetching.parse_web_url(url, field=FIELD)


def fetched(url: str, *, operator: str) -> Iterator[tuple[str, bytes]]:
    """The texts at an address, each with what it is called. `operator` is the key of one here whose accounts are asked
    for one by one where the account server gives no pack.

    Raises: AddressRefused, FetchFailed.
    """
    parsed = fetching.parse_web_url(url, field=FIELD)
    base = parsed.target.partition("?")[0].rstrip("/")
    if not base.endswith(("/jwt/v1", "/jwt/v1/accounts")):
        yield url, _fetch(parsed, fetching.LARGEST).encode()
        return
    yield from _pulled(url, replace(parsed, target=base.removesuffix("/accounts")), operator)


def _pulled(url: str, base: fetching.WebURL, operator: str) -> Iterator[tuple[str, bytes]]:
    """All that an account server has: its operator, and its accounts as a pack or one by one."""
    found = [text for text in [_tried(base, "/operator", fetching.LARGEST)] if text]
    packed = _tried(base, f"/pack?max={MOST_ACCOUNTS}", LARGEST_PACK)
    found += [packed] if packed.strip() else _one_by_one(base, operator)
    if not found:
        raise IdentityError(
            f"{base.authority} gave neither an operator nor accounts. Choose the operator whose accounts it has.",
            field=FIELD,
        )
    yield url, "\n".join(found).encode()


def _one_by_one(base: fetching.WebURL, operator: str) -> list[str]:
    keys = Account.objects.live().filter(operator__public_key=operator, operator__deleted_at=None)
    until, found = time.monotonic() + MOST_SECONDS, []
    for key in keys.order_by("name").values_list("public_key", flat=True):
        if time.monotonic() > until:
            break
        found.append(_tried(base, f"/accounts/{key}", fetching.LARGEST))
    return [text for text in found if text]


def _tried(base: fetching.WebURL, path: str, largest: int) -> str:
    """The text there, "" when the server has none."""
    try:
        return _fetch(replace(base, target=base.target + path), largest)
    except fetching.NotThere:
        return ""


def _fetch(url: fetching.WebURL, largest: int) -> str:
    loopback = settings.NSCWEB_ALLOW_LOOPBACK_SERVERS
    return fetching.fetch(url, allow_loopback=loopback, field=FIELD, largest=largest)
