"""Webhooks: who may make them, what they are told, how it is signed, and what happens when nobody takes it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.management import call_command

from identities.lookup import NotFound
from identities.models import AuditEvent, MessageState, Operator, Webhook, WebhookMessage
from identities.policy.decisions import Forbidden
from identities.policy.principal import Role
from identities.resolver import posting
from identities.resolver.addresses import AddressRefused
from identities.resolver.drafts import WebhookDraft
from identities.services import clock, rotation, secrets, webhook_messages, webhooks
from tests import hooked, make, natsserver, together
from tests.hooked import Hooked

pytestmark = pytest.mark.django_db


@pytest.fixture
def there() -> Iterator[Hooked]:
    with hooked.server() as server:
        yield server


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[datetime]]:
    """The clock: its last entry is the time."""
    held = [clock.now()]
    monkeypatch.setattr(clock, "now", lambda: held[-1])
    return iter([held])


def hook(url: str, operator: Operator | None = None, **options: Any) -> Webhook:
    make.installation()
    draft = WebhookDraft(**{"name": "Chat", "url": url, **options})
    return webhooks.create(principal=make.COMMAND, operator=operator, draft=draft)[0]


def sent(there: Hooked) -> list[dict[str, Any]]:
    webhook_messages.once()
    return [json.loads(one.body) for one in there.received]


def message() -> WebhookMessage:
    return WebhookMessage.objects.latest("pk")


def test_events_after_it_was_made_arrive_in_order_each_once(there: Hooked) -> None:
    account = make.account(name="Before")
    made = hook(there.url)
    make.user(account, "ann")
    make.user(account, "bob")
    told = sent(there)
    assert [one["data"]["summary"] for one in told] == [
        "Made webhook “Chat” to 127.0.0.1:" + str(there.port),
        "Created user “ann” in “Before”",
        "Created user “bob” in “Before”",
    ]
    event = AuditEvent.objects.latest("seq")
    last = told[-1]
    assert last["type"] == "audit.event"
    assert last["timestamp"] == event.at.isoformat()
    assert last["data"]["seq"] == event.seq
    assert last["data"]["hash"] == event.hash
    assert "bob" in [one["name"] for one in last["data"]["objects"]]
    assert there.received[0].path == "/in/here"
    assert there.received[0].headers["content-type"] == "application/json"
    webhook_messages.once()
    assert len(there.received) == 3
    assert set(WebhookMessage.objects.values_list("state", "status")) == {(MessageState.DELIVERED, 204)}
    made.refresh_from_db()
    assert made.failing_since is None


def test_each_message_is_signed_with_the_secret_as_standard_webhooks_are(there: Hooked) -> None:
    make.installation()
    draft = WebhookDraft(name="Chat", url=there.url)
    made, secret = webhooks.create(principal=make.COMMAND, operator=None, draft=draft)
    assert secret.startswith("whsec_")
    assert secret.encode() not in bytes(made.secret)
    webhook_messages.once()
    (got,) = there.received
    key = base64.b64decode(secret.removeprefix("whsec_"))
    assert len(key) == 32
    head = got.headers
    signed = f"{head['webhook-id']}.{head['webhook-timestamp']}.".encode() + got.body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert head["webhook-signature"] == f"v1,{expected}"
    assert abs(int(head["webhook-timestamp"]) - time.time()) < 60
    other = webhooks.new_secret(principal=make.COMMAND, hook=made)
    assert other != secret
    webhook_messages.once()
    again = there.received[-1]
    signed = f"{again.headers['webhook-id']}.{again.headers['webhook-timestamp']}.".encode() + again.body
    key = base64.b64decode(other.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert again.headers["webhook-signature"] == f"v1,{expected}"


def test_only_the_classes_that_were_asked_for_are_sent(there: Hooked) -> None:
    account = make.account()
    made = hook(there.url, classes=("user.", "cluster."))
    make.user(account, "ann")
    make.account(account.operator)
    make.cluster(account.operator)
    assert [one["data"]["action"] for one in sent(there)] == ["user.create", "cluster.create"]
    made.refresh_from_db()
    assert made.seen == AuditEvent.objects.latest("seq").seq


def test_one_of_an_operator_hears_of_that_operator_alone(there: Hooked) -> None:
    mine, other = make.operator("Mine"), make.operator("Other")
    hook(there.url, mine)
    make.account(other, "hidden")
    make.account(mine, "seen")
    make.person()
    said = [one["data"]["summary"] for one in sent(there)]
    assert said[1:] == ["Created account “seen”"]
    assert "hidden" not in str(there.received)


def test_an_event_about_thousands_names_the_first(there: Hooked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_messages, "MOST_OBJECTS", 5)
    account = make.account()
    hook(there.url, classes=("user.",))
    make.many_users(account, [f"u{number}" for number in range(20)])
    data = sent(there)[0]["data"]
    assert len(data["objects"]) == 5
    assert data["more_objects"] >= 15


@pytest.mark.parametrize(
    ("answer", "said", "status"),
    [
        ({"status": 500, "text": b"no\x1bthing"}, "no thing", 500),
        ({"status": 302, "location": "/elsewhere"}, "", 302),
        ({"status": 404}, "", 404),
        ({"seconds": 2.0}, "did not answer within 0.5 seconds", None),
    ],
    ids=["500", "redirect", "404", "slow"],
)
def test_what_is_not_taken_is_tried_again_later_and_later(
    there: Hooked,
    now: Iterator[list[datetime]],
    monkeypatch: pytest.MonkeyPatch,
    answer: dict[str, Any],
    said: str,
    status: int | None,
) -> None:
    real = posting.post
    monkeypatch.setattr(posting, "post", lambda *args, **more: real(*args, **more, seconds=0.5))
    (held,) = now
    made = hook(there.url)
    for name, value in answer.items():
        setattr(there, name, value)
    webhook_messages.once()
    first = message()
    assert (first.state, first.attempts, first.status) == (MessageState.WAITING, 1, status)
    assert said in first.said
    assert first.due_at == held[-1] + timedelta(seconds=10)
    made.refresh_from_db()
    assert made.failing_since == held[-1]
    webhook_messages.once()
    assert len(there.received) == 1
    assert all(one.body != b"GET" for one in there.received)
    held.append(held[-1] + timedelta(seconds=10))
    webhook_messages.once()
    second = message()
    assert (second.attempts, second.due_at) == (2, held[-1] + timedelta(seconds=60))
    there.status, there.seconds, there.location = 200, 0.0, ""
    held.append(held[-1] + timedelta(seconds=60))
    webhook_messages.once()
    third = message()
    assert (third.state, third.attempts, third.status) == (MessageState.DELIVERED, 3, 200)
    made.refresh_from_db()
    assert made.failing_since is None
    ids = {one.headers["webhook-id"] for one in there.received}
    bodies = {one.body for one in there.received}
    assert len(ids) == len(bodies) == 1


def test_an_endless_answer_is_not_read_to_its_end(there: Hooked) -> None:
    hook(there.url)
    there.status, there.endless = 200, True
    begun = time.monotonic()
    webhook_messages.once()
    assert time.monotonic() - begun < posting.SECONDS
    assert message().state == MessageState.DELIVERED
    assert len(message().said) <= 500


def test_a_message_is_given_up_after_its_last_attempt(there: Hooked, now: Iterator[list[datetime]]) -> None:
    (held,) = now
    there.status = 503
    hook(there.url)
    webhook_messages.gather()
    for number in range(len(webhook_messages.PAUSES) + 1):
        assert message().attempts == number
        Webhook.objects.update(failing_since=None)
        assert webhook_messages.send_once()
        held.append(held[-1] + timedelta(days=2))
    assert message().state == MessageState.FAILED
    assert not webhook_messages.send_once()


def test_one_that_takes_nothing_for_three_days_is_switched_off_and_says_so(
    there: Hooked, now: Iterator[list[datetime]]
) -> None:
    (held,) = now
    there.status = 500
    made = hook(there.url)
    webhook_messages.once()
    held.append(held[-1] + timedelta(days=3))
    webhook_messages.once()
    made.refresh_from_db()
    assert not made.is_active
    assert made.off_reason == "It took no message for 3 days; at the last attempt: it answered 500"
    event = AuditEvent.objects.latest("seq")
    assert event.summary == "Switched webhook “Chat” off: it took no message for 3 days"
    assert (event.actor, event.way) == ("worker", "worker")
    count = len(there.received)
    held.append(held[-1] + timedelta(days=3))
    webhook_messages.once()
    assert len(there.received) == count
    there.status = 200
    webhooks.switch(principal=make.COMMAND, hook=made, on=True)
    webhook_messages.once()
    assert message().state == MessageState.DELIVERED
    told = [json.loads(one.body)["data"]["summary"] for one in there.received[count:]]
    assert "Switched webhook “Chat” off: it took no message for 3 days" not in told
    assert "Switched webhook “Chat” on" in told


def test_a_message_can_be_sent_again_under_its_id(there: Hooked) -> None:
    made = hook(there.url)
    webhook_messages.once()
    first = message()
    again = webhook_messages.send_again(principal=make.COMMAND, hook=made, number=first.pk)
    assert again.pk != first.pk
    webhook_messages.send_once()
    one, other = there.received
    assert one.body == other.body
    assert one.headers["webhook-id"] == other.headers["webhook-id"]
    with pytest.raises(NotFound):
        webhook_messages.send_again(principal=make.COMMAND, hook=made, number=10**9)


def test_a_test_message_says_that_it_is_one(there: Hooked) -> None:
    made = hook(there.url, classes=("user.",))
    webhook_messages.try_out(principal=make.COMMAND, hook=made)
    assert [one["type"] for one in sent(there)] == ["test"]
    webhooks.switch(principal=make.COMMAND, hook=made, on=False)
    with pytest.raises(webhook_messages.IdentityError, match="switch it on"):
        webhook_messages.try_out(principal=make.COMMAND, hook=made)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://169.254.169.254/latest", "metadata"),
        ("http://[fe80::1]/", "link-local"),
        ("http://0.0.0.0/", "no host"),
        ("https://user:pass@example.com/", "Leave out"),
        ("ftp://example.com/", "Only http"),
        ("http://0177.0.0.1/", "neither a name"),
        ("nonsense", "Only http"),
    ],
)
def test_addresses_are_checked_as_those_of_clusters(url: str, why: str) -> None:
    with pytest.raises(AddressRefused, match=why) as refused:
        hook(url)
    assert refused.value.field == "url"
    assert not Webhook.objects.exists()


def test_loopback_is_for_installations_on_loopback_and_names_are_looked_up_when_sent(
    there: Hooked, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = hook(there.url)
    settings.NSCWEB_ALLOW_LOOPBACK_SERVERS = False
    webhook_messages.once()
    assert "loopback" in message().said
    assert not there.received
    with pytest.raises(AddressRefused, match="loopback"):
        webhooks.edit(
            principal=make.COMMAND, hook=made, draft=WebhookDraft(name="Chat", url="http://127.0.0.1/")
        )
    real = posting.post
    monkeypatch.setattr(
        posting, "post", lambda *args, **more: real(*args, **more, lookup=lambda *_: ["169.254.169.254"])
    )
    webhooks.edit(
        principal=make.COMMAND, hook=made, draft=WebhookDraft(name="Chat", url="http://rebound.example/")
    )
    webhook_messages.try_out(principal=make.COMMAND, hook=made)
    webhook_messages.send_once()
    webhook_messages.gather()
    while webhook_messages.send_once():
        pass
    assert "169.254.169.254" in message().said
    assert message().state == MessageState.WAITING


def test_owners_have_all_operator_admins_theirs_and_others_none(there: Hooked) -> None:
    operator, other = make.operator(), make.operator()
    whole, of_mine, of_other = (
        hook(there.url, where, name=name)
        for where, name in ((None, "whole"), (operator, "mine"), (other, "other"))
    )
    admin = make.principal(Role.ADMINISTRATOR, operator=operator)
    assert list(webhooks.mine(make.principal())) == [of_mine, of_other, whole]
    assert list(webhooks.mine(admin)) == [of_mine]
    assert webhooks.places(admin) == [operator]
    for who in (
        make.principal(Role.VIEWER),
        make.principal(Role.AUDITOR),
        make.principal(Role.VIEWER, operator=operator),
        make.principal(Role.ADMINISTRATOR, account=make.account(operator)),
    ):
        assert not webhooks.mine(who).exists()
        assert not webhooks.anywhere(who)
    draft = WebhookDraft(name="x", url=there.url)
    for where in (None, other):
        with pytest.raises(Forbidden):
            webhooks.create(principal=admin, operator=where, draft=draft)
    for held in (whole, of_other):
        for act in (
            lambda h: webhooks.edit(principal=admin, hook=h, draft=draft),
            lambda h: webhooks.switch(principal=admin, hook=h, on=False),
            lambda h: webhooks.new_secret(principal=admin, hook=h),
            lambda h: webhooks.delete(principal=admin, hook=h),
            lambda h: webhook_messages.try_out(principal=admin, hook=h),
            lambda h: webhook_messages.send_again(principal=admin, hook=h, number=1),
        ):
            with pytest.raises(Forbidden):
                act(held)
    webhooks.delete(principal=admin, hook=of_mine)
    assert set(Webhook.objects.all()) == {whole, of_other}


def test_names_are_unique_and_paths_stay_out_of_the_audit(there: Hooked) -> None:
    hook(there.url + "/T0KEN-of-the-chat")
    with pytest.raises(webhooks.IdentityError, match="already"):
        hook(there.url, name="chat")
    assert "T0KEN" not in str(list(AuditEvent.objects.values()))


def test_a_rotated_master_key_takes_secrets_along(there: Hooked, settings: Any) -> None:
    made = hook(there.url)
    settings.NSCWEB_MASTER_KEY = f"new:{base64.b64encode(b'n' * 32).decode()},{settings.NSCWEB_MASTER_KEY}"
    secrets.forget()
    before = bytes(made.secret)
    rotation.reseal_all(principal=make.COMMAND)
    settings.NSCWEB_MASTER_KEY = settings.NSCWEB_MASTER_KEY.partition(",")[0]
    secrets.forget()
    made.refresh_from_db()
    assert bytes(made.secret) != before
    webhook_messages.once()
    assert message().state == MessageState.DELIVERED


def test_old_messages_are_forgotten(there: Hooked, now: Iterator[list[datetime]]) -> None:
    (held,) = now
    hook(there.url)
    webhook_messages.once()
    assert webhook_messages.forget_old() == 0
    held.append(held[-1] + timedelta(days=15))
    assert webhook_messages.forget_old() == 1


def test_the_worker_sends_once(there: Hooked) -> None:
    hook(there.url)
    call_command("worker", "--once")
    assert len(there.received) == 1


@pytest.mark.django_db(transaction=True)
def test_many_workers_make_and_send_each_message_once(there: Hooked) -> None:
    account = make.account()
    hook(there.url, classes=("user.",))
    for number in range(12):
        make.user(account, f"u{number}")
    stop = threading.Event()

    def tend() -> None:
        webhook_messages.tend(stop, gathers=True)

    def watch() -> None:
        try:
            natsserver.eventually(lambda: len(there.received) >= 12, "twelve messages", 30)
        finally:
            stop.set()

    assert not together.at_once(tend, tend, tend, watch)
    assert len(there.received) == 12
    assert len({one.headers["webhook-id"] for one in there.received}) == 12
    assert WebhookMessage.objects.filter(state=MessageState.DELIVERED, attempts=1).count() == 12


def test_a_worker_that_was_thought_dead_writes_nothing(there: Hooked, now: Iterator[list[datetime]]) -> None:
    (held,) = now
    hook(there.url)
    webhook_messages.gather()
    lost = webhook_messages._claim()
    assert lost is not None
    assert webhook_messages._claim() is None
    held.append(held[-1] + webhook_messages.LEASE + timedelta(seconds=1))
    assert webhook_messages.send_once()
    webhook_messages._note(lost, 500, "late", accepted=False)
    assert (message().state, message().status, message().attempts) == (MessageState.DELIVERED, 204, 2)
