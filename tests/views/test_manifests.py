"""The page of an operator's manifest: downloaded, pasted back, its plan looked at, applied; refused with its lines."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from identities.models import Account, IssuedToken, Operator
from identities.nkeys import KeyKind, KeyPair
from identities.policy.principal import Role
from identities.services import changes
from tests import make
from tests.pages import Page, Visitor

pytestmark = pytest.mark.django_db

TEXT = """\
operator: {name: acme}
accounts:
  - name: orders
    limits: {conn: 10}
    users: [{name: alice, pub: {allow: [orders.>]}}]
"""


@pytest.fixture
def acme() -> Operator:
    return make.operator("acme")


@pytest.fixture
def visitor(acme: Operator) -> Visitor:
    return Visitor(make.client())


def url(operator: Operator) -> str:
    return reverse("operator-manifest", args=[operator.public_key])


def shown(page: Page) -> str:
    return page.form("manifest").values["manifest"][0].lstrip("\n")


def test_it_is_reached_from_the_operator_and_downloaded_as_it_is(visitor: Visitor, acme: Operator) -> None:
    page = visitor.open(reverse("operator", args=[acme.public_key]))
    page = visitor.open(page.link("Manifest"))
    answer = visitor.client.get(page.link("Download"))
    assert answer["Content-Disposition"] == 'attachment; filename="acme.yaml"'
    assert answer["Cache-Control"] == "no-store"
    text = answer.content.decode()
    assert text.startswith("manifest: 1\noperator:\n  name: acme\n")
    keyed = visitor.client.get(page.link("With public keys")).content.decode()
    assert f"key: {acme.public_key}" in keyed
    again = visitor.send(page, action=url(acme), manifest=text, preview="1")
    assert again.status == 200
    assert "Nothing differs" in again.text
    assert "Apply this plan" not in again.text


def test_a_plan_is_looked_at_before_it_is_applied(visitor: Visitor, acme: Operator) -> None:
    tokens = IssuedToken.objects.count()
    page = visitor.open(url(acme))
    page = visitor.send(page, action=url(acme), manifest=TEXT, preview="1")
    assert page.status == 200
    assert "Applied, this manifest leaves 2 objects created" in page.text
    assert "Account “orders”" in page.text and "User “alice” of “orders”" in page.text
    assert "nats.limits.conn" in page.text
    assert "left as they are: account “SYS”" in page.text
    assert shown(page) == TEXT
    assert IssuedToken.objects.count() == tokens
    done = visitor.send(page, action=url(acme), apply="1")
    assert "The manifest was applied: 2 objects created." in done.text
    account = Account.objects.get(name="orders")
    assert changes.claims_of(account).nats.limits.conn == 10


def test_nothing_is_applied_whose_plan_nobody_has_seen(visitor: Visitor, acme: Operator) -> None:
    answer = visitor.client.post(url(acme), {"manifest": TEXT, "apply": "1"})
    assert "Apply this plan" in answer.content.decode()
    page = visitor.send(visitor.open(url(acme)), action=url(acme), manifest=TEXT, preview="1")
    assert not Account.objects.filter(name="orders").exists()
    page = visitor.send(page, action=url(acme), manifest=TEXT.replace("conn: 10", "conn: 11"), apply="1")
    assert page.status == 422
    assert "since this plan was made. Look at the new plan" in page.text
    make.account(acme, "meanwhile")
    page = visitor.send(page, action=url(acme), apply="1")
    assert page.status == 422
    assert not Account.objects.filter(name="orders").exists()
    assert "The manifest was applied" in visitor.send(page, action=url(acme), apply="1").text


def test_lines_end_as_a_browser_sends_them(visitor: Visitor, acme: Operator) -> None:
    page = visitor.send(visitor.open(url(acme)), action=url(acme), manifest=TEXT, preview="1")
    sent = {
        "manifest": TEXT.replace("\n", "\r\n"),
        "plan": page.form("manifest").values["plan"][0],
        "apply": "1",
    }
    assert visitor.client.post(url(acme), sent).status_code == 302


def test_a_file_takes_the_place_of_the_text(visitor: Visitor, acme: Operator) -> None:
    file = SimpleUploadedFile("acme.yaml", b"\xef\xbb\xbf" + TEXT.encode())
    answer = visitor.client.post(url(acme), {"manifest": "operator: {name: x}", "file": file, "preview": "1"})
    assert answer.status_code == 200
    assert "2 objects created" in answer.content.decode()
    assert "orders.&gt;" in answer.content.decode(), "what it held stands in the text now"
    large = SimpleUploadedFile("acme.yaml", b"#" * (2**20 + 1))
    refused = visitor.client.post(url(acme), {"file": large, "preview": "1"})
    assert refused.status_code == 422
    assert "larger than 1 MiB: use manage.py apply" in refused.content.decode()


BAD = {
    "": "Paste a manifest",
    "operator: {nam: acme}": "Line 1, column 17: “operator.nam” is no field here (do you mean “name”?)",
    "operator: [": "This is no YAML",
    "operator: {name: other}": "Line 1: The manifest is of operator “other”",
    TEXT.replace("conn: 10", "conn: ten"): "Line 4, column",
    TEXT.replace("[orders.>]", "[a..b]"): "Line 5: User “alice” of “orders”",
    TEXT.replace("users: [", "imports: [{subject: a, type: stream, account: gone}]\n    users: ["): "“gone”",
    "operator: {name: acme, key: ABC}": "can't be taken",
    "operator: &a {name: acme}": "anchor",
}


@pytest.mark.parametrize("text", BAD)
def test_bad_input_is_told_and_stays_to_be_corrected(visitor: Visitor, acme: Operator, text: str) -> None:
    tokens = IssuedToken.objects.count()
    page = visitor.send(visitor.open(url(acme)), action=url(acme), manifest=text, preview="1")
    assert page.status == 422
    assert BAD[text] in page.text
    assert shown(page) == text
    assert IssuedToken.objects.count() == tokens


def test_every_mistake_has_a_line_of_its_own(visitor: Visitor, acme: Operator) -> None:
    text = "operator: {name: acme}\naccounts:\n" + "  - {nam: x, name: a%d}\n" * 3 % (1, 2, 3)
    page = visitor.send(visitor.open(url(acme)), action=url(acme), manifest=text, preview="1")
    assert page.html.count("do you mean “name”") == 3


def test_a_seed_is_thrown_away_and_not_shown_again(visitor: Visitor, acme: Operator) -> None:
    seed = KeyPair.create(KeyKind.USER).seed().reveal().decode()
    page = visitor.send(visitor.open(url(acme)), action=url(acme), manifest=f"{TEXT}# {seed}\n", preview="1")
    assert page.status == 422
    assert "That is a seed" in page.text
    assert seed not in page.html
    file = SimpleUploadedFile("acme.yaml", f"{TEXT}# {seed}\n".encode())
    answer = visitor.client.post(url(acme), {"manifest": TEXT, "file": file, "preview": "1"})
    assert answer.status_code == 422
    assert seed not in answer.content.decode()


def test_who_may_not_is_told_which_role_is_missing_and_keeps_the_text(acme: Operator) -> None:
    viewer = Visitor(make.client(Role.VIEWER, operator=acme))
    page = viewer.open(url(acme))
    assert page.status == 200
    page = viewer.send(page, action=url(acme), manifest=TEXT, preview="1")
    assert page.status == 403
    assert "needs the role" in page.text
    assert shown(page) == TEXT


def test_others_do_not_find_it(acme: Operator) -> None:
    stranger = make.client(Role.ADMINISTRATOR, operator=make.operator("other"))
    assert stranger.get(url(acme)).status_code == 404
    assert stranger.get(reverse("operator-manifest-download", args=[acme.public_key])).status_code == 404
    assert Client().get(url(acme)).status_code == 302


def test_deletions_are_asked_for(visitor: Visitor, acme: Operator) -> None:
    make.account(acme, "old")
    page = visitor.open(url(acme))
    page = visitor.send(page, action=url(acme), manifest="operator: {name: acme}\naccounts: []", preview="1")
    assert "left as they are: account “SYS”, account “old”" in page.text
    sent = {"manifest": "operator: {name: acme}\naccounts: []", "prune": "on"}
    page = visitor.send(page, action=url(acme), **sent, preview="1")
    assert "1 object deleted" in page.text
    visitor.send(page, action=url(acme), **sent, apply="1")
    assert not Account.objects.live().filter(name="old").exists()
