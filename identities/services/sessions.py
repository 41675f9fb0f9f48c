"""Sessions of people: which there are, and how they end. Rows are django-allauth's `UserSession`, one each sign-in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import transaction

from identities.lookup import NotFound
from identities.models import Person
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.services import audit, clock

NOWHERE = "0.0.0.0"  # nosec B104  # noqa: S104 - no address to listen on: it stands for one that is not known

_LONGEST_BROWSER = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """One open session; `here` is the one that asks. `address` is "" when it is not known."""

    pk: int
    address: str
    browser: str
    began_at: datetime
    seen_at: datetime
    here: bool


def of(principal: Principal, current: str) -> tuple[Open, ...]:
    """The open sessions of a person, this one (`current`, its key) first, then the one that was seen last."""
    return tuple(
        sorted(
            (
                Open(
                    pk=row.pk,
                    address="" if row.ip == NOWHERE else row.ip,
                    browser=row.user_agent,
                    began_at=row.created_at,
                    seen_at=row.last_seen_at,
                    here=row.session_key == current,
                )
                for row in _alive(principal.person_id)
            ),
            key=lambda each: (not each.here, -each.seen_at.timestamp()),
        )
    )


def began(person: Person, *, key: str, address: str, browser: str) -> None:
    """Note a session that somebody has opened just now."""
    held = {"user": person, "ip": address or NOWHERE, "user_agent": browser[:_LONGEST_BROWSER]}
    UserSession.objects.update_or_create(session_key=key, defaults=held)


def note(key: str, address: str) -> None:
    """Note that a session is in use, and from where."""
    UserSession.objects.filter(session_key=key).update(
        last_seen_at=clock.now(), **({"ip": address} if address else {})
    )


def end(*, principal: Principal, pk: int) -> None:
    """End one of one's own sessions: its next request is a stranger's. Raises: NotFound."""
    with transaction.atomic():
        row = UserSession.objects.filter(pk=pk, user=principal.person_id).first()
        if row is None:
            raise NotFound("There is no such session of yours.")
        _drop([row.session_key])
        _audit(principal, "Ended another session")


def end_others(*, principal: Principal, current: str) -> int:
    """End all of one's own sessions but the one with the key `current`; how many those were."""
    with transaction.atomic():
        keys = [row.session_key for row in _alive(principal.person_id) if row.session_key != current]
        _drop(keys)
        if keys:
            _audit(principal, f"Ended {len(keys)} other session{'s' if len(keys) > 1 else ''}")
    return len(keys)


def drop_all(person: Person, *, but: str = "") -> None:
    """End the sessions of a person, in the transaction of what asks for it; `but` is the key of one that stays."""
    _drop(
        UserSession.objects.filter(user=person).exclude(session_key=but).values_list("session_key", flat=True)
    )


def _alive(person_id: int | None) -> list[UserSession]:
    """The rows whose session still opens something; the others are forgotten."""
    rows = list(UserSession.objects.filter(user=person_id))
    moment = clock.now()
    living = set(
        Session.objects.filter(
            session_key__in=[row.session_key for row in rows], expire_date__gt=moment
        ).values_list("session_key", flat=True)
    )
    idle = moment - timedelta(seconds=settings.SESSION_IDLE_SECONDS)
    alive = [row for row in rows if row.session_key in living and row.last_seen_at > idle]
    _drop([row.session_key for row in rows if row not in alive])
    return alive


def _drop(keys: Iterable[str]) -> None:
    gone = list(keys)
    Session.objects.filter(session_key__in=gone).delete()
    UserSession.objects.filter(session_key__in=gone).delete()


def _audit(principal: Principal, summary: str) -> None:
    who = audit.Target(kind="person", key=principal.key, name=principal.name)
    audit.record(principal, Action.SESSION_END, [who], summary)
