"""Pages of short-lived creds: they leave as a download, an issuer of one role sees that role alone."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from identities.claims import codec
from identities.claims.drafts import RoleDraft, SigningKeyDraft
from identities.formats import creds as creds_format
from identities.models import Account, Handover, IssuingTerms, Key, User
from identities.nkeys import KeyKind, KeyPair
from identities.policy.principal import Role
from identities.services import signing_keys
from tests import make
from tests.pages import Visitor

pytestmark = pytest.mark.django_db


@pytest.fixture
def account() -> Account:
    return make.account(make.operator("Test"), "Orders")


@pytest.fixture
def role(account: Account) -> Key:
    return role_of(account, "worker")


def role_of(account: Account, name: str) -> Key:
    row = Account.objects.select_related("operator").get(pk=account.pk)
    draft = SigningKeyDraft(role=RoleDraft(role=name))
    return signing_keys.add(principal=make.COMMAND, account=row, draft=draft, version=row.version)


def url(name: str, role: Key) -> str:
    account = Account.objects.select_related("operator").get(pk=role.account_id)
    return reverse(name, args=[account.operator.public_key, account.public_key, role.public_key])


def issuer(role: Key) -> Client:
    """Somebody who may issue creds of `role` named ci-…, and nothing else."""
    person = make.person(None)
    make.issuer(person, role, names="ci-*")
    browser = Client()
    browser.force_login(person)
    return browser


def test_the_page_of_a_role_leads_to_creds_that_are_downloaded_and_never_in_a_page(role: Key) -> None:
    visitor = Visitor(make.client())
    page = visitor.open(url("signing-key", role))
    assert "1 hour, where nothing else is asked for" in page.text
    page = visitor.open(page.link("Issue short-lived creds"))
    form = page.form("name", "lifetime", "tags", "public_key")
    answer = visitor.client.post(form.action, {**form.values, "name": "job 7", "lifetime": "15m"})
    assert answer.status_code == 200
    assert answer["Content-Disposition"] == 'attachment; filename="job 7.creds"'
    assert "no-store" in answer["Cache-Control"]
    token = codec.decode(creds_format.parse_creds(answer.content.decode()).jwt)
    assert token.claims.exp - token.claims.iat == 900
    row = Handover.objects.get()
    assert (row.way, row.door, row.name, row.role) == ("short-lived", "page", "job 7", "worker")
    assert not User.objects.filter(public_key=row.subject).exists()


def test_a_key_of_ones_own_brings_a_jwt_without_a_seed(role: Key) -> None:
    own = KeyPair.create(KeyKind.USER).public.text
    answer = make.client().post(url("role-creds", role), {"name": "job", "public_key": own})
    assert answer["Content-Disposition"] == 'attachment; filename="job.jwt"'
    assert codec.decode(answer.content.decode()).claims.sub == own


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x", "lifetime": "soon"}, "lifetime"),
        ({"name": "x", "public_key": "ABC"}, "public_key"),
    ],
)
def test_what_is_filled_in_wrong_is_told_at_its_field(role: Key, values: dict[str, str], field: str) -> None:
    answer = make.client().post(url("role-creds", role), values)
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == [field]
    assert not Handover.objects.exists()


def test_an_issuer_issues_within_the_grant_and_sees_nothing_else_of_the_account(role: Key) -> None:
    other = role_of(Account.objects.get(pk=role.account_id), "other")
    browser = issuer(role)
    address = url("role-creds", role)
    assert browser.get(address).status_code == 200
    assert browser.post(address, {"name": "ci-1"}).status_code == 200
    refused = browser.post(address, {"name": "admin"})
    assert refused.status_code == 403
    assert "ci-*" in refused.content.decode()
    for name, key in (("signing-key", role), ("role-creds", other)):
        assert browser.get(url(name, key)).status_code == 404
    assert browser.get(url("role-terms", role)).status_code == 403
    assert Handover.objects.count() == 1


def test_the_first_page_of_an_issuer_leads_to_the_roles_that_may_be_issued(role: Key) -> None:
    page = Visitor(issuer(role)).open(reverse("dashboard"))
    assert page.link("Issue creds of worker").endswith(url("role-creds", role))


def test_a_viewer_issues_nothing_and_a_stranger_finds_nothing(role: Key) -> None:
    viewer, stranger = make.client(Role.VIEWER), make.client(account=make.account())
    assert viewer.post(url("role-creds", role), {"name": "x"}).status_code == 403
    assert "Issue short-lived creds" not in viewer.get(url("signing-key", role)).content.decode()
    assert stranger.post(url("role-creds", role), {"name": "x"}).status_code == 404
    assert not Handover.objects.exists()


def test_terms_are_edited_on_the_page_of_the_role(role: Key) -> None:
    visitor = Visitor(make.client())
    page = visitor.open(url("role-terms", role))
    assert page.form("usual").values["usual"] == ["1h"]
    page = visitor.send(page, shortest="90s", usual="5m", longest="2d")
    assert "5 minutes, where nothing else is asked for" in page.text
    assert "2 days" in page.text
    terms = IssuingTerms.objects.get(key=role)
    assert (terms.shortest, terms.usual, terms.longest) == (90, 300, 172_800)


def test_terms_that_do_not_fit_are_told_at_their_field(role: Key) -> None:
    answer = make.client().post(url("role-terms", role), {"shortest": "1h", "usual": "5m", "longest": "2h"})
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == ["usual"]
    assert make.client(Role.VIEWER).post(url("role-terms", role), {}).status_code == 403
