"""What the page of an account's mappings shows, as plain strings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import QueryDict
from django.urls import reverse

from identities.claims import mapping_routes
from identities.claims.handles import handle
from identities.forms.mapping_ways import Ways, ways_of
from identities.models import Account
from identities.services import changes
from identities.views import shown

MOST = 500
"""How many mappings one page lists; the filter finds the others."""
LONGEST_QUERY = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingRow:
    """One mapping: its source, the ways its messages take, and where it is edited."""

    source: str
    groups: tuple[Ways, ...]
    edit_url: str
    delete_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """Where messages on a typed subject go: by no mapping, by one, or (`torn`) by one of several."""

    subject: str
    problem: str
    torn: bool
    rows: tuple[MappingRow, ...]


def listed(account: Account, query: QueryDict) -> dict[str, Any]:
    """The rows that the filter `q` finds, and the ways of the subject `try`."""
    held = changes.claims_of(account).nats.mappings
    wanted = query.get("q", "").strip()[:LONGEST_QUERY]
    found = [
        source
        for source, targets in held.items()
        if not wanted or any(wanted in text for text in (source, *(target.subject for target in targets)))
    ]
    rows = tuple(_row(account, source, held[source]) for source in sorted(found)[:MOST])
    return {
        "rows": rows,
        "q": wanted,
        "filtered": bool(wanted),
        "total": shown.plural(len(found), "mapping"),
        "left_out": f"{len(found) - MOST:,}" if len(found) > MOST else "",
        "trial": _trial(account, query.get("try", "").strip()[:LONGEST_QUERY]),
    }


def _row(account: Account, source: str, targets: Any, sample: str = "") -> MappingRow:
    keys = (account.operator.public_key, account.public_key, handle(source))
    return MappingRow(
        source=source,
        groups=tuple(ways_of(source, targets, sample)),
        edit_url=reverse("mapping-edit", args=keys),
        delete_url=reverse("mapping-delete", args=keys),
    )


def _trial(account: Account, subject: str) -> Trial | None:
    if not subject:
        return None
    if not mapping_routes.is_sample(subject):
        problem = f"“{subject}” is no subject to publish on: write one without wildcards."
        return Trial(subject=subject, problem=problem, torn=False, rows=())
    held = changes.claims_of(account).nats.mappings
    sources = mapping_routes.sources_of(subject, held)
    return Trial(
        subject=subject,
        problem="",
        torn=len(sources) > 1,
        rows=tuple(_row(account, source, held[source], subject) for source in sources),
    )
