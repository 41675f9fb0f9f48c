"""Webhooks: owners say where events of the installation go, operator admins where those of their operator go.

Each message is signed as standardwebhooks.com has it: HMAC-SHA256 over `id.timestamp.body` with the webhook's secret.
What is sent, when and how often is in `webhook_messages`.
"""

from __future__ import annotations

import base64
import secrets as random_text
from collections.abc import Sequence
from ipaddress import ip_address

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from identities.claims import diff
from identities.errors import IdentityError
from identities.lookup import NotFound
from identities.models import Operator, Webhook
from identities.nkeys import SecretBytes
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal, Role, Scope, ScopeKind
from identities.queries import reach
from identities.resolver import addresses, fetching
from identities.resolver.drafts import WebhookDraft
from identities.services import audit, clock, secrets

TABLE, PURPOSE = "webhook", "secret"
SECRET_BYTES = 32
PREFIX = "whsec_"
CLASSES = frozenset(f"{action.value.partition('.')[0]}." for action in Action)
"""What can be subscribed to: the beginnings of names of actions."""


def scope(hook: Webhook) -> Scope:
    """Where it belongs."""
    return Scope(operator=hook.operator_id)


def target(hook: Webhook) -> audit.Target:
    """How the audit names it."""
    key = hook.operator.public_key if hook.operator is not None else ""
    return audit.Target(kind="webhook", key=hook.audit_key, name=hook.name, operator_key=key)


def mine(principal: Principal) -> QuerySet[Webhook]:
    """Those that the principal may change, with their operators: who may not, has no business with them."""
    found = Webhook.objects.select_related("operator").order_by("name")
    if isinstance(decisions.decide(principal, Action.WEBHOOK_EDIT), decisions.Allowed):
        return found
    held = {
        one.operator
        for one in principal.roles
        if one.kind is ScopeKind.OPERATOR and one.role is Role.ADMINISTRATOR
    }
    return found.filter(operator__in=held)


def get(principal: Principal, number: int) -> Webhook:
    """One of them. Raises: NotFound."""
    found = mine(principal).filter(pk=number).first()
    if found is None:
        raise NotFound("There is no such webhook.")
    return found


def places(principal: Principal) -> Sequence[Operator]:
    """The operators whose events the principal may send somewhere."""
    live = Operator.objects.visible_to(principal).live().order_by("name")
    return [
        one
        for one in live
        if isinstance(
            decisions.decide(principal, Action.WEBHOOK_EDIT, Scope(operator=one.pk)), decisions.Allowed
        )
    ]


def create(*, principal: Principal, operator: Operator | None, draft: WebhookDraft) -> tuple[Webhook, str]:
    """Make a webhook for the events from now on; it and its secret, which is shown this once.

    Raises: Forbidden. AddressRefused: nothing may be sent there. IdentityError: the name is taken.
    """
    decisions.require(
        principal, Action.WEBHOOK_EDIT, Scope(operator=operator.pk) if operator is not None else None
    )
    checked_url(draft.url)
    with transaction.atomic():
        _refuse_taken(operator, draft.name)
        text = _new_secret()
        hook = Webhook(
            operator=operator,
            uid=random_text.token_hex(16),
            seen=audit.head()[0],
            created_at=clock.now(),
            **_columns(draft),
        )
        hook.secret = _sealed(hook, text)
        hook.save()
        audit.record(
            principal, Action.WEBHOOK_EDIT, [target(hook)], f"Made webhook “{hook}” to {_host(draft.url)}"
        )
    return hook, text


def edit(*, principal: Principal, hook: Webhook, draft: WebhookDraft) -> Webhook:
    """Change name, address, classes. Raises: as `create`, NotFound."""
    checked_url(draft.url)
    with transaction.atomic():
        row = _locked(principal, hook)
        before, after = _columns_of(row), _columns(draft)
        if before == after:
            return row
        _refuse_taken(row.operator, draft.name, besides=row)
        for name, value in after.items():
            setattr(row, name, value)
        row.save(update_fields=list(after))
        told = list(diff.diff(_said(before), _said(after)))
        if before["url"] != after["url"] and _host(str(before["url"])) == _host(draft.url):
            told.append(diff.FieldChange("url", "", "another path"))
        words = f"Edited webhook “{row}”, to {_host(draft.url)}"
        audit.record(principal, Action.WEBHOOK_EDIT, [target(row)], words, changes=told)
    return row


def switch(*, principal: Principal, hook: Webhook, on: bool) -> Webhook:
    """Switch it on or off; what happens while it is off is never sent, what waited before is."""
    with transaction.atomic():
        row = _locked(principal, hook)
        if row.is_active == on:
            return row
        row.is_active, row.off_reason, row.failing_since = on, "", None
        if on:
            row.seen = audit.head()[0]
        row.save(update_fields=["is_active", "off_reason", "failing_since", "seen"])
        audit.record(
            principal,
            Action.WEBHOOK_EDIT,
            [target(row)],
            f"Switched webhook “{row}” {'on' if on else 'off'}",
        )
    return row


def new_secret(*, principal: Principal, hook: Webhook) -> str:
    """Another secret in the place of the old one, from the next attempt on; shown this once."""
    with transaction.atomic():
        row = _locked(principal, hook)
        text = _new_secret()
        row.secret = _sealed(row, text)
        row.save(update_fields=["secret"])
        audit.record(
            principal, Action.WEBHOOK_EDIT, [target(row)], f"Gave webhook “{row}” a new signing secret"
        )
    return text


def delete(*, principal: Principal, hook: Webhook) -> None:
    """Remove it with its log."""
    with transaction.atomic():
        row = _locked(principal, hook)
        told = target(row)
        row.delete()
        audit.record(principal, Action.WEBHOOK_EDIT, [told], f"Deleted webhook “{told.name}”")


def checked_url(text: str) -> fetching.WebURL:
    """An address that messages may be sent to; a name is looked up when they are.

    Raises: AddressRefused.
    """
    url = fetching.parse_web_url(text, field="url")
    try:
        ip_address(url.host)
    except ValueError:
        return url
    addresses.checked_address(
        url.host,
        url.port,
        allow_loopback=settings.NSCWEB_ALLOW_LOOPBACK_SERVERS,
        lookup=lambda host, _port: [host],
        field="url",
    )
    return url


def everywhere(principal: Principal) -> bool:
    """Whether the principal may make one for the whole installation."""
    return isinstance(decisions.decide(principal, Action.WEBHOOK_EDIT), decisions.Allowed)


def anywhere(principal: Principal) -> bool:
    """Whether the principal may make one at all."""
    return isinstance(reach.anywhere(principal, Action.WEBHOOK_EDIT), decisions.Allowed)


def _locked(principal: Principal, hook: Webhook) -> Webhook:
    row = Webhook.objects.select_for_update(of=("self",)).filter(pk=hook.pk).first()
    if row is None:
        raise NotFound(f"There is no webhook “{hook}” any more.")
    decisions.require(principal, Action.WEBHOOK_EDIT, scope(row))
    return row


def _columns(draft: WebhookDraft) -> dict[str, object]:
    return {
        "name": draft.name,
        "url": draft.url,
        "classes": "\n".join(sorted(CLASSES.intersection(draft.classes))),
        "warnings": draft.warnings,
    }


def _columns_of(row: Webhook) -> dict[str, object]:
    return {"name": row.name, "url": row.url, "classes": row.classes, "warnings": row.warnings}


def _said(columns: dict[str, object]) -> dict[str, object]:
    """What an edit may change, for the audit: of the address the host alone."""
    return {**columns, "url": _host(str(columns["url"])), "classes": str(columns["classes"]).split()}


def _refuse_taken(operator: Operator | None, name: str, besides: Webhook | None = None) -> None:
    taken = Webhook.objects.filter(operator=operator, name__iexact=name)
    if (taken.exclude(pk=besides.pk) if besides is not None else taken).exists():
        raise IdentityError(f"There is a webhook “{name}” already. Choose another name.", field="name")


def _new_secret() -> str:
    return PREFIX + base64.b64encode(random_text.token_bytes(SECRET_BYTES)).decode("ascii")


def _sealed(hook: Webhook, text: str) -> bytes:
    with SecretBytes(text.encode()) as plain:
        return secrets.seal(plain, table=TABLE, public_key=hook.uid, purpose=PURPOSE)


def _host(url: str) -> str:
    """The host alone: paths of webhooks hold tokens."""
    return fetching.parse_web_url(url, field="url").authority
