"""A form that is sent back as it was shown signs nothing: every edit form of every golden object, whoever wrote it.

The forms are found by themselves: what the permission table says stands under an object, and what its pages link to.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
from django.urls import Resolver404, get_resolver, resolve, reverse

from identities.models import Account, IssuedToken, Operator, User
from identities.policy.routes import ROUTES, Access
from tests import goldens, make
from tests.conftest import FULL
from tests.fidelity import rows, tokens
from tests.fidelity.tokens import Token
from tests.pages import Form, Page, Visitor

pytestmark = pytest.mark.django_db

Row = Operator | Account | User
NOT_FILLED_IN = {"version", "csrfmiddlewaretoken", "signed_by"}
MAKES = re.compile(r"-(create|new|add|generate)$")
"""Routes whose form makes something: empty as it is shown, it may well be what somebody wants."""
ACTS: dict[str, str] = {
    "export-revoke": "asks whose activation is revoked",
    "import-renew": "gets a new activation token",
    "operator-key-remove": "takes a key away, for which there is nothing to fill in but a tick",
    "revocation-clear": "lets creds work again, for which there is nothing to fill in",
    "operator-roll-back": "brings an earlier version back, for which there is nothing to fill in",
    "account-roll-back": "likewise",
    "user-roll-back": "likewise",
    "role-preset": "asks what a preset is about",
    "user-preset": "asks what a preset is about",
    "user-allow": "asks for the task that is allowed",
    "user-disconnect": "ends connections, for which there is nothing to fill in",
    "user-move": "asks for the key that the user is moved to",
    "user-rotate": "gives a new key",
}
"""Other routes whose form does something by being sent as it is shown, and what."""
EVERY = 1 if FULL else 12
"""Every how many-th token is tried in the reduced run, beside the stores and the specification's vectors."""


def nested(name: str) -> tuple[str, ...]:
    """The arguments of a route."""
    found = get_resolver().reverse_dict.getlist(name)
    return tuple(found[0][0][0][1]) if found else ()


ARGUMENTS = {
    Operator: ("operator_key",),
    Account: ("operator_key", "account_key"),
    User: ("operator_key", "account_key", "user_key"),
}
PAGES = {
    kind: [
        name for name, route in ROUTES.items() if route.access is Access.SESSION and nested(name) == arguments
    ]
    for kind, arguments in ARGUMENTS.items()
}
"""The routes right under each kind of object."""


def keys_of(row: Row) -> list[str]:
    if isinstance(row, Operator):
        return [row.public_key]
    if isinstance(row, Account):
        return [row.operator.public_key, row.public_key]
    return [row.account.operator.public_key, row.account.public_key, row.public_key]


def home(row: Row) -> str:
    name = {Operator: "operator", Account: "account", User: "user"}[type(row)]
    return reverse(name, args=keys_of(row))


def pages_of(visitor: Visitor, row: Row) -> Iterator[tuple[str, Page]]:
    """Every page of the object: those of the table, then those that they link to below it."""
    seen: set[str] = set()
    waiting = [reverse(name, args=keys_of(row)) for name in PAGES[type(row)]]
    while waiting:
        address = waiting.pop(0)
        name = route_of(address)
        if address in seen or name is None:
            continue
        seen.add(address)
        page = visitor.open(address)
        if page.status != 200 or page.response.get("Content-Disposition"):
            continue
        yield name, page
        links = (urlsplit(urljoin(address, link)).path for _, link in page.links)
        waiting += [path for path in links if belongs(path, row)]


def belongs(path: str, row: Row) -> bool:
    """Whether an address is of the object itself: an entry of a list in its claims, not an object below it."""
    name = route_of(path)
    here = path.startswith(home(row)) and name is not None
    return here and not {"account_key", "user_key"}.difference(ARGUMENTS[type(row)]) & set(nested(str(name)))


def route_of(path: str) -> str | None:
    try:
        return resolve(path).url_name
    except Resolver404:
        return None


def edit_forms(name: str, page: Page) -> list[Form]:
    """The forms of a page that somebody fills in, over what is there."""
    if MAKES.search(name) or name in ACTS:
        return []
    return [
        form
        for form in page.forms
        if form.method == "post" and "version" in form.names and form.names - NOT_FILLED_IN
    ]


def check(visitor: Visitor, row: Row) -> set[str]:
    """Send back every edit form of `row`; the routes that had one."""
    row.refresh_from_db()
    before = (row.version, row.claims, row.token_id, IssuedToken.objects.count())
    found = set()
    for name, page in pages_of(visitor, row):
        for form in edit_forms(name, page):
            answer = visitor.client.post(urljoin(page.url, form.action), form.values)
            waits = "confirm" in form.names or form.values.get("signed_by") == [""]
            wanted = 422 if waits else 302
            assert answer.status_code == wanted, (name, problems(answer))
            row.refresh_from_db()
            assert (row.version, row.claims, row.token_id, IssuedToken.objects.count()) == before, name
            found.add(name)
    return found


def problems(answer: Any) -> Any:
    form = (answer.context or {}).get("form")
    return dict(form.errors) if form is not None else answer.status_code


KNOWN = {
    Operator: {"operator-edit", "operator-delete"},
    Account: {"account-edit", "account-limits", "account-delete"},
    User: {"user-edit", "user-delete"},
}
"""Some that must be found, lest a change of the pages hides them all."""


@pytest.fixture
def visitor(db: None) -> Visitor:
    return Visitor(make.client())


@pytest.mark.parametrize("path", goldens.ENVIRONMENTS)
def test_of_a_store_of_nsc(visitor: Visitor, path: str) -> None:
    operator, accounts, users = goldens.adopt(goldens.store(path, goldens.ENVIRONMENTS[path]))
    for row in (operator, *accounts.values(), *list(users.values())[:: 1 if FULL else 5]):
        assert check(visitor, row) >= KNOWN[type(row)]


SOME = [
    token
    for number, token in enumerate((*tokens.tokens(), *tokens.sprinkled()))
    if number % EVERY == 0 or "vectors" in token.name
]


@pytest.mark.parametrize("token", SOME, ids=str)
def test_of_any_golden_token(visitor: Visitor, token: Token) -> None:
    row, _ = rows.adopted(token)
    assert check(visitor, row) >= KNOWN[type(row)]


def test_whatever_is_left_out_is_a_route() -> None:
    assert set(ACTS) <= set(ROUTES)
    assert all(ACTS.values())
