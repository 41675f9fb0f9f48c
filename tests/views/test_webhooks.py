"""Pages of webhooks: who sees which, the secret that is shown once, the log, and what is typed wrong."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse

from identities.models import MessageState, Operator, Webhook, WebhookMessage
from identities.policy.principal import Role
from identities.services import webhook_messages, webhooks
from tests import make

pytestmark = pytest.mark.django_db

FILLED = {
    "name": "Chat",
    "url": "https://chat.example.com/hook/TOKEN",
    "classes": ["user."],
    "expiries": "on",
}


@pytest.fixture
def operator() -> Operator:
    return make.operator("Main")


def test_the_secret_is_shown_in_the_answer_and_never_again(operator: Operator) -> None:
    browser = make.client()
    answer = browser.post(reverse("webhook-create"), {**FILLED, "place": operator.public_key})
    page = answer.content.decode()
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-store"
    secret = re.findall(r"whsec_[A-Za-z0-9+/=]{44}", page)[0]
    hook = Webhook.objects.get()
    assert (hook.operator, hook.url, hook.classes, hook.warnings) == (
        operator,
        FILLED["url"],
        "user.",
        True,
    )
    for name in ("webhooks", "webhook", "webhook-edit", "webhook-secret", "webhook-delete"):
        held = browser.get(reverse(name, args=[] if name == "webhooks" else [hook.pk]))
        assert held.status_code == 200
        assert secret not in held.content.decode()
    another = browser.post(reverse("webhook-secret", args=[hook.pk])).content.decode()
    assert "whsec_" in another
    assert secret not in another


def test_the_list_names_hosts_alone_and_the_nearest_page_leads_there(operator: Operator) -> None:
    make.webhook(operator, "Chat", url=str(FILLED["url"]))
    browser = make.client()
    page = browser.get(reverse("webhooks")).content.decode()
    assert "chat.example.com" in page
    assert "TOKEN" not in page
    assert reverse("webhooks") in browser.get(reverse("activity")).content.decode()
    viewer = make.client(Role.VIEWER)
    assert reverse("webhooks") not in viewer.get(reverse("activity")).content.decode()


def test_what_is_typed_wrong_stays_and_is_named(operator: Operator) -> None:
    browser = make.client()
    make.webhook(None, "Taken")
    for wrong, field, words in (
        ({"url": "http://169.254.169.254/"}, "url", "metadata"),
        ({"url": "https://me:secret@example.com/"}, "url", "Leave out"),
        ({"url": ""}, "url", "required"),
        ({"name": ""}, "name", "required"),
        ({"name": "a\x1bb"}, "name", "cannot be seen"),
        ({"name": "taken"}, "name", "already"),
        ({"classes": ["nothing."]}, "classes", "valid choice"),
        ({"place": "OXXX"}, "place", "valid choice"),
    ):
        answer = browser.post(reverse("webhook-create"), {**FILLED, **wrong})
        assert answer.status_code == 422, wrong
        assert list(answer.context["form"].errors) == [field]
        assert words in str(answer.context["form"].errors[field])
    assert Webhook.objects.count() == 1


def test_operator_admins_have_theirs_alone(operator: Operator) -> None:
    other, mine = make.webhook(make.operator(), "Other"), make.webhook(operator, "Mine")
    whole = make.webhook(None, "Whole")
    admin = make.client(Role.ADMINISTRATOR, operator=operator)
    page = admin.get(reverse("webhooks")).content.decode()
    assert "Mine" in page
    assert "Other" not in page
    assert "Whole" not in page
    for hidden in (other, whole):
        for name in ("webhook", "webhook-edit", "webhook-secret", "webhook-delete"):
            assert admin.get(reverse(name, args=[hidden.pk])).status_code == 404
        for name in ("webhook-switch", "webhook-test"):
            assert admin.post(reverse(name, args=[hidden.pk])).status_code == 404
    form = admin.get(reverse("webhook-create")).content.decode()
    assert "the whole installation" not in form
    answer = admin.post(reverse("webhook-create"), {**FILLED, "place": ""})
    assert answer.status_code == 422
    for role in (Role.VIEWER, Role.AUDITOR):
        assert make.client(role).get(reverse("webhooks")).status_code == 403
        assert make.client(role).get(reverse("webhook", args=[mine.pk])).status_code == 403
    account_admin = make.client(Role.ADMINISTRATOR, account=make.account(operator))
    assert account_admin.get(reverse("webhooks")).status_code == 403


def test_edit_switch_try_out_and_delete(operator: Operator) -> None:
    hook = make.webhook(operator, "Chat")
    browser = make.client()
    here = reverse("webhook", args=[hook.pk])
    form = browser.get(reverse("webhook-edit", args=[hook.pk])).context["form"]
    same = browser.post(reverse("webhook-edit", args=[hook.pk]), {**form.initial, "expiries": "on"})
    assert same.status_code == 302
    edited = browser.post(reverse("webhook-edit", args=[hook.pk]), FILLED)
    assert edited.status_code == 302
    hook.refresh_from_db()
    assert hook.url == FILLED["url"]
    assert browser.post(reverse("webhook-test", args=[hook.pk])).url == here  # type: ignore[attr-defined]
    assert WebhookMessage.objects.get().kind == "test"
    browser.post(reverse("webhook-switch", args=[hook.pk]), {"on": "0"})
    assert "It is off" in browser.get(here).content.decode()
    browser.post(reverse("webhook-test", args=[hook.pk]))
    assert WebhookMessage.objects.count() == 1
    assert "switch it on first" in browser.get(here).content.decode()
    for other in ({}, {"on": ""}, {"on": "yes"}):
        assert browser.post(reverse("webhook-switch", args=[hook.pk]), other).status_code == 400
    browser.post(reverse("webhook-switch", args=[hook.pk]), {"on": "1"})
    refused = browser.post(reverse("webhook-delete", args=[hook.pk]), {"confirm": "chat", "version": 0})
    assert refused.status_code == 422
    done = browser.post(reverse("webhook-delete", args=[hook.pk]), {"confirm": "Chat", "version": 0})
    assert done.status_code == 302
    assert not Webhook.objects.exists()


def told(browser: Client, hook: Webhook) -> str:
    return browser.get(reverse("webhook", args=[hook.pk])).content.decode()


def test_the_log_says_what_came_of_each_message_and_sends_it_again(operator: Operator) -> None:
    hook = make.webhook(operator, "Chat")
    browser = make.client()
    message = webhook_messages.add(hook, webhook_messages.EVENT, {}, seq=3)
    again = reverse("webhook-again", args=[hook.pk, message.pk])
    assert "Waits" in told(browser, hook)
    assert again not in told(browser, hook)
    WebhookMessage.objects.filter(pk=message.pk).update(
        state=MessageState.FAILED, attempts=9, status=500, said="<b>Oh no</b>", ended_at=hook.created_at
    )
    page = told(browser, hook)
    assert "Given up" in page
    assert "500 &lt;b&gt;Oh no&lt;/b&gt;" in page
    assert again in page
    browser.post(again)
    assert WebhookMessage.objects.filter(message_id=message.message_id).count() == 2
    assert browser.post(reverse("webhook-again", args=[hook.pk, 4711])).status_code == 404


def test_failing_and_switched_off_are_said_on_the_page(operator: Operator) -> None:
    hook = make.webhook(operator, "Chat")
    browser = make.client()
    Webhook.objects.update(failing_since=hook.created_at)
    assert "Messages have failed since" in told(browser, hook)
    Webhook.objects.update(is_active=False, off_reason="It took no message for 3 days")
    assert "It was switched off. It took no message for 3 days." in told(browser, hook)
    webhooks.switch(principal=make.COMMAND, hook=hook, on=True)
    assert "failed since" not in told(browser, hook)
