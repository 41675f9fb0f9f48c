"""Warnings 30, 7 and 1 day before something expires: once each, to webhooks and, where mail is configured, to admins.

What was found late is warned of once, at the nearest of the days; what was made for less than that is not warned of.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from identities.models import Grant, Installation, Person, Warned, Webhook
from identities.policy.principal import Principal, Role, ScopeKind
from identities.queries import expiring_soon
from identities.queries.expiring_soon import Expiring
from identities.services import clock, jobs, mails, webhook_messages

KIND = "expiry-mail"
HORIZONS = (1, 7, 30)
"""Days before, the nearest first."""
MOST_TOLD = 200
KEPT = timedelta(days=60)


def warn() -> int:
    """Warn of everything that is due; of how many objects."""
    return sum(_warn(kind, days) for kind in expiring_soon.KINDS for days in HORIZONS)


def _warn(kind: str, days: int) -> int:
    total = 0
    while True:
        with transaction.atomic():
            if Installation.objects.select_for_update().first() is None:  # one worker at a time
                return 0
            moment = clock.now()
            found = expiring_soon.unwarned(kind, days, int(moment.timestamp()))
            if not found:
                return total
            Warned.objects.bulk_create(
                [
                    Warned(kind=kind, object_id=one.id, expires=one.expires, days=each, at=moment)
                    for one in found
                    for each in HORIZONS
                    if each >= days
                ],
                ignore_conflicts=True,
            )
            told = [one for one in found if one.was_there(days)]
            if told:
                _tell_webhooks(told, days)
                _tell_admins(told, days)
            total += len(told)


def _tell_webhooks(told: Sequence[Expiring], days: int) -> None:
    for hook in Webhook.objects.filter(is_active=True, warnings=True):
        seen = [one for one in told if hook.operator_id in (None, one.operator)]
        if seen:
            data = {"days": days, "objects": [_object(one) for one in seen[:MOST_TOLD]]}
            if len(seen) > MOST_TOLD:
                data["more_objects"] = len(seen) - MOST_TOLD
            webhook_messages.add(hook, webhook_messages.EXPIRY, data)


def _object(one: Expiring) -> dict[str, str]:
    return {
        "kind": one.kind,
        "name": one.name,
        "key": one.key,
        "operator": one.operator_name,
        "account": one.account_name,
        "expires": clock.at(one.expires).isoformat(),
    }


def _tell_admins(told: Sequence[Expiring], days: int) -> None:
    """A job for each, so that a mail server that is away holds up nobody, and is asked again."""
    if not mails.configured():
        return
    for person, grants in _admins().items():
        seen = [one for one in told if any(_covers(grant, one) for grant in grants)]
        if seen:
            lines = [_line(one) for one in seen[:MOST_TOLD]]
            if len(seen) > MOST_TOLD:
                lines.append(f"… and {len(seen) - MOST_TOLD:,} more")
            jobs.enqueue(
                principal=Principal.worker(),
                kind=KIND,
                payload={"person": person, "days": days, "lines": lines},
            )


def _admins() -> dict[int, list[Grant]]:
    """Who may mend it and can be written to, with what they administer."""
    active = Person.objects.filter(is_active=True).exclude(email="")
    found: dict[int, list[int]] = {}
    rows = Grant.objects.filter(role=Role.ADMINISTRATOR).filter(
        Q(person__in=active) | Q(team__members__person__in=active)
    )
    for grant, person, member in rows.values_list("pk", "person_id", "team__members__person_id"):
        found.setdefault(person or member, []).append(grant)
    held = Grant.objects.in_bulk([pk for grants in found.values() for pk in grants])
    known = set(active.values_list("pk", flat=True))
    return {person: [held[pk] for pk in grants] for person, grants in found.items() if person in known}


def _covers(grant: Grant, one: Expiring) -> bool:
    if grant.scope_kind == ScopeKind.INSTALLATION:
        return True
    if grant.scope_kind == ScopeKind.OPERATOR:
        return grant.operator_id == one.operator
    return grant.scope_kind == ScopeKind.ACCOUNT and grant.account_id == one.account


def _line(one: Expiring) -> str:
    names = [one.operator_name, one.account_name if one.kind != "account" else ""]
    where = " / ".join(name for name in names if name and one.kind != "operator")
    return (
        f"{one.kind} “{one.name}”{f' ({where})' if where else ''}: {clock.at(one.expires):%Y-%m-%d %H:%M} UTC"
    )


def mail(lease: jobs.Lease) -> jobs.Result:
    """Send one mail, unless its reader was switched off or has no address any more."""
    payload = jobs.payload_of(lease.job)
    person = Person.objects.filter(pk=payload["person"], is_active=True).exclude(email="").first()
    if person is None or not mails.configured():
        return {"sent": False}
    days, lines = payload["days"], payload["lines"]
    within = "a day" if days == 1 else f"{days} days"
    count = f"{len(lines)} objects expire" if len(lines) > 1 else "One object expires"
    text = "\n".join(
        [
            f"These expire within {within}:",
            "",
            *(f"- {line}" for line in lines),
            "",
            f"{settings.NSCWEB_URL}/expirations",
            "",
        ]
    )
    mails.send(f"nscweb: {count} within {within}", text, person.email)
    return {"sent": True}


HANDLER = jobs.Handler(run=mail)


def forget_old() -> int:
    """Forget warnings of what has long expired; how many."""
    long_ago = int((clock.now() - KEPT).timestamp())
    return Warned.objects.filter(expires__lt=long_ago).delete()[0]
