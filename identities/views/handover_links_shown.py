"""One-time links as strings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.urls import reverse

from identities.models import HandoverLink, User
from identities.services.handover_links import LinkState, state_of
from identities.views import shown

_STATES = {
    LinkState.OPEN: shown.State(word="Open", tone="ok", icon="clock"),
    LinkState.OPENED: shown.State(word="Taken", tone="muted", icon="circle-check"),
    LinkState.REVOKED: shown.State(word="Taken back", tone="muted", icon="ban"),
    LinkState.EXPIRED: shown.State(word="Expired", tone="muted", icon="circle-dashed"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkRow:
    """One link; `revoke_url` is "" where there is nothing to take back."""

    whom: str
    bound: bool
    by: str
    made: shown.When
    until: shown.When
    state: shown.State
    opened: shown.When
    opened_from: str
    revoke_url: str


def rows(user: User, links: Iterable[HandoverLink]) -> tuple[LinkRow, ...]:
    """The links of a user."""
    return tuple(_row(user, link) for link in links)


def offered(link: HandoverLink) -> dict[str, object]:
    """What the page of a link says before it is opened."""
    return {
        "user": link.user.name,
        "account": link.user.account.name,
        "by": link.by_name,
        "whom": link.for_name,
        "until": shown.moment(link.expires_at),
    }


def _row(user: User, link: HandoverLink) -> LinkRow:
    state = state_of(link)
    keys = (user.account.operator.public_key, user.account.public_key, user.public_key)
    revoke = reverse("user-link-revoke", args=[*keys, link.pk]) if state is LinkState.OPEN else ""
    return LinkRow(
        whom=link.for_name,
        bound=link.person_id is not None,
        by=link.by_name,
        made=shown.moment(link.created_at),
        until=shown.moment(link.expires_at),
        state=_STATES[state],
        opened=shown.moment(link.opened_at),
        opened_from=link.opened_from,
        revoke_url=revoke,
    )
