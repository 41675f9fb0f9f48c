"""The pages of a reissue: the plan before anything is signed, the run, how far the worker is, and old addresses."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from identities.models import Account, IssuedToken, Key, Operator, User
from identities.nkeys import KeyKind, KeyPair
from identities.policy.principal import Role
from identities.services import clock, keys, reissuing, resigning_accounts
from tests import make
from tests.pages import Page, Visitor
from tests.reissued import with_key

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(db: None) -> Client:
    return make.client()


@pytest.fixture
def operator(db: None) -> Operator:
    return make.operator("Op")


@pytest.fixture
def account(operator: Operator) -> Account:
    account = make.account(operator, "App")
    make.user(account, "ann")
    return Account.objects.get(pk=account.pk)


def url(row: Operator | Account, name: str, *more: Any) -> str:
    own = [row.public_key] if isinstance(row, Operator) else [row.operator.public_key, row.public_key]
    return reverse(name, args=[*own, *more])


def opened(browser: Client, row: Operator | Account, name: str) -> Page:
    page = Visitor(browser).open(url(row, name))
    assert page.status == 200, page.text
    return page


def test_the_plan_is_shown_and_nothing_signed_until_the_name_is_typed(
    admin: Client, account: Account
) -> None:
    signed = IssuedToken.objects.count()
    page = opened(admin, account, "account-reissue")
    for words in (
        "Signed anew, with the rights that they have: 1 user",
        "Every creds file handed out: 1 user",
        "What does not move by itself",
    ):
        assert words in page.text
    refused = Visitor(admin).send(page, confirm="Wrong")
    assert refused.status == 422
    assert IssuedToken.objects.count() == signed
    done = Visitor(admin).send(page, confirm="App")
    account.refresh_from_db()
    assert "Reissued account “App”" in done.text
    assert done.url.startswith(url(account, "account"))
    assert account.issuer in done.html


def test_the_plan_follows_the_key_that_is_typed(admin: Client, account: Account) -> None:
    page = opened(admin, account, "account-reissue")
    given = KeyPair.create(KeyKind.ACCOUNT).public.text
    shown = Visitor(admin).send(page, public_key=given, preview="1")
    assert shown.status == 200
    assert "This can't be done as it stands" in shown.text
    assert "Add a signing key first" in shown.text
    assert given in shown.html
    assert "Type “App”" in shown.text
    wrong = Visitor(admin).send(page, public_key=account.users.get().public_key, preview="1")
    assert "is a key of kind user" in wrong.text
    refused = Visitor(admin).send(page, public_key=given, confirm="App")
    assert refused.status == 422
    assert "Add a signing key first" in refused.text


def test_a_seed_that_is_typed_as_the_next_key_is_not_repeated(admin: Client, account: Account) -> None:
    seed = KeyPair.create(KeyKind.ACCOUNT).seed().reveal().decode()
    page = opened(admin, account, "account-reissue")
    for more in ({"preview": "1"}, {"confirm": "App"}):
        answer = Visitor(admin).send(page, public_key=seed, **more)
        assert seed not in answer.html


def test_htmx_gets_the_plan_anew(admin: Client, account: Account) -> None:
    answer = admin.post(
        url(account, "account-reissue"),
        {"preview": "1", "version": account.version},
        headers={"HX-Request": "true"},
    )
    text = answer.content.decode()
    assert answer.status_code == 200
    assert text.lstrip().startswith("<section")
    assert 'class="form-preview"' in text
    assert "Signed anew" in text


def test_an_operator_is_reissued_with_its_old_key_kept_as_a_signing_key(
    admin: Client, operator: Operator
) -> None:
    page = opened(admin, operator, "operator-reissue")
    shown = Visitor(admin).send(page, convert=True, preview="1")
    assert "Its present key stays, as a signing key" in shown.text
    done = Visitor(admin).send(shown, confirm="Op")
    assert "Reissued operator “Op”" in done.text
    old = operator.public_key
    operator.refresh_from_db()
    assert old != operator.public_key
    assert done.url.startswith(url(operator, "operator"))
    config = opened(admin, operator, "operator-config")
    assert "This operator was reissued under a new key" in config.text
    both = Visitor(admin).open(config.link("configuration that trusts both keys"))
    assert "operator: [" in both.text
    file = admin.get(Visitor(admin).open(both.url).link("/config/download")).content.decode()
    assert file.count("operator: [") == 1


def test_the_configuration_of_an_operator_that_was_never_reissued_does_not_speak_of_it(
    admin: Client, operator: Operator
) -> None:
    page = opened(admin, operator, "operator-config")
    assert "reissued" not in page.text
    assert "also_trusted" not in page.html


def test_a_spare_key_can_be_chosen(admin: Client, operator: Operator) -> None:
    spare = keys.generate(principal=make.COMMAND, operator=operator, kind=KeyKind.OPERATOR)
    page = opened(admin, operator, "operator-reissue")
    Visitor(admin).send(page, public_key=spare.public_key, confirm="Op")
    operator.refresh_from_db()
    assert operator.public_key == spare.public_key


def test_old_addresses_lead_to_the_new_page(admin: Client, account: Account) -> None:
    user = account.users.get()
    old = [account.operator.public_key, account.public_key, user.public_key]
    Visitor(admin).send(opened(admin, account, "account-reissue"), confirm="App")
    Visitor(admin).send(opened(admin, account.operator, "operator-reissue"), confirm="Op")
    account = Account.objects.get(pk=account.pk)
    now = [account.operator.public_key, account.public_key, user.public_key]
    assert set(old) & set(now) == {user.public_key}
    for name, length in (("operator", 1), ("account", 2), ("users", 2), ("user", 3), ("user-history", 3)):
        answer = admin.get(reverse(name, args=old[:length]) + "?q=1")
        assert answer.status_code == 302
        assert answer["Location"] == reverse(name, args=now[:length]) + "?q=1"
    assert admin.post(reverse("account-delete", args=old[:2])).status_code == 404
    assert (
        make.client(Role.VIEWER, operator=make.operator()).get(reverse("operator", args=old[:1])).status_code
        == 404
    )


def test_history_goes_on_over_a_reissue(admin: Client, account: Account) -> None:
    old = account.public_key
    Visitor(admin).send(opened(admin, account, "account-reissue"), confirm="App")
    account.refresh_from_db()
    page = opened(admin, account, "account-history")
    assert "Reissued account" in page.text
    assert "Created account" in page.text
    assert f"sub {old} {account.public_key}" in page.text


def test_many_users_are_signed_by_the_worker_and_the_page_says_how_far(
    admin: Client, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reissuing, "AT_ONCE", 0)
    page = Visitor(admin).send(opened(admin, account, "account-reissue"), confirm="App")
    assert "Waiting for a worker" in page.text
    part = admin.get(page.url, headers={"HX-Request": "true"}).content.decode()
    assert part.lstrip().startswith("<section")
    call_command("worker", "--once")
    over = Visitor(admin).open(page.url)
    assert "Signed anew: 1 user." in over.text
    account.refresh_from_db()
    assert account.users.get().issuer == account.public_key
    assert Visitor(admin).open(over.link("On to App, and how servers learn of it")).status == 200
    other = make.account(account.operator)
    number = page.url.rstrip("/").rpartition("/")[2]
    assert admin.get(url(other, "account-reissue-progress", int(number))).status_code == 404


def test_many_accounts_are_signed_by_the_worker(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resigning_accounts, "CHUNK", 0)
    bare = make.operator("Bare", generate_signing_key=False)
    page = Visitor(admin).send(opened(admin, bare, "operator-reissue"), confirm="Bare")
    assert "Waiting for a worker" in page.text
    monkeypatch.setattr(resigning_accounts, "CHUNK", 50)
    call_command("worker", "--once")
    assert "Signed anew: 1 account." in Visitor(admin).open(page.url).text


def test_users_are_signed_anew_by_another_key(admin: Client, account: Account) -> None:
    key = with_key(account)
    page = opened(admin, account, "account-sign-anew")
    done = Visitor(admin).send(page, source=account.public_key, target=key.public_key)
    assert "Signed 1 user of “App” anew." in done.text
    assert "changed=1" not in done.url
    assert account.users.get().issuer == key.public_key
    again = opened(admin, account, "account-sign-anew")
    shown = Visitor(admin).send(again, source=key.public_key, target=key.public_key, preview="1")
    assert "That key signed them already" in shown.text


def test_accounts_are_signed_anew_by_another_key(admin: Client, operator: Operator, account: Account) -> None:
    page = opened(admin, operator, "operator-sign-anew")
    assert "2 accounts" in page.text
    done = Visitor(admin).send(page, source=account.issuer, target=operator.public_key)
    assert "Signed 2 accounts of “Op” anew." in done.text
    assert "Signed. Now tell the servers" not in done.text
    account.refresh_from_db()
    assert account.issuer == operator.public_key


def test_who_was_left_and_why_is_said(admin: Client, operator: Operator, account: Account) -> None:
    page = opened(admin, operator, "operator-sign-anew")
    ahead = clock.unix() + 1000
    Account.objects.filter(pk=account.pk).update(last_iat=ahead)
    sent = {"source": account.issuer, "target": operator.public_key}
    done = Visitor(admin).send(page, **sent)
    assert "Signed 1 account of “Op” anew." in done.text
    assert "Left as they were: 1. “App”. Signed too often within seconds" in done.text
    refused = Visitor(admin).send(page, **sent)
    assert refused.status == 422
    assert "Nothing was signed. Signed too often within seconds" in refused.text


def test_the_worker_too_says_why_it_left_some(
    admin: Client, operator: Operator, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = opened(admin, operator, "operator-sign-anew")
    Account.objects.filter(pk=account.pk).update(last_iat=clock.unix() + 1000)
    monkeypatch.setattr(resigning_accounts, "CHUNK", 1)
    done = Visitor(admin).send(page, source=account.issuer, target=operator.public_key)
    assert "The worker signs accounts of “Op” anew." in done.text
    call_command("worker", "--once")
    over = Visitor(admin).open(done.url)
    assert "Left as they were: 1. “App”. Signed too often within seconds" in over.text
    assert "how servers learn of it" not in over.text


def test_where_nothing_can_be_signed_anew_the_page_says_so(admin: Client, operator: Operator) -> None:
    empty = make.account(operator, "Empty")
    assert "Nothing was signed yet" in opened(admin, empty, "account-sign-anew").text
    answer = admin.post(url(empty, "account-sign-anew"), {"source": "x", "target": "y"})
    assert answer.status_code == 422


def test_a_stale_page_changes_nothing(admin: Client, account: Account) -> None:
    page = opened(admin, account, "account-reissue")
    Account.objects.filter(pk=account.pk).update(version=account.version + 1, updated_by="bob")
    answer = Visitor(admin).send(page, confirm="App")
    assert answer.status == 409
    assert Account.objects.get(pk=account.pk).public_key == account.public_key


@pytest.mark.parametrize("name", ["account-reissue", "account-sign-anew"])
def test_viewers_are_refused_and_see_no_way_to_it(account: Account, name: str) -> None:
    viewer = make.client(Role.VIEWER)
    assert viewer.get(url(account, name)).status_code == 403
    for page in (url(account, "account"), url(account.operator, "operator")):
        text = viewer.get(page).content.decode()
        assert "reissue" not in text
        assert "sign-anew" not in text


def test_an_accounts_administrator_signs_its_users_anew_and_reissues_nothing(account: Account) -> None:
    narrow = make.client(Role.ADMINISTRATOR, account=account)
    assert narrow.get(url(account, "account-sign-anew")).status_code == 200
    assert narrow.get(url(account, "account-reissue")).status_code == 403
    text = narrow.get(url(account, "account")).content.decode()
    assert "/sign-anew" in text
    assert "/reissue" not in text


def test_more_users_take_no_more_queries_to_plan(admin: Client, account: Account) -> None:
    opened(admin, account, "account-reissue")
    counts = []
    for round_ in range(2):
        with CaptureQueriesContext(connection) as asked:
            opened(admin, account, "account-reissue")
        counts.append(len(asked))
        make.many_users(account, [f"u{round_}{number}" for number in range(20)])
    assert counts[0] == counts[1], counts
    assert User.objects.filter(account=account).count() == 41
    assert Key.objects.filter(account=account, user=None).count() == 1


def test_a_search_for_the_old_key_finds_what_has_another_one_now(admin: Client, account: Account) -> None:
    old = account.public_key
    Visitor(admin).send(opened(admin, account, "account-reissue"), confirm="App")
    account.refresh_from_db()
    page = Visitor(admin).open(reverse("search"), {"q": old})
    assert "former key" in page.text
    assert page.link("App") == url(account, "account")


def test_who_sees_one_operator_still_sees_what_was_done_before_its_reissue(
    admin: Client, operator: Operator, account: Account
) -> None:
    narrow = make.client(Role.VIEWER, operator=operator)
    assert "Created account “App”" in Visitor(narrow).open(reverse("activity")).text
    Visitor(admin).send(opened(admin, operator, "operator-reissue"), confirm="Op")
    assert "Created account “App”" in Visitor(narrow).open(reverse("activity")).text
