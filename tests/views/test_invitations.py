"""Invitations: who makes which, what the link gives, and when it gives nothing."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from identities.models import (
    AuditEvent,
    Grant,
    Invitation,
    Operator,
    Person,
    SignOnIdentity,
    Team,
    TeamMember,
)
from identities.policy.principal import Role
from identities.services import clock
from tests import make, oidcprovider
from tests.views.sign_on_pages import added, come_back, is_in, leave, said

pytestmark = pytest.mark.django_db
GOOD = {"username": "ann", "password": make.PASSWORD, "again": make.PASSWORD}
_LINK = re.compile(r"/join/[\w-]{43}")


@pytest.fixture
def owner() -> Client:
    return make.client()


def link_in(page: str) -> str:
    return _LINK.findall(page)[0]


def invited(by: Client, url: str = "", **sent: Any) -> str:
    """The address of a new invitation."""
    answer = by.post(url or reverse("invitation-create"), {"name": "Ann Lee", **sent})
    assert answer.status_code == 200, said(answer)
    return link_in(said(answer))


def team(name: str = "Ops") -> Team:
    return Team.objects.create(name=name, created_at=clock.now())


def refused(link: str, browser: Client | None = None) -> str:
    answer = (browser or Client()).post(link, GOOD)
    assert answer.status_code in (404, 422)
    assert not Person.objects.filter(username="ann").exists()
    return said(answer)


def test_who_is_invited_chooses_a_name_and_password_and_holds_what_waited(owner: Client) -> None:
    ops = team()
    link = invited(owner, role="viewer", teams=[ops.pk], email="ann@example.com")
    browser = Client()
    page = said(browser.get(link))
    assert "Welcome, Ann Lee" in page
    assert "viewer of the installation, member of team “Ops”" in page
    answer = browser.post(link, GOOD, follow=True)
    assert "Welcome, Ann Lee." in said(answer)
    person = Person.objects.get(username="ann")
    assert (person.name, person.email) == ("Ann Lee", "ann@example.com")
    assert person.check_password(make.PASSWORD)
    assert Grant.objects.get(person=person).role == "viewer"
    assert TeamMember.objects.get(person=person).team == ops
    assert browser.get("/").status_code == 200
    words = list(AuditEvent.objects.order_by("seq").values_list("action", "summary"))
    inviter = Person.objects.exclude(pk=person.pk).get()
    assert (
        "person.invite",
        "Invited “Ann Lee” as viewer of the installation, member of team “Ops”",
    ) in words
    assert ("person.join", f"“Ann Lee (ann)” joined, invited by “{inviter}”") in words
    assert AuditEvent.objects.get(action="person.join").actor == person.audit_key
    assert AuditEvent.objects.get(action="grant.edit").actor == inviter.audit_key


def test_the_link_works_once_and_is_kept_nowhere(owner: Client) -> None:
    link = invited(owner)
    token = link.rpartition("/")[2]
    row = Invitation.objects.get()
    assert token not in repr([vars(each) for each in (row, *AuditEvent.objects.all())])
    assert token not in said(owner.get(reverse("invitations")))
    Client().post(link, GOOD)
    again = Client().get(link)
    assert again.status_code == 404
    assert "used already" in said(again)
    assert Client().post(link, GOOD | {"username": "eve"}).status_code == 404
    assert not Person.objects.filter(username="eve").exists()


def test_a_link_opens_nothing_after_a_week_or_when_it_was_revoked(owner: Client) -> None:
    link, other = invited(owner), invited(owner)
    with time_machine.travel(clock.now() + timedelta(days=7, seconds=1)):
        assert "expired" in refused(link)
    row = Invitation.objects.latest("pk")
    answer = owner.post(reverse("invitation-revoke", args=[row.pk]), follow=True)
    assert "opens nothing any more" in said(answer)
    assert "Revoked" in said(answer)
    assert "revoked" in refused(other)
    assert refused("/join/guessed")


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"again": "another password than this"}, "The two passwords differ"),
        ({"password": "short", "again": "short"}, "too short"),
        ({"username": ""}, "required"),
        ({"username": "taken"}, "is taken"),
    ],
)
def test_what_won_t_do_is_refused_and_the_link_still_works(
    owner: Client, typed: dict[str, str], words: str
) -> None:
    make.person(username="taken")
    link, browser = invited(owner, role="viewer"), Client()
    answer = browser.post(link, GOOD | typed)
    assert answer.status_code == 422
    assert words in said(answer)
    assert not Grant.objects.filter(person__username="ann").exists()
    assert browser.post(link, GOOD).status_code == 302


def test_an_operator_admin_invites_to_their_operator_and_no_further() -> None:
    operator, foreign = make.operator(), make.operator()
    admin = make.client(operator=operator)
    here = reverse("operator-invite", args=[operator.public_key])
    assert here in said(admin.get(reverse("operator-access", args=[operator.public_key])))
    link = invited(admin, here, role="auditor")
    assert (
        admin.post(here, {"name": "x", "role": "administrator"}).status_code == 200
    )  # as much as themselves
    assert admin.get(reverse("invitation-create")).status_code == 403
    assert admin.get(reverse("operator-invite", args=[foreign.public_key])).status_code == 404
    Client().post(link, GOOD)
    grant = Grant.objects.get(person__username="ann")
    assert (grant.role, grant.scope_kind, grant.operator) == ("auditor", "operator", operator)


def test_an_account_of_the_operator_too(owner: Client) -> None:
    account = make.account()
    where = [account.operator.public_key, account.public_key]
    link = invited(owner, reverse("account-invite", args=where), role="user-manager")
    assert "user manager of “" in said(Client().get(link))
    Client().post(link, GOOD)
    assert Grant.objects.get(person__username="ann").account == account
    admin = make.client(account=account)
    assert admin.get(reverse("account-invite", args=where)).status_code == 403
    assert admin.get(reverse("invitations")).status_code == 403


@pytest.mark.parametrize("role", [Role.VIEWER, Role.AUDITOR])
def test_who_only_looks_invites_nobody(role: Role) -> None:
    browser = make.client(role)
    assert browser.get(reverse("invitations")).status_code == 403
    assert browser.post(reverse("invitation-create"), {"name": "x"}).status_code == 403
    assert not Invitation.objects.exists()


def test_a_role_that_may_not_be_given_is_no_choice(owner: Client) -> None:
    answer = owner.post(reverse("invitation-create"), {"name": "x", "role": "issuer"})
    assert answer.status_code == 422
    assert "role" in answer.context["form"].errors
    assert not Invitation.objects.exists()


def test_nobody_gives_by_a_link_what_they_no_longer_hold() -> None:
    operator = make.operator()
    admin = make.client(operator=operator)
    link = invited(admin, reverse("operator-invite", args=[operator.public_key]), role="administrator")
    Grant.objects.all().delete()
    assert "may invite nobody any more" in refused(link)
    inviter = Invitation.objects.get().invited_by
    assert inviter is not None
    make.grant(inviter, Role.ADMINISTRATOR, operator=make.operator())  # may invite, but elsewhere
    assert "may no longer give what waits for you" in refused(link)


def test_nothing_of_somebody_who_was_switched_off_lets_anybody_in(owner: Client) -> None:
    link = invited(owner, role="viewer")
    Person.objects.update(is_active=False)
    assert "may invite nobody any more" in refused(link)


def test_what_was_deleted_meanwhile_is_said(owner: Client) -> None:
    operator = make.operator()
    link = invited(owner, reverse("operator-invite", args=[operator.public_key]), role="viewer")
    Operator.objects.update(deleted_at=clock.now())
    assert "was deleted meanwhile" in refused(link)


def test_others_see_only_their_own_invitations(owner: Client) -> None:
    operator = make.operator()
    admin = make.client(operator=operator)
    invited(owner, name="Of the owner")
    invited(admin, reverse("operator-invite", args=[operator.public_key]), name="Of the admin")
    assert "Of the admin" in said(owner.get(reverse("invitations")))
    page = said(admin.get(reverse("invitations")))
    assert "Of the admin" in page
    assert "Of the owner" not in page
    other = Invitation.objects.get(name="Of the owner")
    assert admin.post(reverse("invitation-revoke", args=[other.pk])).status_code == 404
    other.refresh_from_db()
    assert other.revoked_at is None


def test_a_used_invitation_can_not_be_revoked(owner: Client) -> None:
    Client().post(invited(owner), GOOD)
    row = Invitation.objects.get()
    assert "has used it already" in said(owner.post(reverse("invitation-revoke", args=[row.pk]), follow=True))


def test_the_list_asks_as_often_for_many_as_for_few(owner: Client) -> None:
    ops = team()

    def asked() -> int:
        with CaptureQueriesContext(connection) as queries:
            owner.get(reverse("invitations"))
        return len(queries)

    invited(owner, role="viewer", teams=[ops.pk])
    before = asked()
    for number in range(5):
        invited(owner, name=f"more {number}", role="viewer", teams=[ops.pk])
    assert asked() == before


def test_the_link_is_mailed_only_where_mail_is_configured(owner: Client, settings: Any) -> None:
    invited(owner, email="ann@example.com")
    assert not mail.outbox
    settings.EMAIL_CONFIGURED = True
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    page = said(owner.post(reverse("invitation-create"), {"name": "Ann", "email": "ann@example.com"}))
    assert "was mailed to ann@example.com" in page
    assert mail.outbox[0].to == ["ann@example.com"]
    assert link_in(page) in mail.outbox[0].body
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1  # nothing listens there
    page = said(owner.post(reverse("invitation-create"), {"name": "Ann", "email": "ann@example.com"}))
    assert "could not be mailed" in page
    assert link_in(page)


def test_an_invitation_is_taken_up_by_an_account_at_a_provider(owner: Client) -> None:
    with oidcprovider.running() as idp:
        row = added(idp, creates_people=False)
        link = invited(owner, role="viewer")
        browser = Client()
        with_it = f"{link}/with/{row.pk}"
        assert with_it in said(browser.get(link))
        asked = leave(browser, row, url=with_it)
        Invitation.objects.update(revoked_at=clock.now())
        late = Client()
        assert late.post(with_it).status_code == 404
        assert "was revoked" in said(come_back(browser, idp.authorize(asked)))
        assert not SignOnIdentity.objects.exists()
        Invitation.objects.update(revoked_at=None)
        assert come_back(browser, idp.authorize(leave(browser, row, url=with_it))).status_code == 302
    person = SignOnIdentity.objects.get().person
    assert (person.username, person.name, person.has_usable_password()) == ("dana", "Dana Doe", False)
    assert Grant.objects.get(person=person).role == "viewer"
    assert is_in(browser)
    assert browser.get("/").status_code == 200
    assert Client().get(link).status_code == 404
