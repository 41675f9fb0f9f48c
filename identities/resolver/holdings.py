"""Asks every server of a cluster which account JWTs it holds, and keeps apart what is proven of which server.

LIST names its server, and tells presence. LOOKUP names none: as many equal answers as there are full servers prove it
of each of them, and different ones prove nothing; where caches are among the servers, their words tell who is full.
PACK comes from any one server, and takes a server longer than a LOOKUP for each of its accounts: it is not asked.
ACCOUNT INFO names its server, but knows only accounts that are loaded; NSUBS makes every server load one, and may have
it fetch the JWT from a peer: so LIST comes first.
Source: nats-server `server/accounts.go`, `events.go`; nats-jwt.md §7.3, §8.9.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from identities.resolver import messages, surveying
from identities.resolver.messages import Question, ServerInfo
from identities.resolver.system import SystemLink

MOST_ATTRIBUTED: Final = 500
"""Accounts whose JWTs are asked of each server by name in one comparison: these questions make servers load them."""
_NOBODY_LISTENS: Final = "_nscweb.drift"
ServerKey = tuple[str, str]
Runs = Mapping[tuple[ServerKey, str], surveying.Kind]
"""What servers with a store were found to be, by their key and the id of the run that they are in."""


@dataclass(slots=True)
class Held:
    """What one server holds: `listed` is None when it does not answer LIST; `texts` what is proven of it."""

    server: ServerInfo
    listed: frozenset[str] | None = None
    full: bool = False
    cache: bool = False
    """What it does not list it fetches from others when it needs it."""
    texts: dict[str, str] = field(default_factory=dict)
    neighbours: frozenset[str] = frozenset()
    """Names of the servers and gateways that it has connections to."""
    sought: set[str] = field(default_factory=set)
    """Accounts that this server was made to look for and said that it does not know: its configuration does not have
    them, or where it fetches them nobody gave them, or it goes by no such JWT."""


@dataclass(frozen=True, slots=True)
class Observed:
    """What was seen. `disputed` are accounts that full servers hold in different versions, not told apart."""

    servers: Mapping[ServerKey, Held]
    disputed: frozenset[str]


def observe(link: SystemLink, wanted: Collection[str], *, known: Runs = MappingProxyType({})) -> Observed:
    """What the servers hold of the accounts `wanted`, and which others they list; `known` spares them questions.

    Raises: Refused: the connection is gone.
    """
    servers = _roster(link)
    full = _lists(link, servers, known)
    if not _all_told(servers):
        full = 0  # somebody who did not answer now may answer the next question in another's place
    keys = sorted(set(wanted) | {key for held in servers.values() for key in held.listed or ()})
    disputed = _texts_of_full(link, servers, keys, full)
    apart = keys if not full or len(_full(servers)) < len(servers) else sorted(disputed)
    left = _texts_by_name(link, servers, apart[:MOST_ATTRIBUTED])
    return Observed(servers, frozenset(disputed - (set(apart[:MOST_ATTRIBUTED]) - left)))


def _roster(link: SystemLink) -> dict[ServerKey, Held]:
    """Whoever answers until none has for half of the time that a request may take: nobody knows how many there are."""
    quiet = link.target.request_seconds / 2
    reply = link.take(messages.of_every_server("STATSZ"), until=lambda _payload: False, seconds=quiet)
    return {
        answer.server.key: Held(answer.server, neighbours=_neighbours(answer.data))
        for answer in reply.answers
        if answer.server is not None
    }


def _neighbours(statsz: object) -> frozenset[str]:
    if not isinstance(statsz, Mapping):
        return frozenset()
    found = [*(statsz.get("routes") or ()), *(statsz.get("gateways") or ())]
    return frozenset(str(one.get("name", "")) for one in found if isinstance(one, Mapping))


def _all_told(servers: Mapping[ServerKey, Held]) -> bool:
    """Whether every server that another is connected to has answered, by its own name or its cluster's."""
    known = {name for key in servers for name in key}
    return all(held.neighbours <= known for held in servers.values())


def _lists(link: SystemLink, servers: dict[ServerKey, Held], known: Runs) -> int:
    """Note what each server lists; how many have a full resolver."""
    for answer in link.ask(messages.CLAIMS_LIST, expect=len(servers)).answers:
        held = servers.get(answer.server.key) if answer.server is not None else None
        if held is not None and answer.ok and isinstance(answer.data, list | None):
            held.listed = frozenset(key for key in answer.data or () if isinstance(key, str))
    listing = [held for held in servers.values() if held.listed is not None]
    if not listing:
        return 0
    # Only full servers answer LOOKUP, an unknown account with an empty message: their number, if not who they are.
    probe = link.ask(messages.of_account("A" + "A" * 55, "CLAIMS.LOOKUP"), expect=len(listing))
    full = 0 if probe.nobody else len(probe.payloads)
    if full == len(listing):
        for held in listing:
            held.full = True
    elif full:
        for key, kind in _told_apart(link, listing, full, known).items():
            servers[key].full = kind is surveying.Kind.FULL
            servers[key].cache = kind is surveying.Kind.CACHE
    elif probe.nobody:
        for held in listing:
            held.cache = True
    return full


def _told_apart(
    link: SystemLink, listing: Sequence[Held], full: int, known: Runs
) -> Mapping[ServerKey, surveying.Kind]:
    """Of these servers, `full` of which have a full store, which has what; empty where that can't be told."""
    kinds = {
        held.server.key: known.get((held.server.key, held.server.id), surveying.Kind.UNKNOWN)
        for held in listing
    }
    told = list(kinds.values())
    if surveying.Kind.UNKNOWN not in told and told.count(surveying.Kind.FULL) == full:
        return kinds
    return surveying.told_apart(link, kinds, full=full)


def _texts_of_full(
    link: SystemLink, servers: Mapping[ServerKey, Held], keys: Sequence[str], full: int
) -> set[str]:
    """Note the JWTs that all full servers agree on; the accounts of which they hold different ones."""
    if not full:
        return set()
    of_full = _full(servers)
    questions = [Question(messages.of_account(key, "CLAIMS.LOOKUP"), expect=full) for key in keys]
    disputed = set()
    for key, reply in zip(keys, link.ask_all(questions), strict=True):
        texts = set(reply.payloads)
        if len(reply.payloads) == full and len(texts) == 1 and len(of_full) == full:
            text = reply.payloads[0].decode("utf-8", "replace")
            for held in of_full:
                held.texts[key] = text
        elif texts - {b""}:
            disputed.add(key)
    return disputed


def _full(servers: Mapping[ServerKey, Held]) -> list[Held]:
    return [held for held in servers.values() if held.full]


def _texts_by_name(link: SystemLink, servers: Mapping[ServerKey, Held], keys: Iterable[str]) -> set[str]:
    """Have every server load these accounts and tell what it has in force; those that not every server told of.

    A server works on such questions one after the other: when it says that it does not know an account, it has looked.
    """
    keys, expect = list(keys), len(servers)
    if not keys:
        return set()
    loads = [
        Question(
            messages.ACCOUNT_NSUBS,
            json.dumps({"acc": key, "subject": _NOBODY_LISTENS}).encode(),
            expect=expect,
        )
        for key in keys
    ]
    link.ask_all(loads)
    infos = [Question(messages.of_account(key, "INFO"), expect=expect) for key in keys]
    left = set()
    for key, reply in zip(keys, link.ask_all(infos), strict=True):
        told = 0
        for answer in reply.answers:
            held = servers.get(answer.server.key) if answer.server is not None else None
            if held is None:
                continue
            told += 1
            text = answer.data.get("jwt") if answer.ok and isinstance(answer.data, dict) else None
            if isinstance(text, str) and text:
                held.texts[key] = text
            elif answer.error:
                held.sought.add(key)
        if told < len(servers):
            left.add(key)
    return left
