"""What the pages of an account's revocations show, as plain strings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import QueryDict
from django.urls import reverse

from identities.claims.handles import handle
from identities.claims.revocations import EVERYONE, Verdict
from identities.models import Account, User
from identities.policy.principal import Principal
from identities.services import changes, revocations
from identities.views import listing, shown

MOST_CHOICES = 200
"""How many users the form offers while somebody types a name."""
MOST_NAMED = 1000
"""How many users a filter by name may find before it is no filter."""
KEPT = {
    Verdict.ALL_USERS: "is the one for all users (*)",
    Verdict.IMPORTED: "of keys first seen by import, of which there may be JWTs elsewhere",
    Verdict.UNKNOWN: "of keys that never had a JWT here",
    Verdict.SUSPENDED: "of suspended users, until their suspension is lifted",
    Verdict.LASTING: "of keys with a JWT that has not expired and would work again",
}
DROPPED = {
    Verdict.COVERED: "covered by the entry for all users (*), which stays",
    Verdict.EXPIRED: "of keys whose every JWT up to then is known here and has expired",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RevocationRow:
    """One entry: whom it revokes, up to when, and what that means for the user's current JWT."""

    who: str
    note: str
    url: str
    key: shown.Chip | None
    until: shown.When
    effect: str
    covered: bool
    clear_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """The account JWT's bytes against what servers take: `value` and `most` for a meter, the rest for people."""

    value: str
    most: str
    high: str
    text: str
    tone: str


def listed(principal: Principal, account: Account, query: QueryDict) -> dict[str, Any]:
    """One page of the entries that `q` finds, the latest first; the same number of queries for any number of them."""
    held = changes.claims_of(account).nats.revocations
    found = _matching(account, held, query.get("q", "").strip()[:300])
    entries = sorted(found, key=lambda key: (-held[key], key))
    page = listing.page(entries, query)
    known = _users(account, page.rows)
    names = shown.key_names(principal, account.operator, page.rows)
    return {
        "page": page,
        "rows": tuple(_row(account, key, held, known.get(key), names.get(key, "")) for key in page.rows),
        "any": bool(held),
        "size": size(revocations.token_size(changes.claims_of(account))),
    }


def size(number: int) -> Size:
    """The size of a JWT in words and for a meter."""
    most = revocations.MOST_BYTES
    percent = 100 * number / most
    return Size(
        value=str(number),
        most=str(most),
        high=str(most * 4 // 5),
        text=f"{number:,} of {most:,} bytes ({percent:.1f} %)",
        tone="danger" if number > most else "warn" if percent > 80 else "",
    )


def choices(account: Account) -> tuple[str, ...]:
    """Names of users that the form offers."""
    rows = User.objects.live().filter(account=account).order_by("name")
    return tuple(rows.values_list("name", flat=True)[:MOST_CHOICES])


def compaction(plan: revocations.Compaction) -> dict[str, Any]:
    """What compacting drops and keeps, and the size of the JWT before and after."""
    counts = plan.verdicts
    before, after = (revocations.token_size(one) for one in (plan.change.before, plan.change.after))
    return {
        "dropped": tuple(_counted(counts[why], words) for why, words in DROPPED.items() if counts[why]),
        "kept": tuple(_counted(counts[why], words) for why, words in KEPT.items() if counts[why]),
        "size_before": size(before),
        "size_after": size(after),
        "nothing": not plan.dropped,
    }


def _counted(number: int, words: str) -> str:
    return f"{shown.plural(number, 'entry', 'entries')} {words}"


def _matching(account: Account, held: Mapping[str, int], wanted: str) -> list[str]:
    if not wanted:
        return list(held)
    rows = User.objects.filter(account=account, name__icontains=wanted).order_by("pk")
    named = set(rows.values_list("public_key", flat=True)[:MOST_NAMED])
    key = wanted.upper()
    return [entry for entry in held if key in entry.upper() or entry in named]


def _users(account: Account, keys: Sequence[str]) -> dict[str, User]:
    """The account's users of these keys: the live one, else the one that was deleted last."""
    rows = User.objects.filter(account=account, public_key__in=keys).defer("claims")
    found: dict[str, User] = {}
    for user in sorted(rows, key=lambda row: (row.deleted_at is None, row.pk)):
        found[user.public_key] = user
    return found


def _row(account: Account, key: str, held: Mapping[str, int], user: User | None, name: str) -> RevocationRow:
    at, everyone = held[key], held.get(EVERYONE, 0)
    keys = (account.operator.public_key, account.public_key)
    who, note, url, effect = name or "unknown key", "" if name else "no user here", "", "every JWT up to then"
    if key == EVERYONE:
        who, note = "All users", ""
    elif user is not None:
        live = user.deleted_at is None
        who, note = user.name, "" if live else "deleted"
        url = reverse("user", args=[*keys, key]) if live else ""
        effect = "earlier JWTs only" if user.last_iat > at else "its last JWT too"
    return RevocationRow(
        who=who,
        note=note,
        url=url,
        key=None if key == EVERYONE else shown.chip(key),
        until=shown.unix(at),
        effect=effect,
        covered=key != EVERYONE and at <= everyone,
        clear_url=reverse("revocation-clear", args=[*keys, handle(key)]),
    )
