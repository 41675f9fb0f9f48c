"""What the page of invitations shows, as plain strings."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import QuerySet
from django.urls import reverse

from identities.models import Invitation
from identities.services import clock, invitations
from identities.views.shown import State, When, moment

MOST = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One invitation; `revoke_url` is "" for one that opens nothing any more."""

    name: str
    email: str
    waits: tuple[str, ...]
    by: str
    made: When
    expires: When
    state: State
    revoke_url: str


def rows(found: QuerySet[Invitation]) -> tuple[Row, ...]:
    """The newest of them."""
    return tuple(_row(each) for each in found[:MOST])


def _row(each: Invitation) -> Row:
    state = _state(each)
    return Row(
        name=each.name,
        email=each.email,
        waits=invitations.waits(each),
        by=each.by_name,
        made=moment(each.created_at),
        expires=moment(each.expires_at),
        state=state,
        revoke_url=reverse("invitation-revoke", args=[each.pk]) if state.word == "Open" else "",
    )


def _state(each: Invitation) -> State:
    if each.used_at is not None:
        by = str(each.person) if each.person is not None else "somebody who is gone"
        return State(
            word="Used", tone="ok", icon="circle-check", title=f"{moment(each.used_at).text} by {by}"
        )
    if each.revoked_at is not None:
        return State(word="Revoked", tone="muted", icon="ban", title=moment(each.revoked_at).text)
    if each.expires_at <= clock.now():
        return State(word="Expired", tone="muted", icon="clock")
    return State(word="Open", tone="warn", icon="hourglass")
