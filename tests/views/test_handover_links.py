"""Pages of one-time links: shown once when made, opened by a button of their own page, never by looking."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest
from django.test import Client

from identities.formats import creds as creds_format
from identities.models import Handover, HandoverLink, User
from identities.policy.principal import Role
from tests import make
from tests.pages import Visitor

pytestmark = pytest.mark.django_db


@pytest.fixture
def user() -> User:
    made = make.user(make.account(make.operator("Test"), "Orders"), "ann")
    return User.objects.select_related("account__operator").get(pk=made.pk)


@pytest.fixture
def visitor(user: User) -> Visitor:
    return Visitor(make.client())


def page_of(user: User) -> str:
    account = user.account
    return f"/operators/{account.operator.public_key}/accounts/{account.public_key}/users/{user.public_key}/links"


def made(visitor: Visitor, user: User, **filled: str) -> str:
    """The path of a new link, as it is shown once."""
    page = visitor.open(f"/operators/{user.account.operator.public_key}")
    page = visitor.send(visitor.open(page_of(user)), **(filled or {"for_name": "Bob"}))
    assert page.status == 200, page.text
    shown = re.search(r"https?://[^\s<\"]+/take/[\w-]+", page.html)
    assert shown is not None, page.text
    assert "shown here only" in page.text
    return urlsplit(shown[0]).path


def test_a_link_is_made_on_the_users_page_shown_once_and_listed(visitor: Visitor, user: User) -> None:
    overview = visitor.open(page_of(user).removesuffix("/links"))
    assert urlsplit(overview.link("One-time links")).path == page_of(user)
    path = made(visitor, user)
    token = path.rpartition("/")[2]
    page = visitor.open(page_of(user))
    assert token not in page.html
    assert "whoever has it" in page.text
    assert "Open" in page.text


def test_looking_burns_nothing_and_one_press_takes_the_creds(visitor: Visitor, user: User) -> None:
    path = made(visitor, user)
    stranger = Client()
    for _ in range(2):
        answer = stranger.get(path)
        assert answer.status_code == 200
        assert "no-store" in answer["Cache-Control"]
        assert "Take the creds" in answer.content.decode()
    assert stranger.head(path).status_code == 200
    assert HandoverLink.objects.get().opened_at is None
    answer = stranger.post(path)
    assert answer.status_code == 200
    assert answer["Content-Disposition"] == 'attachment; filename="ann.creds"'
    assert "no-store" in answer["Cache-Control"]
    assert creds_format.parse_creds(answer.content.decode()).seed is not None
    again = stranger.post(path)
    assert again.status_code == 404
    assert "opened already" in again.content.decode()
    assert stranger.get(path).status_code == 404
    assert Handover.objects.count() == 1
    assert "Taken" in visitor.open(page_of(user)).text


def test_the_button_is_guarded_against_other_sites(visitor: Visitor, user: User) -> None:
    path = made(visitor, user)
    assert Client(enforce_csrf_checks=True).post(path).status_code == 403
    assert not Handover.objects.exists()


def test_a_bound_link_asks_for_its_person_to_sign_in(visitor: Visitor, user: User) -> None:
    bob = make.person(None, username="bob")
    path = made(visitor, user, username="bob")
    nobody = Client()
    answer = nobody.get(path, follow=True)
    assert "/account/login/" in answer.redirect_chain[-1][0]
    assert nobody.post(f"{path}/mine").status_code == 302
    other = visitor.client.get(path, follow=True)
    assert other.status_code == 404
    assert "somebody else" in other.content.decode()
    assert visitor.client.post(f"{path}/mine").status_code == 404
    assert not Handover.objects.exists()
    signed_in = Client()
    signed_in.force_login(bob)
    page = Visitor(signed_in).open(path)
    assert page.status == 200, page.text
    answer = signed_in.post(page.form(action="/mine").action)
    assert answer["Content-Disposition"] == 'attachment; filename="ann.creds"'
    assert Handover.objects.get().recipient == bob.audit_key


def test_a_link_is_taken_back_with_a_button(visitor: Visitor, user: User) -> None:
    path = made(visitor, user)
    page = visitor.open(page_of(user))
    page = visitor.send(page, action="/revoke")
    assert "The link opens nothing any more." in page.text
    answer = Client().get(path)
    assert answer.status_code == 404
    assert "taken back" in answer.content.decode()


def test_what_is_filled_in_wrong_is_told_at_its_field(visitor: Visitor, user: User) -> None:
    page = visitor.open(page_of(user))
    for values, field in (
        ({"lasting": "soon", "for_name": "Bob"}, "lasting"),
        ({"lasting": "90d", "for_name": "Bob"}, "lasting"),
        ({"lasting": "1d"}, "for_name"),
        ({"lasting": "1d", "username": "nobody"}, "username"),
    ):
        answer = visitor.send(page, **values)
        assert answer.status == 422
        assert list(answer.response.context["form"].errors) == [field]
    assert not HandoverLink.objects.exists()


def test_only_who_may_hand_out_the_creds_sees_links(user: User) -> None:
    for client, status in (
        (make.client(Role.VIEWER), 403),
        (make.client(Role.AUDITOR), 403),
        (make.client(account=make.account()), 404),
    ):
        assert client.get(page_of(user)).status_code == status
        assert client.post(page_of(user), {"lasting": "1d", "for_name": "x"}).status_code == status
        assert client.post(f"{page_of(user)}/1/revoke").status_code == status
    assert (
        "One-time links"
        not in make.client(Role.VIEWER).get(page_of(user).removesuffix("/links")).content.decode()
    )
    assert make.client(Role.USER_MANAGER, account=user.account).get(page_of(user)).status_code == 200
    assert Client().get("/take/nothing").status_code == 404
