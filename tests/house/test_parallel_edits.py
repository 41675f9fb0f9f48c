"""Two people edit the same thing: the second is told by whom and how, loses nothing, and can save again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from identities.models import Account, IssuedToken, Operator, User
from identities.services import audit
from tests import make
from tests.pages import Page, Visitor
from tests.together import at_once

Typed = Mapping[str, Any]
MODELS: Mapping[str, Any] = {"operator": Operator, "account": Account, "user": User}


@dataclass(frozen=True, kw_only=True)
class Edit:
    """What two people type into one form: `field` both, differently; the rest each alone."""

    field: str
    anns: str
    bobs: str
    ann_alone: Typed
    bob_alone: Typed
    then: Typed = field(default_factory=dict)
    """How what Bob alone typed stands in the form afterwards, where that differs."""

    @property
    def ann(self) -> dict[str, Any]:
        return {self.field: self.anns, **self.ann_alone}

    @property
    def bob(self) -> dict[str, Any]:
        return {self.field: self.bobs, **self.bob_alone}


EDITS: Mapping[str, Edit] = {
    "operator-edit": Edit(
        field="tags",
        anns="env:ann",
        bobs="env:bob",
        ann_alone={"service_urls": "nats://ann:4222", "name": "Anns"},
        bob_alone={"account_server_url": "nats://bob:4222", "expires": "2040-01-01"},
        then={"expires": "2040-01-01 00:00:00 UTC"},
    ),
    "account-edit": Edit(
        field="description",
        anns="Two lines\nof Ann.",
        bobs="Bob's.",
        ann_alone={"tags": "a:1\nb:2", "expires": "2041-02-03 04:05:06 UTC"},
        bob_alone={"info_url": "https://bob.example.com", "name": "Bobs"},
    ),
    "account-limits": Edit(
        field="imports",
        anns="10",
        bobs="1,000",
        ann_alone={"exports": "10", "wildcards": False},
        bob_alone={"data": "1 KiB"},
    ),
    "user-edit": Edit(
        field="pub_allow",
        anns="ann.>\nshared",
        bobs="bob.>",
        ann_alone={"tags": "team:ann", "subs": "5", "connection_types": ["STANDARD", "MQTT"]},
        bob_alone={"src": "192.0.2.0/24", "can_answer": True, "resp_ttl": "5s"},
    ),
}


@pytest.fixture
def user(db: None) -> User:
    return make.user(make.account(make.operator("Main"), "Orders"), "plain")


def address(name: str, user: User) -> str:
    keys = [user.operator.public_key, user.account.public_key, user.public_key]
    return reverse(name, args=keys[: {"operator": 1, "account": 2, "user": 3}[name.partition("-")[0]]])


def named(username: str) -> Visitor:
    client = Client()
    client.force_login(make.person(username=username))
    return Visitor(client)


def stands(page: Page, target: str, typed: Typed) -> None:
    """The form holds exactly what was typed."""
    values = page.form(action=target).values
    for name, value in typed.items():
        expected = {True: ["on"], False: []}.get(value) if isinstance(value, bool) else value
        held = values.get(name, [])
        assert held == (expected if isinstance(expected, list) else [expected]), name


@pytest.mark.parametrize("name", EDITS)
def test_the_second_sees_who_and_both_values_keeps_all_that_was_typed_and_saves_again(
    user: User, name: str
) -> None:
    edit, target = EDITS[name], address(name, user)
    ann, bob = named("ann"), named("bob")
    anns_page, bobs_page = ann.open(target), bob.open(target)
    assert bob.send(bobs_page, action=target, **edit.bob).status == 200

    refused = ann.send(anns_page, action=target, **edit.ann)
    assert refused.status == 409
    assert "was changed by bob meanwhile" in refused.text
    clash = {one.label: (one.theirs, one.yours) for one in refused.response.context["form"].differences}
    assert (edit.bobs, edit.anns) in clash.values()
    for value in (edit.bobs, edit.anns):
        assert " ".join(value.split()) in refused.text
    stands(refused, target, {**edit.bob_alone, **edit.then, **edit.ann})  # theirs, where nobody typed here
    assert ann.open(target).form(action=target).values[edit.field] == [edit.bobs]

    saved = ann.send(refused, action=target)  # as it stands: "mine"
    assert saved.status == 200 and "Saved" in saved.text, saved.text
    stands(ann.open(target), target, {**edit.bob_alone, **edit.then, **edit.ann})


@pytest.mark.parametrize("name", EDITS)
def test_who_is_overtaken_twice_is_told_twice(user: User, name: str) -> None:
    edit, target = EDITS[name], address(name, user)
    ann, bob = named("ann"), named("bob")
    page = ann.open(target)
    for _ in range(2):
        assert bob.send(bob.open(target), action=target, **edit.bob).status == 200
        page = ann.send(page, action=target, **edit.ann)
        assert page.status == 409
        stands(page, target, edit.ann)
        other = {**edit.bob, edit.field: "" if name != "account-limits" else "7"}
        assert bob.send(bob.open(target), action=target, **other).status == 200
    page = ann.send(page, action=target)
    assert page.status == 409  # Bob's last change came after it was shown
    assert ann.send(page, action=target).status == 200
    stands(ann.open(target), target, edit.ann)


@pytest.mark.parametrize("name", [*EDITS, "operator-delete", "account-delete", "user-delete"])
def test_what_somebody_deleted_meanwhile_is_neither_saved_nor_a_fault(user: User, name: str) -> None:
    target, noun = address(name, user), name.partition("-")[0]
    ann, bob = named("ann"), named("bob")
    page, doomed = ann.open(target), address(f"{noun}-delete", user)
    confirm = {"operator": "Main", "account": "Orders", "user": "plain"}[noun]
    assert bob.send(bob.open(doomed), action=doomed, confirm=confirm).status == 200
    tokens = IssuedToken.objects.count()
    typed = EDITS[name].ann if name in EDITS else {"confirm": confirm}
    assert ann.send(page, action=target, **typed).status == 404
    assert IssuedToken.objects.count() == tokens


def test_of_a_bearer_user_whose_old_jwt_stays_sealed_nothing_is_taken_over_in_silence(user: User) -> None:
    target, edit = address("user-edit", user), EDITS["user-edit"]
    ann, bob = named("ann"), named("bob")
    ann.send(ann.open(target), action=target, bearer_token=True)
    anns_page = ann.open(target)
    bob.send(bob.open(target), action=target, **edit.bob)
    refused = ann.send(anns_page, action=target, **edit.ann)
    assert refused.status == 409
    differing = {one.label: (one.theirs, one.yours) for one in refused.response.context["form"].differences}
    assert differing["Source networks"] == ("192.0.2.0/24", "")
    assert differing["May publish to"] == (edit.bobs, edit.anns)
    stands(refused, target, edit.ann)


@pytest.mark.parametrize("noun", ["operator", "account", "user"])
def test_a_deletion_asked_for_before_a_change_shows_the_change_first(user: User, noun: str) -> None:
    doomed, edited = address(f"{noun}-delete", user), address(f"{noun}-edit", user)
    confirm = {"operator": "Main", "account": "Orders", "user": "plain"}[noun]
    ann, bob = named("ann"), named("bob")
    page = ann.open(doomed)
    assert bob.send(bob.open(edited), action=edited, tags="bobs").status == 200
    refused = ann.send(page, action=doomed, confirm=confirm)
    assert refused.status == 409
    assert "was changed by bob meanwhile" in refused.text
    assert not MODELS[noun].objects.exclude(deleted_at=None).exists()
    assert ann.send(refused, action=doomed, confirm=confirm).status == 200


ROUNDS = 4
TYPED: Mapping[str, str] = {
    "operator-edit": "number:{}",
    "account-edit": "Number {}.",
    "account-limits": "{}",
    "user-edit": "number.{}.>",
}
"""What is typed into the field of the clash, with a number that is new each time."""


@pytest.mark.django_db(transaction=True)
@pytest.mark.slow
@pytest.mark.parametrize("name", EDITS)
def test_of_two_saves_at_the_same_moment_one_wins_and_the_other_is_told(user: User, name: str) -> None:
    held, target = EDITS[name].field, address(name, user)
    people = {"ann": named("ann"), "bob": named("bob")}
    model = MODELS[name.partition("-")[0]]
    (row,) = model.objects.filter(name__in=["Main", "Orders", "plain"])
    for number in range(ROUNDS):
        typed = {"ann": TYPED[name].format(10 + number), "bob": TYPED[name].format(50 + number)}
        pages = {who: visitor.open(target) for who, visitor in people.items()}
        answers = together(people, pages, target, {who: {held: value} for who, value in typed.items()})
        assert sorted(answer.status for answer in answers.values()) == [200, 409]
        winner, loser = sorted(answers, key=lambda who: answers[who].status)
        assert f"was changed by {winner} meanwhile" in answers[loser].text
        stands(people[loser].open(target), target, {held: typed[winner]})
        stands(answers[loser], target, {held: typed[loser]})
        version = row.version
        row.refresh_from_db()
        assert row.version == version + 1
    assert audit.first_broken() is None


@pytest.mark.django_db(transaction=True)
@pytest.mark.slow
def test_saves_of_different_things_at_the_same_moment_are_all_kept(user: User) -> None:
    names = [*EDITS, "user-edit of another"]
    other = make.user(make.account(user.operator, "Other"), "other")
    targets = {name: address(name.split()[0], other if "another" in name else user) for name in names}
    del targets["account-limits"]  # of the account that is edited: that would be a clash
    people = {name: named(name) for name in targets}
    pages = {name: people[name].open(target) for name, target in targets.items()}
    typed = {name: EDITS[name.split()[0]].ann_alone for name in targets}
    answers = together(people, pages, targets, typed)
    assert {answer.status for answer in answers.values()} == {200}
    for name, target in targets.items():
        stands(people[name].open(target), target, typed[name])
    assert audit.first_broken() is None


@pytest.mark.django_db(transaction=True)
@pytest.mark.slow
@pytest.mark.parametrize("noun", ["operator", "account", "user"])
def test_of_an_edit_and_a_deletion_at_the_same_moment_one_wins(user: User, noun: str) -> None:
    edited, doomed = address(f"{noun}-edit", user), address(f"{noun}-delete", user)
    people = {"edit": named("ann"), "delete": named("bob")}
    targets = {"edit": edited, "delete": doomed}
    pages = {what: people[what].open(target) for what, target in targets.items()}
    confirm = {"operator": "Main", "account": "Orders", "user": "plain"}[noun]
    answers = together(people, pages, targets, {"edit": {"tags": "a:b"}, "delete": {"confirm": confirm}})
    deleted = MODELS[noun].objects.exclude(deleted_at=None).filter(name=confirm).exists()
    statuses = {what: answer.status for what, answer in answers.items()}
    if deleted:  # an edit that came later finds nothing, or that it is gone
        assert statuses["delete"] == 200
        assert statuses["edit"] in (404, 409)
    else:
        assert statuses == {"edit": 200, "delete": 409}
    assert audit.first_broken() is None


def together(
    people: Mapping[str, Visitor],
    pages: Mapping[str, Page],
    target: str | Mapping[str, str],
    typed: Mapping[str, Typed],
) -> dict[str, Page]:
    """Everybody sends their form at the same moment; what each was answered."""
    answers: dict[str, Page] = {}

    def send(who: str) -> None:
        action = target if isinstance(target, str) else target[who]
        answers[who] = people[who].send(pages[who], action=action, **typed[who])

    raised = at_once(*[lambda who=who: send(who) for who in people])  # type: ignore[misc]
    assert not raised
    return answers
