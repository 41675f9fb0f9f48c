"""What a holder's permission lists get wrong: everything open, denies without use, `a.*` that is wider than it looks.

Source: nats-server `client.go` (canSubscribe takes the `>` of a subscription for an ordinary token), `auth.go`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from identities.claims.effective import Effective, subscription_reach
from identities.claims.subjects import overlaps


class Kind(StrEnum):
    """What is wrong."""

    OPEN = "everything open"
    DEAD_DENY = "deny without use"
    WIDE_STAR = "wider than it looks"
    UNHEARD = "nothing reaches it"
    UNSENT = "nobody can publish it"
    UNANSWERED = "nobody can answer it"
    UNJUDGED = "not judged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong: in which list (a JSON path below the permissions), at which entry, and what to do."""

    kind: Kind
    path: str
    entry: str
    text: str


def of(given: Effective) -> tuple[Finding, ...]:
    """What is wrong with the lists that count for a holder."""
    return (*_open(given), *_dead(given), *_wide(given))


def _open(given: Effective) -> Iterator[Finding]:
    sides = (
        ("pub", "publish", given.pub_allow, given.pub_deny),
        ("sub", "subscribe", given.sub_allow, given.sub_deny),
    )
    opened = [verb for _, verb, allow, deny in sides if ">" in allow and not deny]
    if opened:
        yield Finding(
            kind=Kind.OPEN,
            path="",
            entry=">",
            text=f"May {' and '.join(opened)} everywhere: name the subjects that it needs.",
        )


def _dead(given: Effective) -> Iterator[Finding]:
    wide = [subscription_reach(entry.partition(" ")[0]) for entry in given.sub_allow]
    for side, allow, deny in (
        ("pub", given.pub_allow, given.pub_deny),
        ("sub", wide, given.sub_deny),
    ):
        for entry in deny:
            if not any(overlaps(entry.partition(" ")[0], allowed) for allowed in allow):
                yield Finding(
                    kind=Kind.DEAD_DENY,
                    path=f"{side}.deny",
                    entry=entry,
                    text=f"`{entry}` is denied, but nothing allows any of it: take the deny out, or allow what it was "
                    "to be taken from.",
                )


def _wide(given: Effective) -> Iterator[Finding]:
    plain: Sequence[str] = [entry for entry in given.sub_deny if " " not in entry]
    for entry in given.sub_allow:
        subject = entry.partition(" ")[0]
        wider = subscription_reach(subject, plain)
        if wider not in (subject, ">"):
            yield Finding(
                kind=Kind.WIDE_STAR,
                path="sub.allow",
                entry=entry,
                text=f"`{subject}` lets it subscribe to `{wider}` as well, by nats-server's rules: deny `{wider}` to "
                "subscribe, or name the subjects.",
            )
