"""Webhooks and their messages as strings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.urls import reverse

from identities.models import MessageState, Webhook, WebhookMessage
from identities.services import webhook_messages, webhooks
from identities.views import shown
from identities.views.activity_shown import CLASSES

CHOICES = [(name, label) for name, label in CLASSES.items() if name in webhooks.CLASSES]
_KINDS = {webhook_messages.TEST: "Test message", webhook_messages.EXPIRY: "Expiry warning"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One webhook in the list."""

    name: str
    url: str
    goes_to: str
    whose: str
    state: shown.State
    waiting: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRow:
    """One message in the log; `again_url` is "" while it waits."""

    what: str
    event_url: str
    at: shown.When
    state: shown.State
    attempts: int
    said: str
    next: shown.When | None
    again_url: str


def rows(hooks: Iterable[Webhook], waiting: Mapping[int, int]) -> tuple[Row, ...]:
    """The list."""
    return tuple(
        Row(
            name=hook.name,
            url=reverse("webhook", args=[hook.pk]),
            goes_to=host(hook),
            whose=whose(hook),
            state=state(hook),
            waiting=waiting.get(hook.pk, 0),
        )
        for hook in hooks
    )


def whose(hook: Webhook) -> str:
    """Whose events it is told of."""
    return hook.operator.name if hook.operator is not None else "the whole installation"


def host(hook: Webhook) -> str:
    """Where it goes, without the path, which may hold a token."""
    return hook.url.partition("://")[2].partition("/")[0]


def state(hook: Webhook) -> shown.State:
    """On, failing, or off."""
    if not hook.is_active:
        return shown.State(word="Off", tone="danger" if hook.off_reason else "muted", icon="ban")
    if hook.failing_since is not None:
        return shown.State(word="Failing", tone="warn", icon="triangle-alert")
    return shown.State(word="On", tone="ok", icon="circle-check")


def which(hook: Webhook) -> str:
    """Which events it is told of, in words."""
    told = [label for name, label in CHOICES if name in hook.wanted]
    return ", ".join(told) or "all"


def messages(found: Iterable[WebhookMessage], *, is_active: bool) -> tuple[MessageRow, ...]:
    """The log."""
    return tuple(_message(one, is_active=is_active) for one in found)


def _message(one: WebhookMessage, *, is_active: bool) -> MessageRow:
    waits = one.state == MessageState.WAITING
    status = f"{one.status} " if one.status else ""
    return MessageRow(
        what=f"Event {one.seq:,}" if one.seq else _KINDS.get(one.kind, one.kind),
        event_url=reverse("activity-event", args=[one.seq]) if one.seq else "",
        at=shown.moment(one.created_at),
        state=_STATES[MessageState(one.state)],
        attempts=one.attempts,
        said=f"{status}{one.said}".strip(),
        next=shown.moment(one.due_at) if waits and one.attempts else None,
        again_url="" if waits or not is_active else reverse("webhook-again", args=[one.webhook_id, one.pk]),
    )


_STATES = {
    MessageState.WAITING: shown.State(word="Waits", tone="muted", icon="clock"),
    MessageState.DELIVERED: shown.State(word="Delivered", tone="ok", icon="circle-check"),
    MessageState.FAILED: shown.State(word="Given up", tone="danger", icon="circle-alert"),
}
