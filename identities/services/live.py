"""Live numbers: pages say what they look at and read the last snapshot of it; the worker asks the servers meanwhile.

A page never waits for a server: it writes `wanted_until`, and shows what stands in the row.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q

from identities.models import Account, Cluster, Snapshot
from identities.nkeys import KeyKind, is_public
from identities.resolver import monitoring
from identities.resolver.connection import Refused
from identities.resolver.messages import Answer, Question, Reply
from identities.resolver.observed import Listing
from identities.services import clock, roster

WANTED = timedelta(seconds=20)
"""How long a page that was opened or has asked again counts as looked at."""
EVERY = timedelta(seconds=2)
FORGOTTEN = timedelta(minutes=10)
MOST_AT_ONCE = 12
"""Snapshots taken in one round: a round is short, as deliveries wait behind it."""
MOST_LISTED = 200
"""Connections that one server is asked for, and that one snapshot keeps."""
MOST_SECONDS = 1.5
LARGEST_JWT = 32_768
"""INFO answers with the account's whole JWT: of larger ones it is not asked every two seconds."""
SILENT = "The servers did not answer in time."


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What is asked for one snapshot, and what its answers become."""

    snapshot: Snapshot
    questions: tuple[Question, ...]
    read: Callable[[Sequence[Reply]], dict[str, Any]]


def watch(cluster: Cluster, *, account: str = "", user: str = "") -> Snapshot:
    """Note that somebody looks at a cluster's servers, at an account, or at a user; the last snapshot of it.

    One write in ten seconds at most, whoever looks and how often.
    """
    moment = clock.now()
    row, _ = Snapshot.objects.get_or_create(
        cluster=cluster,
        subject=user or account,
        defaults={"account_key": account, "wanted_until": moment + WANTED},
    )
    if row.wanted_until < moment + WANTED / 2:
        row.wanted_until = moment + WANTED
        Snapshot.objects.filter(pk=row.pk).update(wanted_until=row.wanted_until)
    return row


def refresh(cluster: Cluster, link: monitoring.Asking) -> int:
    """Take anew what somebody looks at and what is older than `EVERY`; how many snapshots were taken.

    What the servers refuse (the system user may not ask it) stands on the snapshots as their problem.
    """
    moment = clock.now()
    wanted = list(_due(cluster, moment)[:MOST_AT_ONCE])
    if not wanted:
        return 0
    try:
        _take(cluster, link, wanted)
    except Refused as refused:
        Snapshot.objects.filter(pk__in=[row.pk for row in wanted]).update(
            asked_at=moment, problem=refused.user_message
        )
    return len(wanted)


def forget_old() -> int:
    """Delete snapshots that nobody has looked at for a while; how many they were."""
    return Snapshot.objects.filter(wanted_until__lt=clock.now() - FORGOTTEN).delete()[0]


def body_of(row: Snapshot) -> dict[str, Any]:
    """What a snapshot holds; empty before the first one."""
    body: dict[str, Any] = json.loads(row.body or "{}")
    return body


def _take(cluster: Cluster, link: monitoring.Asking, wanted: Sequence[Snapshot]) -> None:
    expect = len(roster.split(cluster)[0])
    seconds = min(cluster.request_seconds, MOST_SECONDS)
    users = [row for row in wanted if is_public(row.subject, KeyKind.USER)]
    others = [row for row in wanted if row not in users]
    small = _small_accounts(cluster, others)
    asked = [_asked(row, expect, small) for row in others]
    replies = iter(link.ask_all([question for one in asked for question in one.questions], seconds=seconds))
    for one in asked:
        _store(one.snapshot, one.read([next(replies) for _ in one.questions]))
    for row in users:  # every page has to be read for that
        found = monitoring.connections(
            link, account=row.account_key, user=row.subject, expect=expect, seconds=seconds
        )
        _store(row, {"listings": [asdict(one) for one in _bounded(found)]})


def _due(cluster: Cluster, moment: datetime) -> Any:
    fresh = Q(asked_at=None) | Q(asked_at__lte=moment - EVERY)
    return Snapshot.objects.filter(fresh, cluster=cluster, wanted_until__gt=moment).order_by("asked_at", "pk")


def _small_accounts(cluster: Cluster, wanted: Sequence[Snapshot]) -> set[str]:
    rows = Account.objects.live().filter(
        operator=cluster.operator_id, public_key__in={row.subject for row in wanted if row.subject}
    )
    return {key for key, claims in rows.values_list("public_key", "claims") if len(claims) < LARGEST_JWT}


def _asked(row: Snapshot, expect: int, small: set[str]) -> _Asked:
    if not row.subject:
        return _Asked(snapshot=row, questions=(monitoring.varz(expect),), read=_servers)
    questions = [
        monitoring.connz(account=row.subject, limit=MOST_LISTED, expect=expect),
        monitoring.statz(row.subject, expect),
        monitoring.jsz(row.subject, expect),
    ]
    if row.subject in small:
        questions.append(monitoring.info(row.subject, expect))
    return _Asked(snapshot=row, questions=tuple(questions), read=_account)


def _servers(replies: Sequence[Reply]) -> dict[str, Any]:
    return {"servers": _told(replies[0], monitoring.state_of)}


def _connections(replies: Sequence[Reply]) -> dict[str, Any]:
    listings = [monitoring.listing_of(answer) for answer in replies[0].answers]
    return {"listings": [asdict(one) for one in _bounded(listings)]}


def _account(replies: Sequence[Reply]) -> dict[str, Any]:
    return {
        **_connections(replies),
        "usage": _told(replies[1], monitoring.usage_of),
        "tiers": [asdict(tier) for tier in monitoring.tiers_of(replies[2].answers)],
        "known": _told(replies[3], monitoring.known_of) if len(replies) > 3 else [],
    }


def _told(reply: Reply, read: Callable[[Answer], Any]) -> list[dict[str, Any]]:
    found = [asdict(value) for value in map(read, reply.answers) if value is not None]
    return sorted(found, key=lambda one: (one["server"]["name"], one["server"]["cluster"]))


def _bounded(listings: Sequence[Listing]) -> list[Listing]:
    """Listings by server, with `MOST_LISTED` connections in all."""
    left, kept = MOST_LISTED, []
    for listing in sorted(listings, key=lambda one: one.server.key):
        kept.append(replace(listing, connections=listing.connections[:left]))
        left -= len(kept[-1].connections)
    return kept


def _store(row: Snapshot, body: dict[str, Any]) -> None:
    moment = clock.now()
    fields: dict[str, object] = {"asked_at": moment, "problem": SILENT}
    if any(body.values()):
        text = json.dumps(body, ensure_ascii=False, default=str)
        fields |= {"taken_at": moment, "problem": "", "body": text}
    Snapshot.objects.filter(pk=row.pk).update(**fields)
