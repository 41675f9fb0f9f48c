"""Walks every page that an administrator reaches by links, a few of each kind."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urljoin, urlsplit

from django.urls import Resolver404, resolve
from playwright.sync_api import Page

from tests.conftest import FULL

MOST_OF_A_KIND = 3 if FULL else 1
NO_PAGES = {
    "account_logout", "user-creds", "operator-jwt", "account-jwt", "user-jwt", "operator-config-download",
    "activation-jwt", "installation-default-operator", "importing-start", "importing-discard",
    "cluster-compare", "cluster-deliver", "cluster-adopt",
    "operator-config-helm", "operator-diagram-download", "user-secret", "activity-export",
    "webhook-switch", "webhook-test", "webhook-again",
    "operator-manifest-download",
    "handed-out-export", "openapi", "token-revoke",
    "user-link-revoke",
    "handover-mine",
    "operator-pushes-open", "operator-pushes-close", "operator-offer-decline",
    "operator-unsigned-claims", "operator-unsigned-discard", "account-unsigned-claims", "account-unsigned-discard",
    "account-unsigned-self-signed", "cluster-test", "account-creds",
    "lockout-again",
    "sign-on", "sign-on-back", "my-sign-on-link", "my-sign-on-unlink",
    "join-with", "invitation-revoke", "confirm-sign-on",
    "operator-four-eyes", "proposal-approve", "proposal-decline", "proposal-withdraw", "proposal-comment",
    "proposal-again",
    "activation-request-grant", "activation-request-decline", "activation-request-withdraw", "activation-request-jwt",
    "second-factor-app-qr", "second-factor-app-key", "second-factor-remove", "session-end",
    "account-delivery-now", "account-removal-ask",
}  # fmt: skip
"""Routes that are posted to, or that answer with a file."""
SEED = re.compile(r"(?<![A-Z2-7])S[OAUNCX][A-Z2-7]{51,}")
"""A seed has 58 letters; a `jti` has 52 and may begin like one."""
_LINKS = """() => [...document.querySelectorAll("a[href]:not([download]), [hx-get]")]
    .map(each => each.getAttribute("href") ?? each.getAttribute("hx-get"))"""


def sign_in(page: Page, username: str, password: str) -> None:
    """By the sign-in page."""
    page.goto("/")
    page.get_by_label("Username").fill(username)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url("/")


def kind(url: str) -> str | None:
    """The route of an address with the names of its query; None for what is no page."""
    parts = urlsplit(url)
    try:
        name = resolve(parts.path).url_name
    except Resolver404:
        return None
    if name is None or "account-server" in name or name in NO_PAGES:
        return None
    return f"{name} {' '.join(sorted(parse_qs(parts.query)))}".strip()


def every_page(page: Page, base: str, *starts: str, most: int = MOST_OF_A_KIND) -> Iterator[str]:
    """Go from `starts` to each page, breadth first, to `most` of a kind; yields its kind while it stands open."""
    seen: Counter[str] = Counter()
    known, waiting = set(starts), list(starts)
    while waiting:
        address = waiting.pop(0)
        which = kind(address)
        if which is None or seen[which] >= most:
            continue
        seen[which] += 1
        answer = page.goto(address)
        assert answer is not None and answer.status == 200, f"{address}: {answer and answer.status}"
        yield which
        for link in page.evaluate(_LINKS):
            parts = urlsplit(urljoin(page.url, link))
            found = parts.path + (f"?{parts.query}" if parts.query else "")
            if f"{parts.scheme}://{parts.netloc}" == base and found not in known:
                known.add(found)
                waiting.append(found)


def shoot(page: Page, name: str) -> None:
    """Keep a picture where SHOTS names a directory."""
    if folder := os.environ.get("SHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        plain = re.sub(r"[^a-z0-9-]+", "_", name.lower())
        page.screenshot(path=Path(folder) / f"{plain}.png", full_page=True)
