"""Found or not found: what somebody may not see does not exist, on any page."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from identities import lookup
from identities.models import Account, Operator, User
from identities.policy.principal import Principal
from identities.queries import activity, dashboard, expirations, reach, search
from identities.services import accounts, operators, trust_chain, users
from tests import make

pytestmark = pytest.mark.django_db

HIDDEN = ("HiddenOperator", "HiddenAccount", "HiddenUser", "SecretSibling")


@pytest.fixture
def seen() -> User:
    """A user that everybody here may see, beside what not everybody may."""
    make.installation()
    hidden = make.account(make.operator("HiddenOperator"), "HiddenAccount", expires=4_000_000_000)
    make.user(hidden, "HiddenUser", expires=4_000_000_000)
    operator = make.operator("Open")
    make.user(make.account(operator, "SecretSibling"), "SecretSiblingUser")
    return make.user(make.account(operator, "OpenAccount"), "OpenUser")


def hidden_user() -> User:
    return User.objects.select_related("account__operator").get(name="HiddenUser")


def of_operator(user: User) -> Principal:
    return make.principal("viewer", operator=user.account.operator)


def of_account(user: User) -> Principal:
    return make.principal("viewer", account=user.account)


WHO = [of_operator, of_account]


def keys(user: User) -> tuple[str, str, str]:
    return user.account.operator.public_key, user.account.public_key, user.public_key


@pytest.mark.parametrize("who", WHO)
def test_what_the_grant_reaches_is_found_and_nothing_else(
    seen: User, who: Callable[[User], Principal]
) -> None:
    principal, other = who(seen), hidden_user()
    assert lookup.user(principal, *keys(seen)) == seen
    assert lookup.account(principal, *keys(seen)[:2]) == seen.account
    assert lookup.operator(principal, keys(seen)[0]) == seen.account.operator
    with pytest.raises(lookup.NotFound) as invisible:
        lookup.user(principal, *keys(other))
    with pytest.raises(lookup.NotFound) as missing:
        lookup.user(principal, *keys(other)[:2], "U" + "A" * 55)
    assert invisible.value.user_message.replace(other.public_key, "") == missing.value.user_message.replace(
        "U" + "A" * 55, ""
    )
    for find, arguments in ((lookup.account, keys(other)[:2]), (lookup.operator, keys(other)[:1])):
        with pytest.raises(lookup.NotFound):
            find(principal, *arguments)


def test_a_sibling_of_the_account_is_not_found(seen: User) -> None:
    sibling = Account.objects.get(name="SecretSibling")
    with pytest.raises(lookup.NotFound):
        lookup.account(of_account(seen), keys(seen)[0], sibling.public_key)
    assert lookup.account(of_operator(seen), keys(seen)[0], sibling.public_key) == sibling


def test_the_right_key_under_the_wrong_parent_is_not_found(seen: User) -> None:
    operator, account, user = keys(seen)
    other_operator, other_account, _ = keys(hidden_user())
    for path in ((other_operator, account, user), (operator, other_account, user)):
        with pytest.raises(lookup.NotFound):
            lookup.user(make.COMMAND, *path)


@pytest.mark.parametrize("level", ["user", "account", "operator"])
def test_what_is_deleted_is_not_found_nor_what_stood_below(seen: User, level: str) -> None:
    account, operator = seen.account, seen.account.operator
    if level == "user":
        users.delete(principal=make.COMMAND, user=seen, version=seen.version)
    elif level == "account":
        accounts.delete(principal=make.COMMAND, account=account, version=account.version)
    else:
        operator.refresh_from_db()
        operators.delete(principal=make.COMMAND, operator=operator, version=operator.version)
    with pytest.raises(lookup.NotFound):
        lookup.user(make.COMMAND, *keys(seen))
    browser = make.client("administrator")
    assert browser.get(reverse("user", args=keys(seen))).status_code == 404


@pytest.mark.parametrize("who", WHO)
def test_no_query_tells_of_what_the_grant_does_not_reach(
    seen: User, who: Callable[[User], Principal]
) -> None:
    principal = who(seen)
    visible = tuple(Operator.objects.visible_to(principal).live())
    assert [operator.name for operator in visible] == ["Open"]
    found = dashboard.dashboard(principal, now=3_999_999_000, with_activity=True)
    told = [
        str(found),
        str(search.users(principal, "", visible, inside=True)),
        str(search.accounts(principal, "", None)),
        str(search.subjects(principal, "")),
        str([search.keys(principal, (key[:20], "")) for key in keys(hidden_user())]),
        str(trust_chain.names(principal, keys(hidden_user()))),
        str(expirations.soonest(principal, expirations.Window(never=True), operators=visible, size=500)),
        str([event.summary for event in reach.audit_events(principal)]),
        str([event.summary for event in activity.events(principal, activity.Wanted())]),
    ]
    hidden = HIDDEN if who is of_account else HIDDEN[:3]
    assert not [(name, text[:300]) for name in hidden for text in told if name in text]


@pytest.mark.parametrize("who", ["operator", "account"])
def test_no_page_tells_of_what_the_grant_does_not_reach(seen: User, who: str) -> None:
    scope = {"operator": seen.account.operator} if who == "operator" else {"account": seen.account}
    browser = make.client("viewer", **scope)
    stranger = make.person("administrator", username="stranger-to-this-operator")
    hidden = HIDDEN if who == "account" else HIDDEN[:3]
    operator, account, user = keys(seen)
    other = hidden_user()
    urls = [
        *(
            reverse(name)
            for name in ("dashboard", "operators", "expirations", "activity", "search", "inspector")
        ),
        *(f"{reverse('search')}?q={text}" for text in ("Hidden", "Secret", *keys(other))),
        *(f"{reverse('activity')}?object={text}" for text in ("Hidden", *keys(other))),
        f"{reverse('search')}?q=a.b&look=publish",
        f"{reverse('expirations')}?within=all",
        *(reverse(name, args=[operator]) for name in ("operator", "operator-history", "accounts")),
        *(reverse(name, args=[operator, account]) for name in ("account", "account-history", "users")),
        *(reverse(name, args=[operator, account, user]) for name in ("user", "user-history", "user-context")),
    ]
    leaks = [(url, name) for url in urls for name in (*hidden, str(stranger)) if tells(browser, url, name)]
    assert leaks == []


def tells(browser: Client, url: str, name: str) -> bool:
    answer = browser.get(url)
    assert answer.status_code in (200, 403), url
    asked = url.partition("=")[2]
    return name in answer.content.decode().replace(f'value="{asked}"', "")
