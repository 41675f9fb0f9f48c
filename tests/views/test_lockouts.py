"""The steps of a lockout as people see them, and where edits lead that begin one."""

from __future__ import annotations

import html
import json
from dataclasses import replace
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from identities.claims.account import SigningKey
from identities.claims.permissions import UserPermissionLimits
from identities.models import Account, AuditEvent, Job, JobState, User
from identities.policy.actions import Action
from identities.policy.principal import Role
from identities.services import accounts, changes, jobs, kicking, lockouts, revocations
from tests import make
from tests.pages import Visitor

pytestmark = pytest.mark.django_db


def user_url(name: str, user: User) -> str:
    return reverse(name, args=[user.operator.public_key, user.account.public_key, user.public_key])


def text(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return html.unescape(" ".join(answer.content.decode().split()))


def url(account: Account, job: Job, name: str = "lockout") -> str:
    return reverse(name, args=[account.operator.public_key, account.public_key, job.pk])


def step(**changed: Any) -> dict[str, Any]:
    return {
        "cluster": 1, "name": "Main", "push": "delivered", "away": [], "looked": True, "problem": "", "proven": True,
        "holdings": [{"server": "n1", "state": "there", "said": "jwt updated"}],
        "kicks": [{"name": "n1", "found": 2, "kicked": 1, "left": 0, "others": 0, "said": ""}],
        **changed,
    }  # fmt: skip


@pytest.fixture
def account() -> Account:
    return make.account(make.cluster().operator, "Orders")


@pytest.fixture
def job(account: Account) -> Job:
    entries = {make.user(account).public_key: 5}
    accounts.revoke(principal=make.COMMAND, account=account, entries=entries, reason="Deleted user x")
    return Job.objects.get(kind=lockouts.KIND)


def ended(job: Job, *steps: dict[str, Any]) -> None:
    result = {"clusters": list(steps), "proven": bool(steps) and all(one["proven"] for one in steps)}
    Job.objects.filter(pk=job.pk).update(state=JobState.DONE, result=json.dumps(result))


def test_deleting_suspending_and_a_new_key_lead_to_the_steps(account: Account) -> None:
    visitor = Visitor(make.client())
    users = [make.user(account) for _ in range(4)]
    deleted = visitor.send(
        visitor.open(user_url("user-delete", users[0])), confirm=users[0].name, revoke=True
    )
    assert "Deleted user" in deleted.text
    assert "/lockouts/" in deleted.url
    for name, user in (("user-suspend", users[1]), ("user-rotate", users[2])):
        address = user_url(name, user)
        page = visitor.send(visitor.open(address), action=address)
        if page.status == 422:  # what it means for the user is to be accepted first
            accept = page.response.context["form"].preview.code
            page = visitor.send(page, action=address, accept=accept)
        assert "/lockouts/" in page.url, (name, page.text)
        assert "Locking out" in page.text
    kept = visitor.send(visitor.open(user_url("user-delete", users[3])), confirm=users[3].name, revoke=False)
    assert "/lockouts/" not in kept.url


def test_who_lets_somebody_in_is_not_led_to_the_lockout_of_another_one(account: Account) -> None:
    visitor = Visitor(make.client())
    first, second = (make.user(account) for _ in range(2))
    for user in (second, first):
        page = visitor.send(visitor.open(user_url("user-suspend", user)), action="/suspend")
        assert f"Suspended user {user.name}" in page.text
    address = user_url("user-lift", second)
    page = visitor.send(visitor.open(address), action=address)
    if page.status == 422:
        page = visitor.send(page, action=address, accept=page.response.context["form"].preview.code)
    assert "/lockouts/" not in page.url
    assert page.url.startswith(user_url("user", second))


def test_without_a_cluster_edits_lead_where_they_always_did() -> None:
    visitor = Visitor(make.client())
    page = visitor.send(visitor.open(user_url("user-suspend", make.user())), action="/suspend")
    assert "revoked=1" in page.url


def test_disconnecting_says_that_the_client_may_come_back_and_is_recorded(account: Account) -> None:
    user = make.user(account, "alice")
    visitor = Visitor(make.client())
    form = visitor.open(user_url("user-disconnect", user))
    assert "come back at once" in form.text
    page = visitor.send(form, action="/disconnect")
    assert "Disconnected user alice" in page.text
    job = Job.objects.get(kind=lockouts.KIND)
    assert jobs.payload_of(job)["kick_only"] is True
    assert AuditEvent.objects.latest("seq").action == Action.USER_DISCONNECT


def test_a_disconnect_without_a_cluster_says_what_is_missing() -> None:
    visitor = Visitor(make.client())
    page = visitor.send(visitor.open(user_url("user-disconnect", make.user())), action="/disconnect")
    assert page.status == 422
    assert "Add a cluster first" in page.text


def test_viewers_see_the_steps_and_disconnect_nobody(account: Account, job: Job) -> None:
    client = make.client(Role.VIEWER)
    assert "Waiting for a worker" in text(client, url(account, job))
    assert client.get(user_url("user-disconnect", make.user(account))).status_code == 403
    ended(job, step())
    assert "Ask again" not in text(client, url(account, job))
    assert client.post(url(account, job, "lockout-again")).status_code == 403
    stranger = make.client(Role.VIEWER, operator=make.operator())
    assert stranger.get(url(account, job)).status_code == 404
    assert client.get(url(make.account(account.operator), job)).status_code == 404


def test_a_proven_lockout_says_so_and_asks_no_more(account: Account, job: Job) -> None:
    client = make.client()
    assert "hx-trigger" in text(client, url(account, job)).partition('id="steps"')[2].partition(">")[0]
    ended(job, step())
    shown = text(client, url(account, job))
    assert "It is out, on every server" in shown
    assert "1 of 1 servers have it." in shown
    assert "1 connection ended one by one. 1 connection ended by themselves." in shown
    assert "hx-trigger" not in shown.partition('id="steps"')[2].partition(">")[0]


def test_what_the_present_jwt_does_not_say_any_more_is_not_claimed(account: Account, job: Job) -> None:
    ended(job, step())
    client = make.client()
    account.refresh_from_db()
    assert "says so; the present one was issued at" in text(client, url(account, job))
    ((key, _),) = changes.claims_of(account).nats.revocations.items()
    revocations.clear(principal=make.COMMAND, account=account, key=key, version=account.version)
    shown = text(client, url(account, job))
    assert "Not in force any more" in shown
    assert f"{key} is not revoked by it" in shown
    assert "It was out, on every server, and may be back" in shown
    assert "It is out" not in shown


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"push": "partly", "away": ["n2"]}, "Away, so not asked: n2."),
        ({"push": "failed", "problem": "n1 refused it."}, "n1 refused it."),
        ({"push": "waiting"}, "Not delivered yet"),
        ({"looked": False, "problem": "Nothing listens there."}, "Nothing listens there."),
        ({"kicks": []}, "No server answered."),
        (
            {"kicks": [{"name": "n1", "found": 2, "kicked": 0, "left": 2, "others": 0, "said": ""}]},
            "n1: 2 connections left",
        ),
        (
            {
                "kicks": [
                    {"name": "n1", "found": 1, "kicked": 0, "left": 0, "others": 0, "said": kicking.NO_KICK}
                ]
            },
            "too old to end single connections",
        ),
    ],
)
def test_what_is_not_proven_is_told(account: Account, job: Job, changed: dict[str, Any], words: str) -> None:
    ended(job, step(proven=False, **changed))
    shown = text(make.client(), url(account, job))
    assert words in shown
    assert "Not proven on every server" in shown
    assert "It is out, on every server" not in shown


def test_where_nothing_was_sent_nobody_refused_it_and_nobody_was_disconnected(
    account: Account, job: Job
) -> None:
    ended(
        job,
        step(
            proven=False,
            push="held",
            holdings=[
                {"server": "n1", "state": "newer", "said": ""},
                {"server": "n2", "state": "held", "said": ""},
            ],
            kicks=[{"name": "n1", "found": 1, "kicked": 0, "left": 1, "others": 0, "said": ""}],
        ),
    )
    shown = text(make.client(), url(account, job))
    assert "n1: holds a newer one" in shown
    assert "n2: nothing was sent to it" in shown
    assert "refused it" not in shown
    assert "Nobody was disconnected" in shown
    assert "None had to be ended" not in shown
    assert f'<a href="{reverse("account-delivery", args=keys(account))}">Look at the account' in shown


def test_users_of_an_edited_role_are_said_to_come_back(account: Account) -> None:
    entry = SigningKey(
        key=make.user(account).public_key, role="reader", template=UserPermissionLimits.unlimited()
    )
    narrower = replace(entry, template=UserPermissionLimits())
    held = changes.claims_of(account)
    before, after = (replace(held, nats=replace(held.nats, signing_keys=(one,))) for one in (entry, narrower))
    job = lockouts.note(
        principal=make.COMMAND, account=account, before=before, after=after, reason="Edited a role of account"
    )
    assert job is not None
    ended(job, step())
    shown = text(make.client(), url(account, job))
    assert "<h1>Edited a role of account “Orders”: role “reader”</h1>" in shown
    assert "Users of the role come back with what it says now." in shown
    assert "It is out" not in shown
    assert "Locking out" not in shown


def test_it_can_be_asked_again(account: Account, job: Job) -> None:
    ended(job, step(proven=False))
    visitor = Visitor(make.client())
    page = visitor.send(visitor.open(url(account, job)), action="/again")
    again = Job.objects.filter(kind=lockouts.KIND).latest("pk")
    assert again.pk != job.pk
    assert jobs.payload_of(again) == jobs.payload_of(job)
    assert page.url.endswith(f"/{again.pk}")


def test_a_job_that_failed_says_why(account: Account, job: Job) -> None:
    Job.objects.filter(pk=job.pk).update(state=JobState.FAILED, error="The worker was stopped.")
    assert "The worker was stopped." in text(make.client(), url(account, job))


def test_the_last_ones_are_listed_beside_the_connections(account: Account, job: Job) -> None:
    client, address = make.client(Role.VIEWER), reverse("account-live", args=keys(account))
    other = make.account(account.operator)
    assert "Under way" in text(client, address)
    ended(job, step())
    shown = text(client, address)
    assert url(account, job) in shown
    assert "Proven" in shown
    ended(job, step(proven=False))
    assert "Not proven" in text(client, address)
    assert "Last locked out" not in text(client, reverse("account-live", args=keys(other)))


def keys(account: Account) -> list[str]:
    return [account.operator.public_key, account.public_key]
