"""What webhooks are told: messages are made of the audit chain and of expiries, signed, sent, and sent again.

The audit chain is the outbox: it is written in the transaction of each change, without a gap, and each webhook
remembers how far it was read. An attempt is leased; whatever comes of it is written under the attempt's fence.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets as random_text
import threading
from collections.abc import Iterable
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import DatabaseError, InterfaceError, close_old_connections, connection, transaction
from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from identities.errors import IdentityError
from identities.lookup import NotFound
from identities.models import AuditEvent, MessageState, Webhook, WebhookMessage
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import HeldRole, Principal, Role, ScopeKind, Way
from identities.queries import activity
from identities.resolver import posting
from identities.services import audit, audit_exporting, clock, secrets, webhooks

EVENT, TEST, EXPIRY = "audit.event", "test", "expiry.warning"
PAUSES = (10, 60, 300, 1800, 7200, 21600, 43200, 86400)
"""Seconds before the second, third … attempt; after the last one a message is given up."""
GIVES_UP = timedelta(days=3)
"""A webhook that took nothing for so long is switched off."""
KEPT = timedelta(days=14)
LEASE = timedelta(seconds=60)
CHUNK = 200
MOST_OBJECTS = 100
POLL_SECONDS = 1.0
AWAY_SECONDS = 5.0
_LONGEST_SAID = 500

log = structlog.get_logger("identities.webhooks")


def gather() -> int:
    """Make messages of the events that webhooks have not been told of; how many."""
    end = audit.head()[0]
    behind = Webhook.objects.filter(is_active=True, seen__lt=end).values_list("pk", flat=True)
    return sum(_gather(pk, end) for pk in list(behind))


def _gather(pk: int, end: int) -> int:
    with transaction.atomic():
        locked = Webhook.objects.select_for_update(skip_locked=True, of=("self",))
        hook = locked.filter(pk=pk, is_active=True, seen__lt=end).first()
        if hook is None:  # another worker is at it
            return 0
        who = viewer(hook)
        found = activity.events(who, activity.Wanted()).defer(None).filter(seq__gt=hook.seen, seq__lte=end)
        if classes := hook.wanted:
            wanted = Q()
            for name in classes:
                wanted |= Q(action__startswith=name)
            found = found.filter(wanted)
        events: list[AuditEvent] = list(found.order_by("seq")[:CHUNK])
        for event, line in zip(events, audit_exporting.told(who, events), strict=True):
            objects = line["objects"]
            if isinstance(objects, list) and len(objects) > MOST_OBJECTS:
                line |= {"objects": objects[:MOST_OBJECTS], "more_objects": len(objects) - MOST_OBJECTS}
            add(hook, EVENT, line, at=event.at, seq=event.seq)
        hook.seen = events[-1].seq if len(events) == CHUNK else end
        hook.save(update_fields=["seen"])
    return len(events)


def add(
    hook: Webhook, kind: str, data: object, *, at: datetime | None = None, seq: int | None = None
) -> WebhookMessage:
    """Add a message, in the transaction of what it tells of."""
    moment = clock.now()
    body = {"type": kind, "timestamp": (at or moment).isoformat(), "data": data}
    return WebhookMessage.objects.create(
        webhook=hook,
        message_id=f"msg_{random_text.token_hex(16)}",
        kind=kind,
        seq=seq,
        body=json.dumps(body, ensure_ascii=False, separators=(",", ":")),
        due_at=moment,
        created_at=moment,
    )


def viewer(hook: Webhook) -> Principal:
    """What a webhook may be told: what an auditor of its operator, or of the installation, may see."""
    kind = ScopeKind.INSTALLATION if hook.operator_id is None else ScopeKind.OPERATOR
    held = HeldRole(role=Role.AUDITOR, kind=kind, operator=hook.operator_id)
    return Principal(key=hook.audit_key, name=hook.name, way=Way.WORKER, roles=(held,))


def try_out(*, principal: Principal, hook: Webhook) -> WebhookMessage:
    """Send a message that says nothing. Raises: Forbidden. IdentityError: it is off."""
    with transaction.atomic():
        _refuse_off(principal, hook)
        made = add(hook, TEST, {"webhook": hook.name, "text": "A test message of nscweb."})
        audit.record(
            principal, Action.WEBHOOK_EDIT, [webhooks.target(hook)], f"Sent webhook “{hook}” a test message"
        )
    return made


def send_again(*, principal: Principal, hook: Webhook, number: int) -> WebhookMessage:
    """Send a message of the log once more, under the id that it had.

    Raises: Forbidden, NotFound. IdentityError: the webhook is off, or the message still waits.
    """
    with transaction.atomic():
        _refuse_off(principal, hook)
        old = WebhookMessage.objects.filter(webhook=hook, pk=number).first()
        if old is None:
            raise NotFound("This message is not in the log any more.")
        if old.state == MessageState.WAITING:
            raise IdentityError("This message still waits to be sent.")
        moment = clock.now()
        made = WebhookMessage.objects.create(
            webhook=hook,
            message_id=old.message_id,
            kind=old.kind,
            seq=old.seq,
            body=old.body,
            due_at=moment,
            created_at=moment,
        )
        what = f"event {old.seq:,}" if old.seq else old.kind
        audit.record(
            principal,
            Action.WEBHOOK_EDIT,
            [webhooks.target(hook)],
            f"Sent webhook “{hook}” its message of {what} again",
        )
    return made


def _refuse_off(principal: Principal, hook: Webhook) -> None:
    decisions.require(principal, Action.WEBHOOK_EDIT, webhooks.scope(hook))
    if not Webhook.objects.filter(pk=hook.pk, is_active=True).exists():
        raise IdentityError(f"“{hook}” is off: switch it on first.")


def send_once() -> bool:
    """Send one message that is due; False when there was none."""
    message = _claim()
    if message is None:
        return False
    status, said = None, ""
    try:
        answer = posting.post(
            webhooks.checked_url(message.webhook.url),
            message.body.encode(),
            headers=headers(message),
            allow_loopback=settings.NSCWEB_ALLOW_LOOPBACK_SERVERS,
        )
    except IdentityError as failed:
        said = failed.user_message
    else:
        status, said = answer.status, answer.text
    _note(message, status, said, accepted=status is not None and 200 <= status < 300)
    return True


def headers(message: WebhookMessage) -> dict[str, str]:
    """Id, time and signature, as standardwebhooks.com names them."""
    hook, moment = message.webhook, str(clock.unix())
    signed = f"{message.message_id}.{moment}.{message.body}".encode()
    with secrets.opened(
        bytes(hook.secret), table=webhooks.TABLE, public_key=hook.uid, purpose=webhooks.PURPOSE
    ) as text:
        key = base64.b64decode(text.reveal()[len(webhooks.PREFIX) :])
    mac = hmac.new(key, signed, hashlib.sha256).digest()
    return {
        "webhook-id": message.message_id,
        "webhook-timestamp": moment,
        "webhook-signature": f"v1,{base64.b64encode(mac).decode('ascii')}",
    }


def _due(moment: datetime) -> QuerySet[WebhookMessage]:
    """Messages that may be sent now; of each webhook one at a time, so that a slow one keeps no other waiting."""
    at_it = WebhookMessage.objects.filter(webhook=OuterRef("webhook"), lease_until__gt=moment)
    return WebhookMessage.objects.filter(
        ~Exists(at_it), state=MessageState.WAITING, due_at__lte=moment, webhook__is_active=True
    )


def _claim() -> WebhookMessage | None:
    if not _due(clock.now()).exists():  # no write lock while there is nothing to do
        return None
    with transaction.atomic():
        moment = clock.now()
        rows = _due(moment).select_for_update(skip_locked=True, of=("self",)).select_related("webhook")
        message = rows.order_by("due_at", "pk").first()
        if message is None:
            return None
        message.fence += 1
        message.attempts += 1
        message.lease_until = moment + LEASE
        message.save(update_fields=["fence", "attempts", "lease_until"])
    return message


def _note(message: WebhookMessage, status: int | None, said: str, *, accepted: bool) -> None:
    """Write what came of an attempt, unless another worker has taken the message over meanwhile."""
    moment = clock.now()
    fields: dict[str, object] = {"status": status, "said": said[:_LONGEST_SAID], "lease_until": None}
    if accepted:
        fields |= {"state": MessageState.DELIVERED, "ended_at": moment}
    elif message.attempts > len(PAUSES):
        fields |= {"state": MessageState.FAILED, "ended_at": moment}
    else:
        fields["due_at"] = moment + timedelta(seconds=PAUSES[message.attempts - 1])
    held = WebhookMessage.objects.filter(pk=message.pk, fence=message.fence, state=MessageState.WAITING)
    with transaction.atomic():
        if not held.update(**fields):
            log.warning("message lost its lease", message=message.pk)
            return
        hook = Webhook.objects.select_for_update(of=("self",)).get(pk=message.webhook_id)
        if accepted:
            if hook.failing_since is not None:
                hook.failing_since = None
                hook.save(update_fields=["failing_since"])
        else:
            _failed(hook, moment, said if status is None else f"it answered {status}")


def _failed(hook: Webhook, moment: datetime, why: str) -> None:
    if hook.failing_since is None:
        hook.failing_since = moment
        hook.save(update_fields=["failing_since"])
    elif hook.is_active and moment - hook.failing_since >= GIVES_UP:
        hook.is_active = False
        hook.off_reason = f"It took no message for {GIVES_UP.days} days; at the last attempt: {why}"[:500]
        hook.save(update_fields=["is_active", "off_reason"])
        audit.record(
            Principal.worker(),
            Action.WEBHOOK_EDIT,
            [webhooks.target(hook)],
            f"Switched webhook “{hook}” off: it took no message for {GIVES_UP.days} days",
        )


def forget_old() -> int:
    """Delete messages that ended long ago; how many."""
    ended = WebhookMessage.objects.exclude(state=MessageState.WAITING)
    return ended.filter(ended_at__lt=clock.now() - KEPT).delete()[0]


def log_of(hook: Webhook) -> QuerySet[WebhookMessage]:
    """The messages of a webhook, newest first, without their bodies."""
    return WebhookMessage.objects.filter(webhook=hook).defer("body").order_by("-pk")


def tend(stop: threading.Event, *, gathers: bool) -> None:
    """Send until `stop` is set; one of several also makes the messages."""
    while not stop.is_set():
        busy = False
        try:
            close_old_connections()
            if not secrets.is_sealed():
                busy = bool(gathers and gather())
                busy = send_once() or busy
        except (DatabaseError, InterfaceError) as error:
            log.error("the database can't be used", error=type(error).__name__)
            connection.close()
            stop.wait(AWAY_SECONDS)
        if not busy:
            stop.wait(POLL_SECONDS)


def once() -> None:
    """Make the messages that there are to make, and send what is due."""
    while gather():
        pass
    while send_once():
        pass


def waiting(hooks: Iterable[Webhook]) -> dict[int, int]:
    """How many messages of each webhook wait."""
    rows = WebhookMessage.objects.filter(webhook__in=list(hooks), state=MessageState.WAITING)
    return dict(rows.order_by().values_list("webhook_id").annotate(Count("pk")))
