"""What somebody may not see does not exist: no page tells that it is there, what it is called or how many there are."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from urllib.parse import urldefrag, urljoin, urlsplit

import pytest
from django.test import Client
from django.urls import Resolver404, resolve, reverse

from identities.models import Operator
from identities.policy.principal import Role
from identities.policy.routes import ROUTES, Access
from identities.services import clock
from tests import make
from tests.house import realms
from tests.house.realms import Realm
from tests.pages import Visitor

pytestmark = pytest.mark.django_db

MINE, THEIRS, BELOW = "wombat", "quokka", "numbat"
"""Every name of what is mine, of another operator's, and of another account under my operator."""
MOST_OF_A_KIND = 1
NOT_COMPARED = {"account_logout", "account_change_password"}
_CHANGES = re.compile(
    r'name="csrfmiddlewaretoken" value="[^"]*"|"X-CSRFToken": "[^"]*"|<time [^>]*>.*?</time>|title="[^"]*UTC"'
    r'|data-options="[^"]*"',  # a challenge for a passkey
    re.DOTALL,
)
"""What differs from one answer to the next whoever asks: form tokens, and how long ago something was."""

SEARCHES = (
    THEIRS,
    BELOW,
    f"{THEIRS}-account",
    f"{BELOW}.orders",
    f"subject:{BELOW}.>",
    "shared.>",
    "shared.a",
    "-account",
    "-user",
)


@pytest.fixture
def frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock stands still: what is a minute old stays so."""
    now, moment = clock.unix(), clock.now()
    monkeypatch.setattr(clock, "unix", lambda: now)
    monkeypatch.setattr(clock, "now", lambda: moment)


def pages(client: Client, held: Realm) -> dict[str, str]:
    """Every page of `held` and every page that links lead to from there, some of each kind, by address."""
    visitor = Visitor(client)
    starts = [url for name in sorted(looked_at()) if (url := held.url(name)) is not None]
    texts = (*SEARCHES, MINE, held.operator.public_key, held.account.public_key)
    starts += [f"{reverse('search')}?q={text}" for text in texts]
    starts += [f"{reverse('activity')}?object={text}" for text in texts]
    here = (held.operator.public_key, held.account.public_key)
    starts += [
        f"{reverse('who-can', args=here)}?deed={deed}&subject=shared.a" for deed in ("publish", "subscribe")
    ]
    starts += [f"{reverse('imports-available', args=here)}?q={word}" for word in ("", THEIRS, BELOW)]
    seen: Counter[str] = Counter()
    found: dict[str, str] = {}
    waiting = list(dict.fromkeys(starts))
    known = set(waiting)
    while waiting:
        url = waiting.pop(0)
        kind = kind_of(url)
        if kind is None or (seen[kind] >= MOST_OF_A_KIND and url not in starts):
            continue
        seen[kind] += 1
        page = visitor.open(url)
        found[url] = plain(page.status, page.html)
        new = {urldefrag(urljoin(page.url, link)).url for _, link in page.links} - known
        known |= new
        waiting += sorted(new)
    return found


def plain(status: int, html: str) -> str:
    return f"{status} " + _CHANGES.sub("", html)


def looked_at() -> set[str]:
    return {name for name, row in ROUTES.items() if row.access is Access.SESSION} - NOT_COMPARED


def kind_of(url: str) -> str | None:
    parts = urlsplit(url)
    try:
        name = resolve(parts.path).url_name
    except Resolver404:
        return None
    if name not in looked_at():
        return None
    return f"{name} {'?' if parts.query else ''}"


def again(client: Client, addresses: dict[str, str]) -> Iterator[tuple[str, str, str]]:
    """Every page again, with what it was before."""
    visitor = Visitor(client)
    for url, before in addresses.items():
        page = visitor.open(url)
        yield url, before, plain(page.status, page.html)


def difference(before: str, after: str) -> list[str]:
    """The lines that are new."""
    held = set(before.splitlines())
    return [line.strip()[:300] for line in after.splitlines() if line not in held][:8]


class Cast:
    """Somebody with a role on what is mine, and what others make meanwhile."""

    def __init__(self, role: Role, *, of: str) -> None:
        make.installation()
        operator = realms.operator(MINE)
        self.other_key = realms.key()
        self.mine = realms.reached(
            realms.realm(MINE, operator, other=self.other_key, takes="shared.a", offers="shared.b")
        )
        realms.of_operator(self.mine)
        self.role, self.of = role, of
        self.client = Client()
        if of == "operator":
            self.client.force_login(make.person(role, username="me", operator=operator))
        else:
            self.client.force_login(make.person(role, username="me", account=self.mine.account))

    def others_come(self) -> None:
        """Another operator with everything; beside my account another one, which takes from mine and gives to it."""
        theirs = realms.operator(THEIRS)
        made = realms.reached(
            realms.realm(
                THEIRS, theirs, other=self.mine.account.public_key, takes="shared.b", offers="shared.a"
            )
        )
        realms.of_operator(made)
        make.person(Role.ADMINISTRATOR, username=f"{THEIRS}-person", operator=theirs)
        if self.of == "account":
            beside = realms.realm(
                BELOW,
                Operator.objects.get(pk=self.mine.operator.pk),
                public_key=self.other_key,
                other=self.mine.account.public_key,
                takes="shared.b",
                offers="shared.a",
            )
            assert self.mine.cluster is not None and self.mine.server is not None
            realms.told(beside, self.mine.cluster, self.mine.server)
            make.person(Role.ADMINISTRATOR, username=f"{BELOW}-person", account=beside.account)


@pytest.mark.parametrize("of", ["account", "operator"])
@pytest.mark.parametrize("role", [Role.ADMINISTRATOR, Role.VIEWER])
def test_nothing_that_others_make_changes_a_page_of_mine(frozen: None, role: Role, of: str) -> None:
    cast = Cast(role, of=of)
    first = pages(cast.client, cast.mine)
    assert len(first) > 60
    cast.others_come()
    told: dict[str, list[str]] = {}
    for url, before, after in again(cast.client, first):
        if before != after:
            told[url] = difference(before, after)
    assert not told, "\n".join(f"{url}\n    {lines}" for url, lines in told.items())
