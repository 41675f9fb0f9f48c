"""No page shows a link that its reader may not open: from the first page on, as each role."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urldefrag, urljoin, urlsplit

import pytest
from django.test import Client
from django.urls import Resolver404, resolve, reverse

from identities.claims.permissions import Permission, Permissions
from identities.models import Account, Delivery, Key, Operator, Person
from identities.policy.principal import Role
from identities.policy.routes import ROUTES, Access
from identities.services import account_settings
from tests import make
from tests.house import realms
from tests.house.realms import Realm

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

MOST_OF_A_KIND = 2
"""How many links from pages of one kind to pages of one kind are followed."""
MOST_PAGES = 600
LEAVING = {"account_logout", "account_login"}


class _Links(HTMLParser):
    """Every address that a page asks for or leads to."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        held = {name: value or "" for name, value in attrs}
        if tag == "a" and "href" in held:
            self.found.append(held["href"])
        if "hx-get" in held:
            self.found.append(held["hx-get"])


def links(url: str, html: str) -> Iterator[str]:
    reader = _Links()
    reader.feed(html)
    for link in reader.found:
        yield urldefrag(urljoin(url, link)).url


def kind_of(url: str) -> str:
    """The route of an address, "" for what is no page of ours."""
    parts = urlsplit(url)
    if parts.netloc:
        return ""
    try:
        name = resolve(parts.path).url_name or ""
    except Resolver404:
        return "nowhere"
    return "" if name in LEAVING or ROUTES[name].access is not Access.SESSION else name


def dead_ends(client: Client) -> tuple[int, list[str]]:
    """How many pages were opened from the first one on, and which links to them were answered with a refusal."""
    start = reverse("dashboard")
    waiting, known = deque([("", start)]), {start}
    followed: Counter[tuple[str, str]] = Counter()
    opened, refused = 0, []
    while waiting and opened < MOST_PAGES:
        came_from, url = waiting.popleft()
        answer = client.get(url)
        opened += 1
        if answer.status_code in (403, 404):
            refused.append(f"{came_from} → {url}: {answer.status_code}")
        if answer.status_code not in (200, 302) or answer.streaming:
            continue
        here = kind_of(url)
        moved = [answer["Location"]] if answer.status_code == 302 else []
        for link in [*moved, *links(url, answer.content.decode())]:
            there = kind_of(link)
            if there and link not in known and followed[here, there] < MOST_OF_A_KIND:
                followed[here, there] += 1
                known.add(link)
                waiting.append((url, link))
    return opened, refused


def realm() -> tuple[Realm, Realm]:
    """An account with everything, and another one under the same operator that shares with it."""
    operator = realms.operator("wombat")
    other = realms.key()
    mine = realms.reached(realms.realm("wombat", operator, other=other, takes="shared.a", offers="shared.b"))
    realms.of_operator(mine)
    beside = realms.realm(
        "numbat",
        Operator.objects.get(pk=operator.pk),
        public_key=other,
        other=mine.account.public_key,
        takes="shared.b",
        offers="shared.a",
    )
    account = account_settings.update_default_permissions(
        principal=make.COMMAND,
        account=(held := Account.objects.get(pk=mine.account.pk)),
        permissions=Permissions(pub=Permission(allow=("*",), deny=("dead.>",))),
        version=held.version,
    )
    Delivery.objects.filter(account_key=account.public_key).update(state="held", found=account.token.text)
    make.proposal(account)
    make.staff(account=mine.account)
    make.webhook(operator)
    make.workload_rule(Key.objects.get(public_key=mine.role))
    make.operator("quokka")
    return mine, beside


def somebody(role: Role, scope: str, held: Realm) -> Person:
    if scope == "role":
        person = make.person(None)
        make.issuer(person, Key.objects.get(public_key=held.role))
        return person
    place = {"operator": {"operator": held.operator}, "account": {"account": held.account}}.get(scope, {})
    return make.person(role, **place)


@pytest.mark.parametrize(
    ("role", "scope"),
    [
        (Role.ADMINISTRATOR, "installation"),
        (Role.AUDITOR, "installation"),
        (Role.VIEWER, "installation"),
        (Role.ADMINISTRATOR, "operator"),
        (Role.AUDITOR, "operator"),
        (Role.VIEWER, "operator"),
        (Role.ADMINISTRATOR, "account"),
        (Role.USER_MANAGER, "account"),
        (Role.VIEWER, "account"),
        (Role.ISSUER, "role"),
    ],
)
def test_no_link_is_shown_that_its_reader_may_not_open(role: Role, scope: str) -> None:
    make.installation()
    mine, _ = realm()
    client = Client()
    client.force_login(somebody(role, scope, mine))
    session = client.session
    session["proved_at"] = int(time.time())  # who is there was asked just now
    session.save()
    opened, refused = dead_ends(client)
    assert opened > 8
    assert not refused, "\n".join(refused)
