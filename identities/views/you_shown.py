"""Your account as strings."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from django.urls import reverse

from identities.models import Grant, Person
from identities.policy import powers
from identities.policy.principal import Role, ScopeKind
from identities.services.sessions import Open
from identities.views import addresses, shown

_BROWSERS = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)
_LONGEST = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantRow:
    """One role: what it is called, where it holds (with its page), and the team through which it is held."""

    title: str
    where: str
    url: str
    team: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRow:
    """One open session."""

    browser: str
    address: str
    began: shown.When
    seen: shown.When
    here: bool
    end_url: str


def profile(person: Person) -> tuple[dict[str, str], ...]:
    """Name and e-mail address."""
    return (
        {"label": "Signs in as", "value": person.username},
        {"label": "Name", "value": person.name or "the same"},
        {"label": "E-mail", "value": person.email or "none: a forgotten password can't be set anew by mail"},
    )


def grants(person: Person) -> list[GrantRow]:
    """What somebody holds, the widest first; one query."""
    held = Grant.objects.of_person(person.pk).select_related("operator", "account", "signing_key", "team")
    order = list(powers.TITLES)
    rows = sorted(held, key=lambda grant: order.index(_which(grant)))
    return [_grant(grant) for grant in rows]


def sessions(found: Sequence[Open]) -> list[SessionRow]:
    """Where somebody is signed in."""
    return [
        SessionRow(
            browser=browser(each.browser),
            address=each.address or "unknown",
            began=shown.moment(each.began_at),
            seen=shown.moment(each.seen_at),
            here=each.here,
            end_url=reverse("session-end", args=[each.pk]),
        )
        for each in found
    ]


def browser(agent: str) -> str:
    """A browser's own name of itself, in two words that people know."""
    program = next((name for mark, name in _BROWSERS if mark in agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in agent), "")
    if program:
        return f"{program} on {system}" if system else program
    return re.sub(r"\s+", " ", agent)[:_LONGEST] or "unknown"


def ended(number: int) -> str:
    """What is said after signing out everywhere else."""
    if not number:
        return "You were signed in nowhere else."
    return "One other session has ended." if number == 1 else f"{number} other sessions have ended."


def _which(grant: Grant) -> tuple[ScopeKind, Role]:
    return ScopeKind(grant.scope_kind), Role(grant.role)


def _grant(grant: Grant) -> GrantRow:
    where, url = "this installation", ""
    if grant.operator is not None:
        where, url = grant.operator.name, addresses.operator(grant.operator.public_key)
        if grant.account is not None:
            where = grant.account.name
            url = addresses.account(grant.operator.public_key, grant.account.public_key)
    if grant.signing_key is not None and grant.operator is not None and grant.account is not None:
        keys = (grant.operator.public_key, grant.account.public_key, grant.signing_key.public_key)
        url = reverse("role-creds", args=keys)
        where = f"the role {grant.signing_key.public_key[:8]}… of {where}"
    return GrantRow(
        title=powers.TITLES[_which(grant)],
        where=where,
        url=url,
        team=grant.team.name if grant.team is not None else "",
    )
