"""Ending live connections: found by who they are, kicked one by one on their servers, and looked for again."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from identities.claims.revocations import EVERYONE
from identities.resolver import monitoring
from identities.resolver.messages import Reply
from identities.resolver.observed import Connection, Listing

ROUNDS = 4
"""How often it is looked for what is left, and that kicked too: clients come back at once."""
PAUSE = 0.25
NO_KICK = "this server is too old to end single connections: there only what the account's JWT shuts out ends"
_GONE = "no such client"


@dataclass(frozen=True, slots=True, kw_only=True)
class Whom:
    """Whose connections are to end.

    `entries` are users' keys (or `*`), each up to an `iat`; `gone` are issuers that count no more. Connections by
    `changed` issuers end when they began before the edit; those of later are back with what holds now, as servers end
    what is there when they take over the new JWT.
    """

    entries: Mapping[str, int] = field(default_factory=dict)
    gone: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.entries or self.gone or self.changed)

    @property
    def one_user(self) -> str:
        """The only user it is about, whose connections alone need to be listed; "" otherwise."""
        if self.gone or self.changed or len(self.entries) != 1:
            return ""
        only = next(iter(self.entries))
        return "" if only == EVERYONE else only

    def includes(self, one: Connection, *, age: float, edited_for: float) -> bool:
        """Whether a connection that has stood for `age` seconds is to end, so long after the edit."""
        if one.issuer in self.gone:
            return True
        if one.issuer in self.changed and age > edited_for:
            return True
        at = max(self.entries.get(one.user, -1), self.entries.get(EVERYONE, -1))
        return at >= one.issued  # of an unknown `iat` (0) the earlier one is assumed


@dataclass(slots=True)
class OnServer:
    """What became of the connections on one server."""

    name: str
    found: int = 0
    kicked: int = 0
    left: int = 0
    others: int = 0
    said: str = ""

    def as_json(self) -> dict[str, Any]:
        """For a job's result."""
        return {
            "name": self.name,
            "found": self.found,
            "kicked": self.kicked,
            "left": self.left,
            "others": self.others,
            "said": self.said,
        }


def end(
    link: monitoring.Asking,
    whom: Whom,
    *,
    account: str,
    expect: int,
    kick: bool = True,
    edited_for: float = 0.0,
    may_return: bool = False,
) -> list[OnServer]:
    """Kick the connections of an account that `whom` includes until none is left, on every server that answers.

    `edited_for`: how many seconds ago the edit was that they are to end by. Without `kick` it is looked for them only.
    With `may_return` those count that are there when this begins; a client that has come back is left alone.

    Raises: Refused: the link is gone.
    """
    began = time.monotonic()
    servers: dict[tuple[str, str], OnServer] = {}
    standing: dict[tuple[str, str], set[int]] = {}
    rounds = ROUNDS if kick else 1
    for number in range(rounds):
        if number:
            time.sleep(PAUSE)
        left, passed = 0, time.monotonic() - began
        for listing in monitoring.connections(link, account=account, user=whom.one_user, expect=expect):
            there = servers.setdefault(listing.server.key, OnServer(listing.server.name))
            wanted = _included(listing, whom, edited_for + passed)
            if may_return:
                first = standing.setdefault(listing.server.key, _older(wanted, listing, passed))
                wanted = [one for one in wanted if one.cid in first]
            there.left, there.others = len(wanted), len(listing.connections) - len(wanted)
            there.found = max(there.found, there.kicked + len(wanted))
            if listing.problem:
                there.said = listing.problem
            left += len(wanted)
            if wanted and number < rounds - 1:
                _kick(link, listing, wanted, there)
        if not left:
            break
    return [servers[key] for key in sorted(servers)]


def _included(listing: Listing, whom: Whom, edited_for: float) -> list[Connection]:
    return [
        one
        for one in listing.connections
        if whom.includes(one, age=_age(one, listing), edited_for=edited_for)
    ]


def _older(rows: Sequence[Connection], listing: Listing, seconds: float) -> set[int]:
    """Those that are older than that: a server may be heard of first in a later round."""
    return {one.cid for one in rows if _age(one, listing) >= seconds or not one.since}


def _age(one: Connection, listing: Listing) -> float:
    return max(0.0, listing.now - one.since)


def _kick(link: monitoring.Asking, listing: Listing, wanted: Sequence[Connection], there: OnServer) -> None:
    if there.said == NO_KICK:
        return
    replies = link.ask_all([monitoring.kick(listing.server.id, one.cid) for one in wanted])
    for reply in replies:
        outcome = _outcome(reply)
        there.kicked += outcome == ""
        if outcome and outcome != _GONE:
            there.said = outcome


def _outcome(reply: Reply) -> str:
    """What came of one kick: "" when it was done, `_GONE` when the client had left, else words."""
    if reply.nobody or not reply.payloads:
        return NO_KICK
    answer = reply.answers[0]
    if answer.error.startswith(_GONE):
        return _GONE
    return answer.error or answer.problem
