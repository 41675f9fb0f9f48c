"""Mail to who may decide what waits, and to who asked once it is decided."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.mail import EmailMessage
from django.test import Client

from identities import lookup
from identities.management.commands import worker
from identities.models import Account, ActivationRequest, Grant, Job, Person, Proposal
from identities.nkeys import KeyKind, KeyPair
from identities.policy.principal import Principal, Role
from identities.services import activation_requests, clock, jobs, mails, proposals, waiting_mails
from tests import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Callable[[timedelta], None]:
    """Moves the clock on; mail is configured."""
    held: list[datetime] = [clock.now()]
    monkeypatch.setattr(clock, "now", lambda: held[-1])
    monkeypatch.setattr(clock, "unix", lambda: int(held[-1].timestamp()))
    settings.EMAIL_CONFIGURED = True
    return lambda pause: held.append(held[-1] + pause)


@pytest.fixture
def sent(later: Callable[[timedelta], None]) -> Callable[[], list[EmailMessage]]:
    """What is sent from now on until a little more than a minute has passed."""

    def run() -> list[EmailMessage]:
        before = len(mail.outbox)
        later(waiting_mails.GATHERED + timedelta(seconds=1))
        while jobs.work_once(worker.HANDLERS):
            pass
        return sorted(mail.outbox[before:], key=lambda one: one.to)

    return run


Sent = Callable[[], list[EmailMessage]]


@pytest.fixture
def orders(db: None) -> Account:
    """Exports `orders.>` privately."""
    account = make.account(make.operator("Main"), "Orders")
    make.export(account, "orders.>", token_req=True)
    return account


def reachable(name: str, role: Role = Role.ADMINISTRATOR, **scope: Any) -> Person:
    """Somebody with an address."""
    person = make.person(role, username=name, **scope)
    Person.objects.filter(pk=person.pk).update(email=f"{name}@example.com")
    return person


def as_principal(person: Person) -> Principal:
    return lookup.person_principal(person)


def readers(messages: list[EmailMessage]) -> list[str]:
    return [one.to[0].partition("@")[0] for one in messages]


def test_who_may_approve_is_told_and_nobody_else(orders: Account, sent: Sent, settings: Any) -> None:
    author = reachable("author")
    reachable("owner")
    reachable("chief", operator=orders.operator)
    reachable("admin", account=orders)
    reachable("viewer", Role.VIEWER)
    reachable("elsewhere", operator=make.operator("Other"))
    make.person(Role.ADMINISTRATOR, username="unreachable")
    off = reachable("off")
    Person.objects.filter(pk=off.pk).update(is_active=False)
    member = make.staff(Role.ADMINISTRATOR, operator=orders.operator).person
    Person.objects.filter(pk=member.pk).update(email="member@example.com")
    made = make.proposal(orders, by=as_principal(author))
    assert not mail.outbox
    messages = sent()
    assert readers(messages) == ["admin", "chief", "member", "owner"]
    assert {one.subject for one in messages} == {"nscweb: a decision waits for you"}
    assert f"- author proposes, under “Main”: {made.summary}" in messages[0].body
    address = f"/operators/{orders.operator.public_key}/proposals/{made.pk}"
    assert f"  {settings.NSCWEB_URL}{address}\n" in messages[0].body
    assert make.client().get(address).status_code == 200
    assert not sent()


def test_what_comes_up_within_a_minute_is_one_mail(
    orders: Account, sent: Sent, later: Callable[[timedelta], None]
) -> None:
    reachable("owner")
    for number in range(3):
        make.proposal(orders, f"number {number}")
        later(timedelta(seconds=10))
    (message,) = sent()
    assert message.subject == "nscweb: 3 decisions wait for you"
    assert message.body.count(" proposes, under ") == 3


def test_what_comes_up_just_before_a_mail_goes_out_has_one_of_its_own(
    orders: Account, sent: Sent, later: Callable[[timedelta], None]
) -> None:
    """Its transaction may not be committed yet when the first is sent."""
    reachable("owner")
    make.proposal(orders, "first")
    later(timedelta(seconds=50))
    make.proposal(orders, "second")
    assert [one.body.count(" proposes, under ") for one in sent()] == [2, 1]


def test_many_are_told_by_the_first_of_them(
    orders: Account, sent: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting_mails, "MOST_TOLD", 2)
    reachable("owner")
    for number in range(5):
        make.proposal(orders, f"number {number}")
    (message,) = sent()
    assert message.subject == "nscweb: 5 decisions wait for you"
    assert message.body.count(" proposes, under ") == 2
    assert "… and 3 more" in message.body


def test_what_was_decided_meanwhile_waits_for_nobody(orders: Account, sent: Sent) -> None:
    reachable("owner")
    author = make.principal()
    made = make.proposal(orders, by=author)
    proposals.withdraw(principal=author, proposal=made)
    assert not sent()


def test_who_lost_the_right_meanwhile_is_told_nothing(orders: Account, sent: Sent) -> None:
    admin = reachable("admin", account=orders)
    make.proposal(orders)
    Grant.objects.filter(person=admin).delete()
    assert not sent()


@pytest.mark.parametrize("how", ["approve", "decline"])
def test_the_author_is_told_what_became_of_it(orders: Account, sent: Sent, how: str) -> None:
    author = reachable("author")
    made = make.proposal(orders, by=as_principal(author))
    assert not sent()
    getattr(proposals, how)(principal=make.principal(), proposal=made)
    (message,) = sent()
    decided = Proposal.objects.get(pk=made.pk)
    assert decided.state in ("approved", "declined")
    assert message.to == ["author@example.com"]
    assert message.subject == "nscweb: what you asked for was decided"
    said = f"- Proposal {made.pk} was {decided.state} by {decided.decided_by}: {made.summary}"
    assert said in message.body


def test_an_author_is_told_that_it_went_stale(orders: Account, sent: Sent) -> None:
    author = reachable("author")
    made = make.proposal(orders, by=as_principal(author))
    make.export(Account.objects.get(pk=orders.pk), "invoices.>")
    proposals.approve(principal=make.principal(), proposal=made)
    (message,) = sent()
    assert f"Proposal {made.pk} was found stale by " in message.body


def test_who_takes_back_what_they_asked_is_not_told_so(orders: Account, sent: Sent) -> None:
    author = reachable("author")
    made = make.proposal(orders, by=as_principal(author))
    proposals.again(principal=as_principal(author), proposal=made)
    made = Proposal.objects.latest("pk")
    proposals.decline(principal=as_principal(author), proposal=made)
    assert not sent()


def test_of_what_a_machine_proposed_who_made_its_token_is_told_nothing(orders: Account, sent: Sent) -> None:
    maker, owner = reachable("maker"), reachable("owner")
    made = make.proposal(orders, by=make.machine(orders.operator, by=as_principal(maker)))
    assert made.author == maker
    assert readers(sent()) == ["owner"]
    proposals.approve(principal=as_principal(owner), proposal=made)
    assert not sent()


def test_who_may_grant_a_request_is_told_with_what_they_may_see(
    orders: Account, sent: Sent, settings: Any
) -> None:
    desk = make.account(orders.operator, "Desk")
    asker = reachable("asker", account=desk)
    reachable("admin", account=orders)
    reachable("viewer", Role.VIEWER, account=orders)
    made = make.activation_request(
        desk, orders, "orders.new", by=as_principal(asker), reason="for the reports"
    )
    (message,) = sent()
    assert message.to == ["admin@example.com"]
    assert message.subject == "nscweb: a decision waits for you"
    assert "- “Desk” asks “Orders” for the stream orders.new\n" in message.body
    (address,) = [line.strip() for line in message.body.splitlines() if "http" in line]
    path = address.removeprefix(settings.NSCWEB_URL)
    browser = Client()
    browser.force_login(Person.objects.get(username="admin"))
    assert f"/requests/{made.pk}" in path and browser.get(path).status_code == 200


@pytest.mark.parametrize("how", ["grant", "decline"])
def test_who_asked_is_told_the_answer(orders: Account, sent: Sent, settings: Any, how: str) -> None:
    desk = make.account(orders.operator, "Desk")
    asker = reachable("asker", account=desk)
    made = make.activation_request(desk, orders, "orders.new", by=as_principal(asker))
    answer = getattr(activation_requests, how)
    answer(principal=make.principal(account=orders), account=orders, request=made)
    (message,) = sent()
    state = ActivationRequest.objects.get(pk=made.pk).state
    assert message.to == ["asker@example.com"]
    assert f"- The request of “Desk” for orders.new was {state} by " in message.body
    assert "Orders" not in message.body, "who asked may not see that account"
    (address,) = [line.strip() for line in message.body.splitlines() if "http" in line]
    browser = Client()
    browser.force_login(asker)
    assert browser.get(address.removeprefix(settings.NSCWEB_URL)).status_code == 200


def test_of_a_key_that_stands_nowhere_here_nobody_is_told(orders: Account, sent: Sent) -> None:
    reachable("owner")
    make.activation_request(orders, KeyPair.create(KeyKind.ACCOUNT).public.text, "far.>")
    assert not sent()


def test_without_mail_nothing_is_queued(orders: Account) -> None:
    reachable("owner")
    made = make.proposal(orders, by=as_principal(reachable("author")))
    proposals.decline(principal=make.principal(), proposal=made)
    assert not Job.objects.filter(kind=waiting_mails.KIND).exists()


def test_a_mail_server_that_is_away_is_asked_again(
    orders: Account, sent: Sent, later: Callable[[timedelta], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    reachable("owner")
    make.proposal(orders)

    def away(*args: object, **more: object) -> None:
        raise ConnectionRefusedError("no mail server")

    with monkeypatch.context() as patched:
        patched.setattr(mails, "send_mail", away)
        assert not sent()
    assert Job.objects.get(kind=waiting_mails.KIND).state == "queued"
    later(timedelta(minutes=10))
    assert readers(sent()) == ["owner"]
