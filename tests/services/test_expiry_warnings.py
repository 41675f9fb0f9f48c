"""Warnings before something expires: at which days, once each, to which webhooks and by mail to whom."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import transaction
from django.test.utils import CaptureQueriesContext

from identities.claims import sharing
from identities.claims.drafts import ActivationDraft
from identities.models import Job, Operator, Person, User, Warned, Webhook, WebhookMessage
from identities.nkeys import KeyKind, KeyPair
from identities.policy.principal import Role
from identities.services import (
    activations,
    api_tokens,
    changes,
    clock,
    expiry_warnings,
    jobs,
    mails,
    service_accounts,
    users,
    webhook_messages,
)
from tests import make

pytestmark = pytest.mark.django_db

DAY = 86_400


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[datetime]]:
    """The clock: its last entry is the time."""
    held = [clock.now()]
    monkeypatch.setattr(clock, "now", lambda: held[-1])
    monkeypatch.setattr(clock, "unix", lambda: int(held[-1].timestamp()))
    return iter([held])


@pytest.fixture
def hook(db: None) -> Webhook:
    make.installation()
    return make.webhook(None, "All")


def told(hook: Webhook) -> list[tuple[int, list[str]]]:
    """Days and names of each warning, oldest first."""
    rows = WebhookMessage.objects.filter(webhook=hook, kind=webhook_messages.EXPIRY).order_by("pk")
    bodies = [json.loads(row.body) for row in rows]
    assert all(body["type"] == "expiry.warning" for body in bodies)
    return [(body["data"]["days"], [one["name"] for one in body["data"]["objects"]]) for body in bodies]


def in_days(number: float) -> int:
    return clock.unix() + int(number * DAY)


def test_it_warns_at_thirty_seven_and_one_day_once_each(hook: Webhook, now: Iterator[list[datetime]]) -> None:
    (held,) = now
    begin = held[-1]
    make.account(make.operator("Main"), "Shop", expires=in_days(40))
    found = []
    for hours in range(0, 41 * 24, 12):
        held.append(begin + timedelta(hours=hours))
        before = len(told(hook))
        expiry_warnings.warn()
        assert expiry_warnings.warn() == 0
        found += [(hours / 24, days) for days, names in told(hook)[before:] if names == ["Shop"]]
    assert found == [(10.0, 30), (33.0, 7), (39.0, 1)]


def test_every_kind_of_object_is_warned_of(hook: Webhook, now: Iterator[list[datetime]]) -> None:
    (held,) = now
    operator = make.operator("Main", expires=in_days(10))
    shop = make.account(operator, "Shop", expires=in_days(10))
    make.user(shop, "ann", expires=in_days(10))
    make.export(shop, "orders.>", token_req=True)
    handle = sharing.export_handles(changes.claims_of(shop).nats.exports)[0]
    wanted = ActivationDraft(
        target=KeyPair.create(KeyKind.ACCOUNT).public.text, subject="orders.>", expires=in_days(10)
    )
    activations.issue(principal=make.COMMAND, account=shop, handle=handle, draft=wanted)
    machine = service_accounts.create(principal=make.COMMAND, name="pipeline")
    ends = held[-1] + timedelta(days=10)
    api_tokens.make(principal=make.COMMAND, holder=machine, name="deploy", expires_at=ends)
    assert expiry_warnings.warn() == 0
    held.append(held[-1] + timedelta(days=4))
    expiry_warnings.warn()
    bodies = [json.loads(row.body)["data"] for row in WebhookMessage.objects.order_by("pk")]
    assert {body["days"] for body in bodies} == {7}
    objects = [one for body in bodies for one in body["objects"]]
    assert [(one["kind"], one["operator"], one["account"]) for one in objects] == [
        ("operator", "Main", ""),
        ("account", "Main", "Shop"),
        ("user", "Main", "Shop"),
        ("activation", "Main", "Shop"),
        ("token", "", ""),
    ]
    assert objects[0]["key"] == operator.public_key
    assert objects[-1]["name"] == "deploy of pipeline"
    assert {one["expires"][:16] for one in objects} == {ends.isoformat()[:16]}


def test_what_was_found_late_is_warned_of_once_at_the_nearest_day(
    hook: Webhook, now: Iterator[list[datetime]]
) -> None:
    (held,) = now
    make.operator("Main", expires=in_days(40))
    held.append(held[-1] + timedelta(days=39, hours=12))
    assert expiry_warnings.warn() == 1
    assert told(hook) == [(1, ["Main"])]
    held.append(held[-1] + timedelta(hours=1))
    assert expiry_warnings.warn() == 0


def test_what_is_made_for_less_than_the_days_is_not_warned_of(
    hook: Webhook, now: Iterator[list[datetime]]
) -> None:
    (held,) = now
    account = make.account()
    make.user(account, "for an hour", expires=clock.unix() + 3600)
    make.user(account, "for five days", expires=in_days(5))
    assert expiry_warnings.warn() == 0
    held.append(held[-1] + timedelta(days=4, hours=1))
    assert expiry_warnings.warn() == 1
    assert told(hook) == [(1, ["for five days"])]


def test_what_was_renewed_is_warned_of_again_and_what_was_deleted_not(
    hook: Webhook, now: Iterator[list[datetime]]
) -> None:
    (held,) = now
    account = make.account()
    gone, kept = (make.user(account, name, expires=in_days(10)) for name in ("gone", "kept"))
    held.append(held[-1] + timedelta(days=4))
    users.delete(principal=make.COMMAND, user=gone, version=gone.version)
    assert expiry_warnings.warn() == 1
    User.objects.filter(pk=kept.pk).update(expires=in_days(20))
    assert expiry_warnings.warn() == 0
    held.append(held[-1] + timedelta(days=14))
    assert expiry_warnings.warn() == 1
    assert told(hook) == [(7, ["kept"]), (7, ["kept"])]


def test_a_webhook_of_an_operator_hears_of_its_own_and_one_without_warnings_nothing(
    now: Iterator[list[datetime]],
) -> None:
    (held,) = now
    operators = {name: make.operator(name, expires=in_days(10)) for name in ("Mine", "Other")}
    mine = make.webhook(operators["Mine"], "mine")
    silent, off = make.webhook(None, "silent", warnings=False), make.webhook(None, "off")
    Webhook.objects.filter(pk=off.pk).update(is_active=False)
    held.append(held[-1] + timedelta(days=4))
    expiry_warnings.warn()
    assert told(mine) == [(7, ["Mine"])]
    assert told(silent) == told(off) == []


def test_thousands_are_one_message_that_names_the_first(
    hook: Webhook, now: Iterator[list[datetime]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiry_warnings, "MOST_TOLD", 3)
    (held,) = now
    make.many_users(make.account(), [f"u{number}" for number in range(8)], expires=in_days(3))
    held.append(held[-1] + timedelta(days=2, hours=1))
    assert expiry_warnings.warn() == 8
    (message,) = WebhookMessage.objects.filter(kind=webhook_messages.EXPIRY)
    data = json.loads(message.body)["data"]
    assert len(data["objects"]) == 3
    assert data["more_objects"] == 5


# --- mail


def admin(address: str, **scope: Any) -> Person:
    person = make.person(Role.ADMINISTRATOR, **scope)
    Person.objects.filter(pk=person.pk).update(email=address)
    return person


def deliver() -> list[tuple[str, str]]:
    """Recipient and text of each mail."""
    while jobs.work_once({expiry_warnings.KIND: expiry_warnings.HANDLER}):
        pass
    return sorted((one.to[0], str(one.body)) for one in mail.outbox)


@pytest.fixture
def expiring(now: Iterator[list[datetime]]) -> tuple[Operator, list[datetime]]:
    (held,) = now
    operator = make.operator("Main")
    make.account(operator, "Shop", expires=in_days(10))
    make.account(operator, "Desk", expires=in_days(10))
    return operator, held


def test_admins_with_an_address_are_told_of_what_is_theirs(
    expiring: tuple[Operator, list[datetime]], settings: Any
) -> None:
    settings.EMAIL_CONFIGURED = True
    operator, held = expiring
    shop = operator.accounts.get(name="Shop")
    admin("owner@example.com")
    admin("operator@example.com", operator=operator)
    admin("shop@example.com", account=shop)
    admin("other@example.com", operator=make.operator("Other"))
    viewer = make.person(Role.VIEWER)
    switched_off = admin("off@example.com")
    Person.objects.filter(pk=viewer.pk).update(email="viewer@example.com")
    Person.objects.filter(pk=switched_off.pk).update(is_active=False)
    make.person(Role.ADMINISTRATOR)
    team = make.staff(Role.ADMINISTRATOR, operator=operator)
    Person.objects.filter(pk=team.person.pk).update(email="team@example.com")
    held.append(held[-1] + timedelta(days=4))
    expiry_warnings.warn()
    sent = deliver()
    assert [to for to, _ in sent] == [
        "operator@example.com",
        "owner@example.com",
        "shop@example.com",
        "team@example.com",
    ]
    texts = dict(sent)
    assert "- account “Shop” (Main): " in texts["owner@example.com"]
    assert "Desk" in texts["team@example.com"]
    assert "Desk" not in texts["shop@example.com"]
    assert f"{settings.NSCWEB_URL}/expirations" in texts["owner@example.com"]
    assert {one.subject for one in mail.outbox} == {
        "nscweb: 2 objects expire within 7 days",
        "nscweb: One object expires within 7 days",
    }
    assert not deliver()[4:]


def test_without_mail_nothing_is_queued(expiring: tuple[Operator, list[datetime]]) -> None:
    admin("owner@example.com")
    expiring[1].append(expiring[1][-1] + timedelta(days=4))
    assert expiry_warnings.warn() == 2
    assert not Job.objects.filter(kind=expiry_warnings.KIND).exists()


def test_a_mail_server_that_is_away_is_asked_again(
    expiring: tuple[Operator, list[datetime]], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.EMAIL_CONFIGURED = True
    admin("owner@example.com")
    held = expiring[1]
    held.append(held[-1] + timedelta(days=4))
    expiry_warnings.warn()

    def away(*args: object, **more: object) -> None:
        raise ConnectionRefusedError("no mail server")

    with monkeypatch.context() as patched:
        patched.setattr(mails, "send_mail", away)
        assert deliver() == []
    assert Job.objects.get(kind=expiry_warnings.KIND).state == "queued"
    held.append(held[-1] + timedelta(minutes=10))
    assert [to for to, _ in deliver()] == ["owner@example.com"]


def test_it_stands_or_falls_with_its_messages(
    hook: Webhook, now: Iterator[list[datetime]], monkeypatch: pytest.MonkeyPatch
) -> None:
    (held,) = now
    make.operator("Main", expires=in_days(10))
    held.append(held[-1] + timedelta(days=4))

    def fail(*args: object, **more: object) -> None:
        raise OSError("no message")

    with monkeypatch.context() as patched, pytest.raises(OSError, match="no message"):
        patched.setattr(webhook_messages, "add", fail)
        with transaction.atomic():
            expiry_warnings.warn()
    assert not Warned.objects.exists()
    assert expiry_warnings.warn() == 1


def test_the_price_does_not_grow_with_what_does_not_expire(
    hook: Webhook, django_assert_num_queries: Any
) -> None:
    account = make.account()
    expiry_warnings.warn()
    with CaptureQueriesContext(transaction.get_connection()) as before:
        expiry_warnings.warn()
    make.many_users(account, [f"u{number}" for number in range(30)])
    with django_assert_num_queries(len(before)):
        expiry_warnings.warn()


def test_old_warnings_are_forgotten(hook: Webhook, now: Iterator[list[datetime]]) -> None:
    (held,) = now
    make.operator("Main", expires=in_days(40))
    held.append(held[-1] + timedelta(days=39))
    expiry_warnings.warn()
    assert expiry_warnings.forget_old() == 0
    held.append(held[-1] + timedelta(days=70))
    assert expiry_warnings.forget_old() == 3
