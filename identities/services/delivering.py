"""Brings waiting accounts to the servers of a cluster, and finds out whether they hold them: a batch at a time.

Look up first: a newer JWT there, or one that was not made here, is never overwritten, a person has to choose. Then
push, and read every server's words: “jwt updated” is a full resolver's word for what it stores, also of what it will
not go by, so it is looked up again.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from identities.claims import codec
from identities.claims.errors import ClaimsError
from identities.models import (
    Cluster,
    Delivery,
    DeliveryState,
    HoldingState,
    Operator,
    Server,
    Wish,
)
from identities.queries import rollouts
from identities.resolver import claims_requests, system
from identities.resolver.claims_requests import Found, ServerKey, Told
from identities.resolver.messages import Verdict
from identities.resolver.system import SystemLink
from identities.services import (
    changes,
    clock,
    delivering_results,
    delivering_wanted,
    leases,
    outbox,
    removing,
)
from identities.services.delivering_checks import (
    UNTRUSTED,
    Ours,
    Theirs,
    is_overruled,
    is_plainly_older,
    theirs,
    why_not,
)
from identities.services.delivering_results import Outcome, Seen
from identities.services.delivering_roster import Roster, key_of

BATCH = 1024
CHUNK = 128
AT_ONCE = 2
"""Chunks under way at a time: while answers about one are read, servers have questions about the other to work on."""
WINDOW = system.WINDOW // AT_ONCE
NOBODY = "No server of the cluster has answered yet."
NEWER = "A server holds a newer JWT than the one here. Choose which of them is to stand."
STRANGER = "A server holds a JWT that was not made here, from {at}. Choose which of them is to stand."
"""Of one that is no newer than ours; `at` says when it was issued."""
UNPROVEN = "The servers took it, but it could not be seen that all of them hold it."
UNSEEN = "Not every server told what it holds, so nothing was sent: it could be newer."
_SILENT = Seen(state=HoldingState.WAITING, said="It has not answered.")
_STORED = (Verdict.STORED, Verdict.IN_MEMORY)


@dataclass(slots=True, kw_only=True)
class _Push:
    """One account on its way."""

    ours: Ours
    outcome: Outcome
    distrusting: frozenset[int]
    """The servers that are known not to trust the key that signed it."""
    told: Told = field(default_factory=dict)


def deliver(held: leases.Held, cluster: Cluster, link: SystemLink, roster: Roster) -> int:
    """Deliver the next waiting accounts; how many were tried, 0 when nothing waits.

    While chunks are spoken about with the servers, the one before is written and the next one read.
    Raises: Refused: the connection is gone. LostCluster: another worker has the cluster.
    """
    rows = list(
        Delivery.objects.filter(cluster=cluster, state=DeliveryState.WAITING, run_at__lte=clock.now())
        .only("account_key", "wish", "generation", "attempts", "overrule")
        .order_by("run_at", "pk")[:BATCH]
    )
    if not rows:
        return 0
    pushes = [row for row in rows if row.wish == Wish.PUSH]
    deletions = [row for row in rows if row.wish == Wish.DELETE]
    try:
        _deliver_all(held, cluster, link, roster, pushes)
        if deletions:
            delivering_results.write(held, removing.carry_out(cluster, link, roster, deletions))
    except leases.LostCluster:  # whoever has it now looks at what was sent from here
        outbox.again(Delivery.objects.filter(pk__in=[row.pk for row in rows]))
        raise
    return len(rows)


def _deliver_all(
    held: leases.Held,
    cluster: Cluster,
    link: SystemLink,
    roster: Roster,
    rows: Sequence[Delivery],
) -> None:
    under_way: deque[tuple[list[Outcome], Future[None]]] = deque()
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="delivering") as speaking:
        for start in range(0, len(rows), CHUNK):
            began = time.monotonic()
            outcomes, pushes = _begin(cluster, rows[start : start + CHUNK])
            done = _done(under_way) if len(under_way) == AT_ONCE else ()
            under_way.append((outcomes, speaking.submit(_speak, link, roster, pushes, began)))
            delivering_results.write(held, done)
        while under_way:
            delivering_results.write(held, _done(under_way))


def _done(under_way: deque[tuple[list[Outcome], Future[None]]]) -> list[Outcome]:
    """The outcomes of the chunk that was begun first, once the servers were spoken with."""
    outcomes, spoken = under_way.popleft()
    spoken.result()
    return outcomes


def _speak(link: SystemLink, roster: Roster, pushes: Sequence[_Push], began: float) -> None:
    """Bring accounts to the servers; touches no database. What was read at `began` may grow old: then it waits."""
    if not roster.here:
        for one in pushes:
            _settle(one, roster, problem=NOBODY)
        return
    left = _look_up(link, roster, pushes)
    fresh = max(leases.LEASE.total_seconds(), 4 * link.target.request_seconds)
    if time.monotonic() - began > fresh:  # another worker may have sent a newer one: never older over newer
        return
    told = claims_requests.push(
        link,
        [(one.ours.account, one.ours.text) for one in left],
        servers=len(roster.here),
        one_by_one=len(roster.stores) < len(roster.here),
        window=WINDOW,
    )
    for one, answers in zip(left, told, strict=True):
        one.told = answers
        for server in roster.here:
            one.outcome.servers[server.pk] = _seen(one.ours, server, answers.get(key_of(server)))
    _prove(link, roster, left)
    for one in left:
        _settle(one, roster)


def _begin(cluster: Cluster, rows: Sequence[Delivery]) -> tuple[list[Outcome], list[_Push]]:
    """An outcome for each row; those that may be sent are under way."""
    ours = delivering_wanted.ours(cluster, [row.account_key for row in rows])
    # The cluster was read when the connection was made: the operator may have other keys by now.
    operator = Operator.objects.get(pk=cluster.operator_id)
    trusted, now = changes.claims_of(operator), clock.unix()
    distrusting = rollouts.distrusting(operator, trusted)
    outcomes, under_way, unsent = [], [], []
    for row in rows:
        outcome = Outcome(row=row, state=DeliveryState.WAITING)
        outcomes.append(outcome)
        wanted = ours.get(row.account_key)
        if wanted is None:
            outcome.gone = True
            continue
        try:
            claims = codec.from_payload(codec.payload_of(wanted.text))
            why = why_not(trusted, claims, now=now)
        except ClaimsError as unreadable:
            why = unreadable.user_message
        if why:
            outcome.state, outcome.problem = DeliveryState.REFUSED, f"It was not sent. {why}"
            unsent.append((wanted, outcome))
            continue
        servers = distrusting.get(claims.iss, frozenset())
        under_way.append(_Push(ours=wanted, outcome=outcome, distrusting=servers))
    if unsent:
        delivering_wanted.tell_unsent(cluster, rollouts.strangers(operator, trusted), unsent)
    return outcomes, under_way


def _look_up(link: SystemLink, roster: Roster, pushes: Sequence[_Push]) -> list[_Push]:
    """Those that are to be sent: all have told, nobody has to choose, and somebody does not hold this one.

    Servers without a full store are asked what they go by; one that does not tell keeps nobody waiting.
    """
    full, rest = roster.full, roster.rest
    accounts = [one.ours.account for one in pushes]
    held = claims_requests.look_up(link, accounts, servers=len(full), window=WINDOW)
    forces: Sequence[Mapping[ServerKey, str]] = [{}] * len(pushes)
    if rest:
        forces = claims_requests.in_force(link, accounts, servers=len(roster.here), window=WINDOW)
    left = []
    for one, found, force in zip(pushes, held, forces, strict=True):
        loaded = {server.pk: text for server in rest if (text := force.get(key_of(server)))}
        newer = _newer(one, {*found.texts, *loaded.values()})
        if newer is not None:
            _hold(one, roster, found, newer)
            one.outcome.servers |= {pk: _other(one.ours, text, "") for pk, text in loaded.items()}
        elif found.answers < len(full):  # an overloaded one, or one that has just gone: the roster will tell
            if len(full) == 1:
                one.outcome.servers[full[0].pk] = _SILENT
            _settle(one, roster, problem=UNSEEN)
        elif len(full) == len(roster.here) and found.all_hold(one.ours.text, len(full)):
            for server in full:
                one.outcome.servers[server.pk] = _same(one.ours, "")
            _settle(one, roster)
        else:
            left.append(one)
    return left


def _newer(one: _Push, there: Collection[str]) -> Theirs | None:
    """The newest of the JWTs there that must not be overwritten: later than ours, or not made here."""
    texts = {text for text in there if text != one.ours.text}
    others = [theirs(text) for text in texts if not is_plainly_older(text, one.ours)]
    kept = [
        other
        for other in others
        if other.against(one.ours) in (HoldingState.NEWER, HoldingState.DIFFERENT)
        and other.iat >= 0
        and not is_overruled(one.outcome.row.overrule, other.digest)
    ]
    return max(kept, key=lambda other: other.iat, default=None)


def _hold(one: _Push, roster: Roster, found: Found, newer: Theirs) -> None:
    """Stop: a person chooses. Which server holds what is told only where all of them hold the same."""
    one.outcome.state, one.outcome.found = DeliveryState.HELD, newer.text
    is_newer = newer.iat > one.ours.iat
    one.outcome.problem = NEWER if is_newer else STRANGER.format(at=clock.in_words(newer.iat))
    everywhere = found.all_hold(newer.text, len(roster.full))
    for server in roster.full:
        one.outcome.servers[server.pk] = Seen(
            state=newer.against(one.ours) if everywhere else HoldingState.UNKNOWN,
            digest=newer.digest if everywhere else "",
            jti=newer.jti if everywhere else "",
            iat=newer.iat if everywhere else 0,
            exp=newer.exp if everywhere else 0,
        )


def _seen(ours: Ours, server: Server, told: tuple[Verdict, str] | None) -> Seen:
    """What a server's answer to a push means."""
    if told is None:
        return _SILENT
    verdict, words = told
    if verdict in _STORED:
        return _same(ours, words)
    if verdict is Verdict.SKIPPED:
        return Seen(state=HoldingState.LAZY, said=words)
    return Seen(
        state=HoldingState.REFUSED if verdict is Verdict.REFUSED else HoldingState.UNKNOWN, said=words
    )


def _prove(link: SystemLink, roster: Roster, pushes: Sequence[_Push]) -> None:
    """Ask what the servers really hold now, where they said that they have it."""
    full = roster.full
    sure = [one for one in pushes if full and all(_is_stored(one, server) for server in full)]
    held = claims_requests.look_up(link, [one.ours.account for one in sure], servers=len(full), window=WINDOW)
    for one, found in zip(sure, held, strict=True):
        if not found.all_hold(one.ours.text, len(full)):
            for server in full:
                one.outcome.servers[server.pk] = _unproven(one.ours, found, len(full))
    rest = roster.rest
    loaded = [one for one in pushes if any(_is_stored(one, server) for server in rest)]
    if not loaded:
        return
    forces = claims_requests.in_force(
        link, [one.ours.account for one in loaded], servers=len(roster.here), window=WINDOW
    )
    for one, force in zip(loaded, forces, strict=True):
        for server in rest:
            if _is_stored(one, server):
                text = force.get(key_of(server), "")
                words = one.outcome.servers[server.pk].said
                if text != one.ours.text:
                    one.outcome.servers[server.pk] = _other(one.ours, text, words)


def _is_stored(one: _Push, server: Server) -> bool:
    return one.told.get(key_of(server), (None, ""))[0] in _STORED


def _unproven(ours: Ours, found: Found, servers: int) -> Seen:
    """With one server the answer is its own; with several nobody knows whose it is."""
    if servers == 1 and found.answers == 1:
        return _other(ours, found.texts[0] if found.texts else "", "jwt updated")
    return Seen(state=HoldingState.UNKNOWN, said="jwt updated")


def _other(ours: Ours, text: str, words: str) -> Seen:
    if not text:
        return Seen(state=HoldingState.MISSING, said=words)
    other = theirs(text)
    return Seen(
        state=other.against(ours),
        digest=other.digest,
        jti=other.jti,
        iat=max(other.iat, 0),
        exp=other.exp,
        said=words,
    )


def _settle(one: _Push, roster: Roster, *, problem: str = "") -> None:
    """Where the delivery stands, from what each server of the roster holds; absent ones wait."""
    outcome = one.outcome
    for server in roster.away:
        outcome.servers[server.pk] = Seen(state=HoldingState.WAITING)
    for pk in one.distrusting & outcome.servers.keys():
        if outcome.servers[pk].state in (HoldingState.SAME, HoldingState.LAZY):
            outcome.servers[pk] = replace(outcome.servers[pk], state=HoldingState.REFUSED, said=UNTRUSTED)
    states = [seen.state for seen in outcome.servers.values()]
    refused = [seen.said for seen in outcome.servers.values() if seen.state is HoldingState.REFUSED]
    if refused:
        outcome.state, outcome.problem = DeliveryState.REFUSED, refused[0]
    elif states and all(state in (HoldingState.SAME, HoldingState.LAZY) for state in states):
        outcome.state = DeliveryState.DONE
    else:
        unsure = any(
            state not in (HoldingState.SAME, HoldingState.LAZY, HoldingState.WAITING) for state in states
        )
        outcome.problem = problem or (UNPROVEN if unsure else "")


def _same(ours: Ours, words: str) -> Seen:
    return Seen(
        state=HoldingState.SAME, digest=ours.digest, jti=ours.jti, iat=ours.iat, exp=ours.exp, said=words
    )
