"""Pages of service accounts, of API tokens and of the API itself."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse

from identities.api.urls import OPERATIONS
from identities.models import ApiToken, AuditEvent, ServiceAccount
from identities.policy.principal import Role
from identities.services import api_tokens
from tests import make
from tests.pages import Page, Visitor

pytestmark = pytest.mark.django_db
TOKEN = re.compile(api_tokens.SHAPE.pattern)


@pytest.fixture
def owner() -> Visitor:
    return Visitor(make.client())


def uses(token: str) -> int:
    """What the API answers to whoever sends `token`."""
    return Client().get("/api/v1/operators", headers={"Authorization": f"Bearer {token}"}).status_code


def pressed(owner: Visitor, url: str) -> Page:
    """The answer to a page that only asks."""
    return owner.send(owner.open(url), action=url)


def test_a_service_account_is_made_given_a_token_once_and_comes_in(owner: Visitor) -> None:
    page = owner.open(reverse("service-accounts"))
    made = owner.send(owner.open(page.link("New service account")), name="ci", description="The pipeline")
    assert "Made the service account “ci”" in made.text and "its tokens open nothing" in made.text
    machine = ServiceAccount.objects.get(name="ci")
    make.grant(machine, Role.VIEWER)
    form = owner.open(made.link("New token"))
    assert "you are the person behind what it proposes by this token" in form.text
    shown = owner.send(form, name="runner", expires="30d", read_only="on")
    token = TOKEN.search(shown.html)
    assert token is not None and uses(token[0]) == 200
    again = owner.open(reverse("service-account", args=[machine.pk]))
    assert token[1] in again.html and token[2] not in again.html
    assert "reads only" in again.text and "by" in again.text
    maker = ApiToken.objects.get().maker
    assert maker is not None and f"by {maker}" in again.text
    assert not AuditEvent.objects.filter(canonical__contains=token[2]).exists()


def test_a_token_of_a_service_account_is_revoked_and_the_account_switched_off(owner: Visitor) -> None:
    token = make.api_token()
    here = reverse("service-account", args=[token.service_account_id])
    page = owner.open(here)
    after = pressed(owner, page.link("Revoke pipeline"))
    assert "opens nothing any more" in after.text and "Revoked" in after.text
    off = pressed(owner, after.link("Switch off"))
    assert "“pipeline” is switched off." in off.text
    assert not ServiceAccount.objects.get().is_active
    on = pressed(owner, off.link("Switch on"))
    assert "“pipeline” is switched on." in on.text
    renamed = owner.send(owner.open(on.link("Edit")), name="deployer", description="Deploys")
    assert "Saved the service account “deployer”." in renamed.text


def test_somebody_makes_a_token_of_their_own_and_revokes_it(owner: Visitor) -> None:
    page = owner.open(reverse("tokens"))
    form = owner.open(page.link("New token"))
    assert "It is shown once" in form.text and "the person behind" not in form.text
    shown = owner.send(form, name="laptop")
    token = TOKEN.search(shown.html)
    assert token is not None and uses(token[0]) == 200
    held = ApiToken.objects.get()
    assert held.person is not None and held.expires_at is not None
    listed = owner.open(reverse("tokens"))
    assert "laptop" in listed.text and token[2] not in listed.html
    after = owner.send(listed, action=reverse("token-revoke", args=[held.pk]))
    assert "The token “laptop” opens nothing any more." in after.text
    assert uses(token[0]) == 401


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"name": ""}, "required"),
        ({"expires": "0"}, "Say until when"),
        ({"expires": "3y"}, "within the next 366 days"),
    ],
)
def test_what_a_token_lacks_is_said(owner: Visitor, typed: dict[str, str], said: str) -> None:
    page = owner.open(reverse("token-create"))
    answer = owner.send(page, **{"name": "new", "expires": "30d", **typed})
    assert answer.status == 422 and said in answer.text and not ApiToken.objects.exists()


def test_nobody_revokes_the_token_of_somebody_else(owner: Visitor) -> None:
    token = make.api_token()
    answer = make.client().post(reverse("token-revoke", args=[token.pk]))
    assert answer.status_code == 404
    token.refresh_from_db()
    assert token.revoked_at is None


def test_only_owners_change_service_accounts() -> None:
    token = make.api_token()
    viewer = make.client(Role.VIEWER)
    page = Visitor(viewer).open(reverse("service-account", args=[token.service_account_id]))
    assert "pipeline" in page.text and "New token" not in page.text and "Revoke" not in page.text
    for name in ("edit", "switch", "token"):
        url = reverse(f"service-account-{name}", args=[token.service_account_id])
        assert viewer.get(url).status_code == 403
    narrow = make.client(Role.ADMINISTRATOR, operator=make.operator())
    assert narrow.get(reverse("service-accounts")).status_code == 403


def test_the_page_of_the_api_tells_of_every_operation(owner: Visitor) -> None:
    page = owner.open(reverse("reference"))
    for name in OPERATIONS:
        assert f'id="{name}"' in page.html
    for shape in set(re.findall(r'href="#shape-(\w+)"', page.html)):
        assert f'id="shape-{shape}"' in page.html
    found = owner.open(reverse("reference"), {"q": "suspension"})
    assert 'id="suspend-user"' in found.html and 'id="list-accounts"' not in found.html
    assert "No operation holds this text" in owner.open(reverse("reference"), {"q": "qqq"}).text
