"""One-time links to creds: opened once, by whom they are for, while whoever made them may still hand the creds out."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from identities.errors import IdentityError
from identities.formats import creds as creds_format
from identities.lookup import NotFound
from identities.models import AuditEvent, Grant, Handover, HandoverLink, User
from identities.nkeys import KeyKind, KeyPair
from identities.policy.decisions import Forbidden
from identities.policy.principal import Principal, Role
from identities.policy.terms import LinkWish
from identities.queries import handed_out
from identities.services import clock, creds, handover_links, kept_out, suspensions, taking_back, users
from identities.services.handover_links import LinkRefused, LinkState
from tests import make

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
VISITOR = Principal.nobody("192.0.2.7")


@pytest.fixture
def user() -> User:
    made = make.user(make.account(make.operator("Test"), "Orders"), "ann")
    return User.objects.select_related("account__operator", "token").get(pk=made.pk)


def link(user: User, *, by: Principal | None = None, **wish: object) -> handover_links.Made:
    wanted = LinkWish(**{"lasting": HOUR, **(wish or {"for_name": "Bob"})})
    return handover_links.make(principal=by or make.COMMAND, user=user, wish=wanted)


def state(made: handover_links.Made) -> LinkState:
    return handover_links.state_of(HandoverLink.objects.get(pk=made.link.pk))


def test_a_link_gives_the_creds_once_and_names_who_made_it_and_for_whom(user: User) -> None:
    maker = make.principal(Role.ADMINISTRATOR)
    made = link(user, by=maker)
    assert handover_links.look(made.token).pk == made.link.pk
    assert state(made) is LinkState.OPEN, "looking burns nothing"
    handout = handover_links.take(principal=VISITOR, token=made.token)
    parsed = creds_format.parse_creds(handout.text)
    assert user.token is not None
    assert parsed.jwt == user.token.text
    assert parsed.seed is not None
    row = Handover.objects.get()
    assert (row.way, row.subject, row.user, row.by, row.by_name) == (
        "link",
        user.public_key,
        user,
        maker.key,
        maker.name,
    )
    assert (row.recipient, row.recipient_name) == (
        f"link:{made.link.pk}",
        "whoever had the link for “Bob”",
    )
    kept = HandoverLink.objects.get(pk=made.link.pk)
    assert kept.opened_from == "192.0.2.7"
    event = AuditEvent.objects.latest("seq")
    assert (event.action, event.actor, event.address) == (
        "creds.download",
        f"link:{made.link.pk}",
        "192.0.2.7",
    )
    with pytest.raises(LinkRefused, match="opened already"):
        handover_links.take(principal=VISITOR, token=made.token)
    assert Handover.objects.count() == 1


def test_only_a_hash_of_the_token_is_kept_and_it_stands_in_no_event(user: User) -> None:
    made = link(user)
    kept = HandoverLink.objects.get(pk=made.link.pk)
    assert kept.token_hash == hashlib.sha256(made.token.encode()).hexdigest()
    assert made.token not in repr(made)
    assert not AuditEvent.objects.filter(canonical__contains=made.token).exists()
    assert not AuditEvent.objects.filter(canonical__contains=kept.token_hash).exists()


def test_a_bound_link_opens_to_its_person_alone(user: User) -> None:
    person = make.person(None, username="bob")
    made = link(user, username="BOB")
    bob = replace(VISITOR, key=person.audit_key, name="bob", person_id=person.pk)
    for other in (VISITOR, make.principal(Role.ADMINISTRATOR)):
        with pytest.raises(LinkRefused, match="somebody else"):
            handover_links.take(principal=other, token=made.token)
    assert state(made) is LinkState.OPEN
    handover_links.take(principal=bob, token=made.token)
    assert Handover.objects.get().recipient == person.audit_key
    assert AuditEvent.objects.latest("seq").actor == person.audit_key


def test_a_link_ends_by_itself_and_can_be_taken_back(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    ended, back = link(user), link(user)
    handover_links.revoke(principal=make.COMMAND, user=user, link_id=back.link.pk)
    with pytest.raises(LinkRefused, match="taken back"):
        handover_links.take(principal=VISITOR, token=back.token)
    later = clock.now() + HOUR + timedelta(seconds=1)

    def now() -> datetime:
        return later

    monkeypatch.setattr(handover_links.clock, "now", now)
    with pytest.raises(LinkRefused, match="expired"):
        handover_links.take(principal=VISITOR, token=ended.token)
    assert (state(ended), state(back)) == (LinkState.EXPIRED, LinkState.REVOKED)
    assert not Handover.objects.exists()


def test_an_opened_link_is_not_taken_back_and_another_users_is_not_there(user: User) -> None:
    made = link(user)
    other = make.user(user.account, "other")
    with pytest.raises(NotFound):
        handover_links.revoke(principal=make.COMMAND, user=other, link_id=made.link.pk)
    handover_links.take(principal=VISITOR, token=made.token)
    with pytest.raises(IdentityError, match="revoke the creds"):
        handover_links.revoke(principal=make.COMMAND, user=user, link_id=made.link.pk)


@pytest.mark.parametrize("loss", ["grant", "deactivated"])
def test_a_link_dies_with_the_right_of_whoever_made_it(user: User, loss: str) -> None:
    person = make.person(Role.ADMINISTRATOR)
    maker = replace(make.COMMAND, key=person.audit_key, person_id=person.pk)
    made = link(user, by=maker)
    if loss == "grant":
        Grant.objects.filter(person=person).delete()
    else:
        person.is_active = False
        person.save()
    with pytest.raises(LinkRefused, match="may not hand out"):
        handover_links.take(principal=VISITOR, token=made.token)
    assert not Handover.objects.exists()


def test_a_link_gives_nothing_of_who_was_deleted_or_suspended(user: User) -> None:
    made = link(user)
    suspended = suspensions.suspend(principal=make.COMMAND, user=user, version=user.version)
    with pytest.raises(kept_out.Suspended):
        handover_links.take(principal=VISITOR, token=made.token)
    assert state(made) is LinkState.OPEN
    suspended = suspensions.lift(principal=make.COMMAND, user=suspended, version=suspended.version)
    users.delete(principal=make.COMMAND, user=suspended, version=suspended.version)
    with pytest.raises(LinkRefused, match="gone"):
        handover_links.take(principal=VISITOR, token=made.token)


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({"for_name": "Bob", "lasting": timedelta(minutes=1)}, "lasting"),
        ({"for_name": "Bob", "lasting": timedelta(days=15)}, "lasting"),
        ({"for_name": " "}, "for_name"),
        ({"username": "nobody-there"}, "username"),
    ],
)
def test_a_link_that_would_not_do_is_refused(user: User, wish: dict[str, object], field: str) -> None:
    with pytest.raises(IdentityError) as refused:
        link(user, **wish)
    assert refused.value.field == field
    assert not HandoverLink.objects.exists()


def test_nobody_makes_or_takes_back_a_link_who_may_not_hand_out_the_creds(user: User) -> None:
    viewer = make.principal(Role.VIEWER)
    made = link(user)
    with pytest.raises(Forbidden):
        link(user, by=viewer)
    with pytest.raises(Forbidden):
        handover_links.revoke(principal=viewer, user=user, link_id=made.link.pk)
    bare = make.user(user.account, "bare", public_key=KeyPair.create(KeyKind.USER).public.text)
    with pytest.raises(creds.NoSeed):
        link(bare)


@pytest.mark.parametrize("token", ["", "x", "é", "a" * 500])
def test_a_token_that_nobody_made_opens_nothing(user: User, token: str) -> None:
    with pytest.raises(LinkRefused, match="opens nothing"):
        handover_links.take(principal=VISITOR, token=token)


def test_what_left_by_a_link_is_taken_back_as_all_else(user: User) -> None:
    made = link(user)
    handover_links.take(principal=VISITOR, token=made.token)
    done = taking_back.take_back(principal=make.COMMAND, recipient=f"link:{made.link.pk}")
    assert done.revoked == 1
    rows = handed_out.with_state(Handover.objects.all(), now=clock.unix())
    assert [row.state for row in rows] == ["revoked"]
