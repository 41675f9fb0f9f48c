"""Who can publish, hear or answer: the page of an account, and `manage.py explain who-can`."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from identities.claims.drafts import RoleDraft, SigningKeyDraft
from identities.claims.permissions import Permission, ResponsePermission, UserPermissionLimits
from identities.models import Account
from identities.policy.principal import Role
from identities.queries import who_can
from identities.queries.who_can import Deed
from identities.services import signing_keys
from tests import make

pytestmark = pytest.mark.django_db
UNLIMITED = UserPermissionLimits.unlimited()


def rules(*allowed: str, deny: tuple[str, ...] = ()) -> UserPermissionLimits:
    return replace(
        UNLIMITED, pub=Permission(allow=allowed, deny=deny), sub=Permission(allow=allowed, deny=deny)
    )


@pytest.fixture
def shop() -> Account:
    account = make.account(make.operator("Op"), "Shop")
    make.export(account, "ask.>", type="service")
    make.user(account, "ann", limits=rules("ask.a", "ask.c"))
    make.user(account, "bob", limits=rules("ask.>", deny=("ask.a",)))
    return account


@pytest.fixture
def desk(shop: Account) -> Account:
    account = make.account(shop.operator, "Desk")
    make.imported(account, "ask.>", of=shop, type="service", local_subject="help.>")
    make.user(account, "eve", limits=rules("help.*"))
    return account


def page(account: Account, status: int = 200, **query: str) -> str:
    url = reverse("who-can", args=[account.operator.public_key, account.public_key])
    answer = make.client().get(url, query)
    assert answer.status_code == status, answer.content.decode()
    return answer.content.decode()


def said(*arguments: str) -> str:
    output = io.StringIO()
    call_command("explain", "who-can", *arguments, stdout=output)
    return output.getvalue()


def test_users_here_and_in_an_importing_account_are_told_apart(shop: Account, desk: Account) -> None:
    found = page(shop, deed="publish", subject="ask.a")
    assert ">ann</a>" in found
    assert ">bob</a>" not in found  # denied
    assert ">eve</a>" not in found  # on the page of her account
    assert "“Desk” imports the service <code>ask.&gt;</code> of “Shop” as <code>help.&gt;</code>" in found
    assert "deed=publish&amp;subject=ask.a&amp;way=1" in found
    theirs = page(shop, deed="publish", subject="ask.a", way="1")
    assert ">eve</a>" in theirs
    assert ">ann</a>" not in theirs


def test_a_pattern_is_answered_in_parts(shop: Account) -> None:
    found = page(shop, deed="subscribe", subject="ask.*")
    assert ">ann</a>" in found
    assert ">bob</a>" in found
    assert "a part of it" in found


def test_roles_are_named_and_their_variables_stand_for_any_token(shop: Account) -> None:
    for name, allowed in (("named", "ask.{{name()}}"), ("other", "else")):
        draft = SigningKeyDraft(role=RoleDraft(role=name, template=rules(allowed)))
        signing_keys.add(principal=make.COMMAND, account=shop, draft=draft, version=shop.version)
        shop.refresh_from_db()
    found = page(shop, deed="publish", subject="ask.a")
    assert ">named</a>" in found
    assert ">other</a>" not in found


def test_who_answers_has_to_hear_and_to_reply(shop: Account) -> None:
    mute = replace(UNLIMITED, pub=Permission(allow=("x",)), sub=Permission(allow=("ask.a",)))
    make.user(shop, "mute", limits=mute)
    make.user(shop, "server", limits=replace(mute, resp=ResponsePermission(max=1)))
    assert ">mute</a>" in page(shop, deed="subscribe", subject="ask.a")
    found = page(shop, deed="answer", subject="ask.a")
    assert ">server</a>" in found
    assert ">mute</a>" not in found


@pytest.mark.parametrize("subject", ["a..b", "a.>.b", "", "a b"])
def test_what_is_no_subject_is_said_beside_the_field(shop: Account, subject: str) -> None:
    found = page(shop, 422, deed="publish", subject=subject)
    assert "This is no subject" in found or "required" in found


def test_odd_cursors_lead_to_the_beginning(shop: Account) -> None:
    for way, after in (("99", "x"), ("²", "~~"), ("-1", "1~a~b"), ("0", "")):
        assert ">ann</a>" in page(shop, deed="publish", subject="ask.a", way=way, after=after)


def test_accounts_out_of_sight_are_left_out(shop: Account, desk: Account) -> None:
    url = reverse("who-can", args=[shop.operator.public_key, shop.public_key])
    query = {"deed": "publish", "subject": "ask.a"}
    seen = make.client(Role.VIEWER, account=shop).get(url, query).content.decode()
    assert ">ann</a>" in seen
    assert "Desk" not in seen
    assert make.client(Role.VIEWER, account=desk).get(url, query).status_code == 404
    part = make.client().get(url, query, headers={"HX-Request": "true"})
    assert b"<html" not in part.content


def test_more_users_and_accounts_need_no_more_than_eight_queries(shop: Account, desk: Account) -> None:
    draft = SigningKeyDraft(role=RoleDraft(role="named", template=rules("ask.{{name()}}", "_INBOX.>")))
    role = signing_keys.add(principal=make.COMMAND, account=shop, draft=draft, version=shop.version)
    shop.refresh_from_db()
    make.user(shop, "a", signer=role.public_key)
    shop = Account.objects.select_related("operator").get(pk=shop.pk)
    counted = []
    for round_ in range(2):
        with CaptureQueriesContext(connection) as queries:
            found = who_can.reached(make.COMMAND, shop, Deed.ANSWER, "ask.a", now=1)
            for way in found.ways[:1]:
                assert who_can.holders(make.COMMAND, found, way).rows
        counted.append(len(queries))
        make.many_users(shop, [f"u{round_}{number}" for number in range(60)], limits=rules("ask.>"))
        more = make.account(shop.operator)
        make.imported(more, "ask.>", of=shop, type="service")
    assert max(counted) <= 8
    assert counted[0] == counted[1]


@pytest.mark.parametrize("deed", list(Deed))
def test_the_whole_page_needs_no_more_than_eight_queries_however_long_the_imports_lead_on(
    shop: Account, desk: Account, deed: Deed
) -> None:
    last = desk
    for number in range(4):
        make.export(last, "help.a", type="service")
        further = make.account(shop.operator, f"Further {number}")
        make.imported(further, "help.a", of=last, type="service")
        last = further
    browser = make.client()
    url = reverse("who-can", args=[shop.operator.public_key, shop.public_key])
    with CaptureQueriesContext(connection) as queries:
        answer = browser.get(url, {"deed": deed.value, "subject": "ask.a"}).content.decode()
    assert len(queries) <= 8
    assert ("Further 3" in answer) is (deed is Deed.PUBLISH)


def test_pages_follow_each_other_without_gap(shop: Account) -> None:
    make.many_users(shop, [f"u{number:03}" for number in range(120)], limits=rules("ask.>"))
    found = who_can.reached(make.COMMAND, shop, Deed.PUBLISH, "ask.b", now=1)
    names, after = [], None
    while True:
        rows = who_can.holders(make.COMMAND, found, found.ways[0], after=after)
        names += [row.user.name for row in rows.rows]
        after = rows.next
        if after is None:
            break
    assert names == ["bob", *(f"u{number:03}" for number in range(120))]


def test_the_command_says_the_same(shop: Account, desk: Account) -> None:
    text = said("publish", "ask.a", "--account", "Shop")
    assert "  - ann U" in text
    assert "  through: “Desk” imports the service `ask.>` of “Shop” as `help.>`" in text
    assert "  - eve U" in text
    assert "bob" not in text
    document = json.loads(said("publish", "ask.a", "--account", shop.public_key, "--json"))
    assert document["complete"] is True
    assert [[one["name"] for one in way["users"]] for way in document["ways"]] == [["ann"], ["eve"]]
    assert document["ways"][1]["through"][0]["path"] == "nats.imports[0]"
    alone = make.account(shop.operator, "Alone")
    assert "Nobody" in said("publish", "x", "--account", alone.name)


def test_the_command_says_what_is_missing(shop: Account) -> None:
    for arguments, words in (
        (("publish", "a"), "the account by --account"),
        (("fly", "a", "--account", "Shop"), "publish, subscribe or answer"),
        (("publish", "a..b", "--account", "Shop"), "is no subject"),
        (("publish", "a", "--account", "Nowhere"), "No account called Nowhere"),
    ):
        with pytest.raises(CommandError, match=words):
            said(*arguments)
    make.account(make.operator(), "Shop")
    with pytest.raises(CommandError, match="Several accounts are called so"):
        said("publish", "a", "--account", "Shop")
