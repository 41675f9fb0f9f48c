"""What a role's template becomes for one user, in words for people who never read nats-server's code."""

from __future__ import annotations

from dataclasses import dataclass

from identities.claims import templates
from identities.claims.permissions import UserPermissionLimits
from identities.claims.templates import Expansion
from identities.models import Account, User
from identities.nkeys import KeyKind
from identities.nkeys.encoding import encode_public
from identities.services import changes
from identities.views import shown

MOST_LINES = 100
MOST_SUBJECTS = 20
_PLACES = {
    "pub.allow": "may publish",
    "pub.deny": "may not publish",
    "sub.allow": "may subscribe",
    "sub.deny": "may not subscribe",
}
_REFUSED = shown.State(word="Login refused", tone="danger", icon="circle-x")
_EMPTY = shown.State(word="Something is left out", tone="warn", icon="triangle-alert")
_FINE = shown.State(word="Let in", tone="ok", icon="circle-check")
_SAMPLE_KEY = encode_public(KeyKind.USER, bytes(32))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """For whom a template is filled in; `known` when it is a user of the account."""

    name: str
    key: str = _SAMPLE_KEY
    tags: tuple[str, ...] = ()
    known: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One subject of the template: what it becomes (cut: `more`), and a `note` about what it does not."""

    place: str
    subject: str
    becomes: tuple[str, ...]
    more: str = ""
    note: str = ""
    tone: str = "muted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Becomes:
    """The whole template for one user. `verdict` says whether it is let in, `said` what is odd about that."""

    who: str
    tags: str
    verdict: shown.State
    said: tuple[str, ...]
    lines: tuple[Line, ...]
    more: str
    same: bool


def sample(account: Account, user: str, name: str, tags: tuple[str, ...]) -> Sample:
    """The user of the account that `user` names (a name or public key), or somebody of that name with these tags."""
    live = User.objects.live().filter(account=account)
    wanted = user.strip()
    found = live.filter(name=wanted).first() or live.filter(public_key=wanted).first() if wanted else None
    if found is None:
        return Sample(name=name or wanted or "alice", tags=tags)
    return of_user(found)


def of_user(user: User) -> Sample:
    """A user of the account, with the tags that its JWT carries."""
    tags = changes.claims_of(user).nats.tags
    return Sample(name=user.name, key=user.public_key, tags=tags, known=True)


def becomes(account: Account, template: UserPermissionLimits, whom: Sample) -> Becomes:
    """What `template` becomes for `whom` when nats-server lets it in, or why it does not."""
    claims = changes.claims_of(account)
    found = templates.expansions(
        template, whom.name, whom.key, claims.name, claims.sub, whom.tags, claims.nats.tags
    )
    lines = tuple(_line(one) for one in found)
    said = _said(found)
    refused = any(one.refused for one in found)
    odd = bool(said) or any(line.note for line in lines)
    return Becomes(
        who=f"“{whom.name}”" if whom.known else f"a user named “{whom.name}”",
        tags=", ".join(whom.tags),
        verdict=_REFUSED if refused else _EMPTY if odd else _FINE,
        said=said,
        lines=lines[:MOST_LINES],
        more=f"{len(lines) - MOST_LINES:,} more subjects are not shown." if len(lines) > MOST_LINES else "",
        same=not any(templates.has_template(one.subject) for one in found),
    )


def _line(one: Expansion) -> Line:
    cut = len(one.becomes) - MOST_SUBJECTS
    note, tone = _note(one)
    return Line(
        place=_PLACES[one.place],
        subject=one.subject,
        becomes=one.becomes[:MOST_SUBJECTS],
        more=f"and {cut:,} more" if cut > 0 else "",
        note=note,
        tone=tone,
    )


def _note(one: Expansion) -> tuple[str, str]:
    if one.refused:
        return one.refused, "danger"
    if one.dropped:
        named = ", ".join(f"“{subject}”" for subject in one.dropped[:3])
        return f"Left out: {named} is no subject.", "warn"
    if not one.becomes:
        return "Left out: it needs a tag that is not there.", "warn"
    rest = templates.without_templates(one.subject)
    if any(mark not in rest and any(mark in subject for subject in one.becomes) for mark in "*>"):
        return "The name or a tag brings a wildcard in: this grants more than one subject.", "warn"
    return "", ""


def _said(found: tuple[Expansion, ...]) -> tuple[str, ...]:
    """Where nothing is left of a list, nats-server denies everything there."""
    told = []
    for place, verb in (("pub.allow", "publish to"), ("sub.allow", "subscribe to")):
        listed = [one for one in found if one.place == place]
        if listed and not any(one.becomes or one.refused for one in listed):
            told.append(
                f"Nothing that it may {verb} is left, so it may {verb} nothing: nats-server denies `>`."
            )
    return tuple(told)
