"""A forgotten password: who gets a link, what it opens and for how long, and what nobody can find out by it."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.core import mail
from django.core.management import CommandError, call_command
from django.test import Client

from identities.errors import IdentityError
from identities.lookup import person_principal
from identities.management.commands.worker import HANDLERS
from identities.models import AuditEvent, Job, JobState, Person, SignInFailure
from identities.policy.decisions import Forbidden
from identities.policy.principal import Principal, Role
from identities.services import jobs, mails, people, resets, second_factors
from tests import make
from tests.authenticators import app_of
from tests.together import at_once

pytestmark = pytest.mark.django_db
NOBODY = Principal.nobody("192.0.2.1")
NEW = "a quite different passphrase"
LINK = re.compile(r"http://localhost:8000/account/new-password/(\d+)/([^/\s]+)/")


@pytest.fixture
def alice(settings: Any) -> Person:
    settings.EMAIL_CONFIGURED = True
    make.installation()
    person = make.person(username="alice")
    Person.objects.filter(pk=person.pk).update(email="alice@example.com")
    return Person.objects.get(pk=person.pk)


def ask(typed: str) -> None:
    resets.ask(typed=typed, address="192.0.2.1")


def work() -> None:
    while jobs.work_once(HANDLERS):
        pass


def halves(link: str) -> tuple[int, str]:
    found = LINK.search(link)
    assert found is not None, link
    return int(found[1]), found[2]


def mailed() -> tuple[int, str]:
    work()
    return halves(str(mail.outbox[-1].body))


def use(number: int, token: str, password: str = NEW) -> Person:
    return resets.use(principal=NOBODY, number=number, token=token, password=password)


def signs_in(password: str) -> bool:
    return authenticate(username="alice", password=password) is not None


@pytest.mark.parametrize("typed", ["alice", " ALICE ", "alice@example.com", "Alice@Example.com"])
def test_a_link_goes_to_the_address_that_is_kept(alice: Person, typed: str) -> None:
    ask(typed)
    number, token = mailed()
    assert mail.outbox[0].to == ["alice@example.com"]
    assert use(number, token) == alice
    said = list(AuditEvent.objects.order_by("-seq").values_list("action", "summary")[:2])
    assert said == [
        ("person.reset-password", "Set a new password of “alice”"),
        ("person.reset-password", "Mailed a link to “alice”"),
    ]
    assert alice.check_password(make.PASSWORD)
    assert Person.objects.get().check_password(NEW)


def test_a_link_works_once_and_ends_those_before(alice: Person) -> None:
    ask("alice")
    first = mailed()
    ask("alice")
    second = mailed()
    use(*second)
    for link in (first, second):
        with pytest.raises(resets.ResetRefused):
            use(*link, password="yet another passphrase")


@pytest.mark.django_db(transaction=True)
def test_a_link_that_is_used_twice_at_once_sets_one_password() -> None:
    make.installation()
    person = make.person(username="alice")
    link = halves(resets.link_for(principal=make.COMMAND, person=person))
    refused = at_once(lambda: use(*link, password=NEW), lambda: use(*link, password=NEW + " 2"))
    assert [type(error) for error in refused] == [resets.ResetRefused]


def test_a_link_opens_nothing_after_its_hours(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    link = halves(resets.link_for(principal=make.COMMAND, person=alice))
    assert resets.opens(*link) == alice
    later = datetime.now() + timedelta(hours=resets.hours(), seconds=2)  # noqa: DTZ005 - as Django counts it
    monkeypatch.setattr(resets._tokens, "_now", lambda: later)
    assert resets.opens(*link) is None


def test_a_sign_in_ends_a_link(alice: Person) -> None:
    link = halves(resets.link_for(principal=make.COMMAND, person=alice))
    Client().post("/account/login/", {"login": "alice", "password": make.PASSWORD})
    assert resets.opens(*link) is None


def test_a_link_of_somebody_else_or_a_changed_one_opens_nothing(alice: Person) -> None:
    bob = make.person(username="bob")
    number, token = halves(resets.link_for(principal=make.COMMAND, person=alice))
    for other in [(bob.pk, token), (number, token[:-1]), (number, token + "a"), (number, ""), (0, token)]:
        assert resets.opens(*other) is None
        with pytest.raises(resets.ResetRefused):
            use(*other)
    Person.objects.filter(pk=alice.pk).update(is_active=False)
    assert resets.opens(number, token) is None


@pytest.mark.parametrize("password", ["short", "password1234", "alice-alice"])
def test_a_weak_password_is_refused_and_the_link_stays(alice: Person, password: str) -> None:
    link = halves(resets.link_for(principal=make.COMMAND, person=alice))
    with pytest.raises(IdentityError) as refused:
        use(*link, password=password)
    assert refused.value.field == "password"
    assert resets.opens(*link) == alice


def test_a_new_password_ends_all_sessions_and_keeps_second_factors(alice: Person) -> None:
    app_of(person_principal(alice))
    client = Client()
    client.force_login(alice)
    use(*halves(resets.link_for(principal=make.COMMAND, person=alice)))
    assert client.get("/account/").status_code == 302
    assert second_factors.has_one(alice)
    answer = client.post("/account/login/", {"login": "alice", "password": NEW})
    assert answer["Location"] == "/account/second-step/"


def test_a_new_password_does_not_forget_wrong_codes(alice: Person) -> None:
    """Else somebody who reads the mail could try codes without end."""
    for _ in range(people.FAILURES_ALLOWED):
        people.record_failure(username="alice", address="")
    use(*halves(resets.link_for(principal=make.COMMAND, person=alice)))
    assert not people.may_try("alice")


@pytest.mark.parametrize("typed", ["bob", "nobody@example.com", "", "  ", "x" * 254, "\x00"])
def test_for_an_unknown_name_the_same_happens_and_nobody_is_written_to(alice: Person, typed: str) -> None:
    before = AuditEvent.objects.count()
    ask(typed)
    assert Job.objects.get().payload == '{"people": []}'
    work()
    assert Job.objects.get().state == JobState.DONE
    assert not mail.outbox
    assert AuditEvent.objects.count() == before
    assert typed not in SignInFailure.objects.get().username or not typed


def test_who_has_no_address_or_signs_in_elsewhere_or_is_switched_off_gets_none(alice: Person) -> None:
    for values in ({"email": ""}, {"password": "!"}, {"is_active": False}):
        make_one = Person.objects.create(
            username=f"p{len(values)}{next(iter(values))}", email="p@example.com"
        )
        make_one.set_password(make.PASSWORD)
        make_one.save()
        Person.objects.filter(pk=make_one.pk).update(**values)
        ask(make_one.username)
    work()
    assert not mail.outbox


def test_so_many_mails_go_to_one_person_and_more_later(
    alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    for typed in ("alice", "ALICE", "alice@example.com", "alice"):
        ask(typed)
    work()
    assert len(mail.outbox) == resets.MOST
    later = people.clock.now() + people.WINDOW + timedelta(seconds=1)
    monkeypatch.setattr(people.clock, "now", lambda: later)
    ask("alice")
    work()
    assert len(mail.outbox) == resets.MOST + 1
    assert people.may_try("alice")


def test_no_link_stands_in_a_job_or_in_the_audit(alice: Person) -> None:
    ask("alice")
    _, token = mailed()
    kept = f"{list(Job.objects.values())}{list(AuditEvent.objects.values())}"
    assert token not in kept


def test_a_mail_server_that_is_away_is_tried_again(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*args: object, **kwargs: object) -> None:
        raise ConnectionRefusedError

    with monkeypatch.context() as patched:
        patched.setattr(mails, "send_mail", away)
        ask("alice")
        work()
    assert Job.objects.get().state == JobState.QUEUED
    Job.objects.update(run_at=people.clock.now())
    work()
    assert len(mail.outbox) == 1


def test_an_owner_makes_a_link_and_others_do_not(alice: Person) -> None:
    bob = make.person(Role.VIEWER, username="bob")
    assert halves(resets.link_for(principal=person_principal(alice), person=bob))[0] == bob.pk
    assert AuditEvent.objects.order_by("-seq")[0].summary == "Made a link for a new password of “bob”"
    with pytest.raises(Forbidden):
        resets.link_for(principal=person_principal(bob), person=alice)
    Person.objects.filter(pk=bob.pk).update(is_active=False)
    bob.refresh_from_db()
    with pytest.raises(IdentityError, match="Switch them on"):
        resets.link_for(principal=person_principal(alice), person=bob)


def test_the_command_prints_a_link(alice: Person, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("reset_password", "ALICE")
    assert use(*halves(capsys.readouterr().out)) == alice


def test_the_command_removes_lost_factors_when_asked(alice: Person) -> None:
    app_of(person_principal(alice))
    call_command("reset_password", "alice")
    assert second_factors.has_one(alice)
    call_command("reset_password", "alice", second_factors=True)
    assert not second_factors.has_one(alice)


def test_the_command_says_whom_it_does_not_know(alice: Person) -> None:
    with pytest.raises(CommandError, match="Nobody signs in as “bob”"):
        call_command("reset_password", "bob")
    with pytest.raises(CommandError, match="no second factor"):
        call_command("reset_password", "alice", second_factors=True)
