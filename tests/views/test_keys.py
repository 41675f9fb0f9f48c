"""The pages of keys: the list and its filters, a seed that comes in, one that goes out, one that is erased."""

from __future__ import annotations

import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from identities.models import Account, AuditEvent, Key, Operator, SignInFailure, User
from identities.nkeys import KeyKind, KeyPair
from identities.policy.principal import Role
from identities.services import keys, people, users
from tests import make
from tests.pages import Page, Visitor

pytestmark = pytest.mark.django_db
SEED = re.compile(r"S[OAUX][A-Z2-7]{56}")


@pytest.fixture
def admin(db: None) -> Client:
    return make.client()


@pytest.fixture
def operator(db: None) -> Operator:
    return make.operator("Op")


@pytest.fixture
def own(operator: Operator) -> KeyPair:
    return KeyPair.create(KeyKind.USER)


@pytest.fixture
def user(operator: Operator, own: KeyPair) -> User:
    """A user whose seed is elsewhere."""
    return make.user(make.account(operator, "App"), "ann", public_key=own.public.text)


def url(operator: Operator, name: str = "keys", *more: str) -> str:
    return reverse(name, args=[operator.public_key, *more])


def listed(browser: Client, operator: Operator, **query: str) -> Page:
    page = Visitor(browser).open(url(operator), query)
    assert page.status == 200
    return page


def shown(page: Page, key: str) -> bool:
    return f'title="{key}"' in page.html


def test_every_key_under_the_operator_is_listed_with_its_holder(admin: Client, user: User) -> None:
    operator, account = user.operator, user.account
    page = listed(admin, operator)
    for key in Key.objects.filter(operator=operator):
        assert shown(page, key.public_key)
    assert ("App", f"/operators/{operator.public_key}/accounts/{account.public_key}/") in page.links
    assert page.link("ann").endswith(f"/users/{user.public_key}/")
    assert not SEED.search(page.html)


def test_filters_narrow_the_list(admin: Client, user: User) -> None:
    operator = user.operator
    spare = keys.generate(principal=make.COMMAND, operator=operator, kind=KeyKind.CURVE)
    users_only = listed(admin, operator, kind="user")
    assert shown(users_only, user.public_key)
    assert not shown(users_only, operator.public_key)
    missing = listed(admin, operator, seed="missing")
    assert [key.public_key for key in Key.objects.all() if shown(missing, key.public_key)] == [
        user.public_key
    ]
    assert not shown(listed(admin, operator, seed="here"), user.public_key)
    unused = listed(admin, operator, use="unreferenced")
    assert [key.public_key for key in Key.objects.all() if shown(unused, key.public_key)] == [
        spare.public_key
    ]
    assert not shown(listed(admin, operator, use="referenced"), spare.public_key)
    assert shown(listed(admin, operator, q="ANN"), user.public_key)
    assert shown(listed(admin, operator, q=user.public_key[10:20].lower()), user.public_key)
    assert not shown(listed(admin, operator, q=user.public_key[10:20]), operator.public_key)
    assert "Nothing matches" in listed(admin, operator, q="nobody").text


def test_a_filter_that_means_nothing_is_none(admin: Client, user: User) -> None:
    assert shown(listed(admin, user.operator, kind="x", seed="y", use="z", sort="w"), user.public_key)


def test_a_deleted_users_key_stays_in_the_list_without_a_page(admin: Client, user: User) -> None:
    users.delete(principal=make.COMMAND, user=user, version=user.version)
    page = listed(admin, user.operator, use="unreferenced")
    assert shown(page, user.public_key)
    assert "deleted" in page.text
    assert not [address for words, address in page.links if words == "ann"]


def test_pages_follow_each_other_both_ways(admin: Client, operator: Operator) -> None:
    make.many_users(make.account(operator), [f"u{number:03}" for number in range(60)])
    first = listed(admin, operator)
    second = Visitor(admin).open(first.link("Next"))
    seen = set(re.findall(r'title="([OAUX][A-Z2-7]{55})"', first.html + second.html))
    assert seen == set(Key.objects.filter(operator=operator).values_list("public_key", flat=True))
    newest = listed(admin, operator, sort="-created")
    last = Key.objects.filter(operator=operator).latest("pk")
    assert shown(newest, last.public_key)
    assert not shown(first, last.public_key)


def test_twice_the_keys_take_the_same_number_of_queries(admin: Client, operator: Operator) -> None:
    account = make.account(operator)
    make.many_users(account, [f"a{number}" for number in range(5)])
    counts = []
    for round_ in range(2):
        with CaptureQueriesContext(
            connection,
        ) as asked:
            listed(admin, operator, use="referenced", q="a")
        counts.append(len(asked))
        make.many_users(account, [f"b{round_}{number}" for number in range(30)])
    assert counts[0] == counts[1] <= 8, counts


def test_htmx_gets_the_table_alone(admin: Client, operator: Operator) -> None:
    answer = admin.get(url(operator), headers={"HX-Request": "true"})
    assert answer.content.decode().lstrip().startswith('<div id="key-list"')


def test_a_viewer_sees_keys_and_no_way_to_seeds(user: User) -> None:
    page = listed(make.client(Role.VIEWER), user.operator)
    assert shown(page, user.public_key)
    for words in ("Add seed", "Export", "Erase", "Generate a key"):
        assert words not in page.text


def test_an_accounts_viewer_sees_the_keys_of_that_account_alone(operator: Operator) -> None:
    mine, theirs = make.account(operator), make.account(operator)
    page = listed(make.client(Role.VIEWER, account=mine), operator)
    assert shown(page, mine.public_key)
    assert not shown(page, theirs.public_key)
    assert not shown(page, operator.public_key)


@pytest.mark.parametrize(
    "around", ["{}", "  {}\n", "-----BEGIN USER NKEY SEED-----\n{}\n------END USER NKEY SEED------\n"]
)
def test_a_pasted_seed_is_taken_in_and_not_shown_again(
    admin: Client, user: User, own: KeyPair, around: str
) -> None:
    visitor = Visitor(admin)
    seed = own.seed().reveal().decode()
    form = visitor.open(listed(admin, user.operator, seed="missing").link(f"/{user.public_key}/seed"))
    done = visitor.send(form, seed=around.format(seed))
    assert "Added the seed of user “ann”" in done.text
    assert seed not in done.html
    user.refresh_from_db()
    assert user.has_seed
    assert seed not in AuditEvent.objects.latest("seq").canonical


def test_a_seed_may_come_as_nscs_file(admin: Client, user: User, own: KeyPair) -> None:
    file = SimpleUploadedFile("x.nk", own.seed().reveal())
    answer = admin.post(url(user.operator, "key-seed", user.public_key), {"seed": "", "file": file})
    assert answer.status_code == 302
    assert Key.objects.get(public_key=user.public_key).sealed is not None


@pytest.mark.parametrize(
    ("typed", "said"),
    [("", "Paste the seed"), ("no seed", "There is no seed in this"), ("{other} {own}", "more than one seed"),
     ("{other}", "seed of another key"), ("{bad}", "a character is wrong")],
)  # fmt: skip
def test_what_is_not_the_seed_is_refused_and_never_shown(
    admin: Client, user: User, own: KeyPair, typed: str, said: str
) -> None:
    mine = own.seed().reveal().decode()
    other = KeyPair.create(KeyKind.USER).seed().reveal().decode()
    bad = mine[:20] + ("A" if mine[20] != "A" else "B") + mine[21:]
    answer = admin.post(
        url(user.operator, "key-seed", user.public_key),
        {"seed": typed.format(own=mine, other=other, bad=bad)},
    )
    text = answer.content.decode()
    assert answer.status_code == 422
    assert said in text
    assert not SEED.search(text)
    assert Key.objects.get(public_key=user.public_key).sealed is None


def test_a_generated_key_is_listed_as_spare_and_can_be_erased(admin: Client, operator: Operator) -> None:
    visitor = Visitor(admin)
    page = visitor.send(visitor.open(listed(admin, operator).link("/keys/new")), kind="account")
    spare = Key.objects.get(operator=operator, purpose="spare")
    assert f"Generated a spare account key: {spare.public_key}" in page.text
    assert shown(page, spare.public_key)
    assert "spare, not used yet" in page.text
    form = visitor.open(page.link(f"/{spare.public_key}/erase"))
    wrong = visitor.send(form, confirm="AAAA")
    assert wrong.status == 422
    done = visitor.send(form, confirm=spare.public_key[-8:])
    assert "Erased the seed" in done.text
    assert Key.objects.get(pk=spare.pk).sealed is None


def test_a_key_in_use_is_not_erased(admin: Client, user: User) -> None:
    key = user.account.public_key
    answer = admin.post(url(user.operator, "key-erase", key), {"confirm": key[-8:], "version": "0"})
    assert answer.status_code == 422
    assert "is in use" in answer.content.decode()
    assert Key.objects.get(public_key=key).sealed is not None


def test_a_seed_leaves_as_a_download_for_who_knows_the_password(admin: Client, user: User) -> None:
    key = user.account.public_key
    address = url(user.operator, "key-export", key)
    page = admin.get(address)
    assert not SEED.search(page.content.decode())
    answer = admin.post(address, {"password": make.PASSWORD})
    assert answer.status_code == 200
    assert KeyPair.from_seed(answer.content).public.text == key
    assert answer["Cache-Control"] == "no-store"
    assert answer["Content-Disposition"] == f'attachment; filename="{key}.nk"'
    assert AuditEvent.objects.latest("seq").action == "key.export-seed"


def test_without_the_password_no_seed_leaves_and_wrong_ones_are_counted(admin: Client, user: User) -> None:
    address = url(user.operator, "key-export", user.account.public_key)
    assert admin.post(address, {"password": ""}).status_code == 422
    assert not SignInFailure.objects.exists()
    for _ in range(people.FAILURES_ALLOWED):
        answer = admin.post(address, {"password": "not it"})
        assert answer.status_code == 422
        assert "That is not your password" in answer.content.decode()
        assert not SEED.search(answer.content.decode())
    told = []
    for typed in (make.PASSWORD, "not it either"):  # which of them is right can't be told any more
        shut = admin.post(address, {"password": typed})
        assert shut.status_code == 422
        assert "Too many wrong passwords" in shut.content.decode()
        told.append("That is not your password" in shut.content.decode())
    assert told == [False, False]
    assert "Password before a seed failed" in AuditEvent.objects.latest("seq").summary


def test_a_seed_that_is_not_here_is_said_so(admin: Client, user: User) -> None:
    address = url(user.operator, "key-export", user.public_key)
    answer = admin.post(address, {"password": make.PASSWORD})
    assert answer.status_code == 422
    assert "is not here" in answer.content.decode()


@pytest.mark.parametrize("name", ["key-seed", "key-export", "key-erase"])
def test_keys_of_what_is_invisible_are_not_found_and_viewers_are_refused(user: User, name: str) -> None:
    other = Account.objects.exclude(pk=user.account_id).get(operator=user.operator)
    mine = make.client(Role.ADMINISTRATOR, account=user.account)
    assert mine.get(url(user.operator, name, user.public_key)).status_code == 200
    assert mine.get(url(user.operator, name, other.public_key)).status_code == 404
    assert make.client(Role.VIEWER).get(url(user.operator, name, user.public_key)).status_code == 403
    assert make.client().get(url(make.operator(), name, user.public_key)).status_code == 404
