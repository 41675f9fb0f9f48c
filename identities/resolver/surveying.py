"""Who is in a cluster, and what each server tells of itself: present ones, operators, resolver, deleting.

Source: nats-server `server/events.go`, `monitor.go`, `accounts.go`; nats-jwt.md §7.3, §8.2, §8.9.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Protocol

from identities.claims import codec
from identities.claims.common import Claims
from identities.claims.generic import GenericBody
from identities.nkeys import KeyKind, KeyPair
from identities.resolver import messages
from identities.resolver.messages import Answer, Question, Reply, ServerInfo

ServerKey = tuple[str, str]
MOST_SERVERS: Final = 1000
"""A roster's bound: who answers beyond it is not looked at."""
QUIET: Final = 0.5
"""Of the time that a request may take: nobody new has answered for so long, so nobody will."""
_UNKNOWN_ACCOUNT: Final = "A" + "A" * 55
_FORBIDDEN: Final = "delete must be enabled"
_NO_JWT: Final = b"nscweb asks what kind of resolver this is"
_STORE_SAYS: Final = "jwt update "
_CACHE_SAYS: Final = "jwt update cache "
_LONGEST_NUMBER: Final = 2**53


class Kind(StrEnum):
    """Where a server has account JWTs from, as far as its answers tell."""

    UNKNOWN = ""
    FULL = "full"
    CACHE = "cache"
    OTHER = "other"


class Store(NamedTuple):
    """What the store of a server is known to be."""

    kind: Kind
    allow_delete: bool


class Asking(Protocol):
    """What asks servers: a `SystemLink`."""

    def ask(
        self, subject: str, payload: bytes = b"", *, expect: int = 1, seconds: float | None = None
    ) -> Reply:
        """Ask once."""

    def ask_all(
        self, questions: list[Question], *, seconds: float | None = None, window: int = ...
    ) -> list[Reply]:
        """Ask many at once."""

    def take(self, subject: str, payload: bytes = b"", *, until: Any, seconds: float | None = None) -> Reply:
        """Ask once and take what comes until it is quiet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One server, which knows of so many `servers` in all, and has `routes` to servers of these names.

    `operators` maps the keys of the operators that it runs with to the `iat` of their JWTs; `allow_delete` is None
    where nobody can tell.
    """

    info: ServerInfo
    started: datetime | None = None
    servers: int = 1
    routes: frozenset[str] = frozenset()
    system_account: str = ""
    operators: Mapping[str, int] = field(default_factory=dict)
    kind: Kind = Kind.UNKNOWN
    allow_delete: bool | None = None


def present(link: Asking, known: Collection[ServerKey], *, patience: float) -> dict[ServerKey, Seen]:
    """The servers that answer now. When all that are `known` do and none of them knows of more, that is quick; else
    it is waited until nobody new has answered for half of `patience` (seconds).

    Raises: Refused: the connection is gone, or the question is not allowed.
    """
    subject = messages.of_every_server("STATSZ")
    if known:
        found = _seen(link.ask(subject, expect=len(known), seconds=patience * QUIET))
        if set(known) <= set(found) and not _strangers(found):
            return found
    return _seen(link.take(subject, until=lambda _payload: False, seconds=patience * QUIET))


def described(
    link: Asking,
    servers: Mapping[ServerKey, Seen],
    *,
    known: Mapping[ServerKey, Store] = MappingProxyType({}),
) -> dict[ServerKey, Seen]:
    """The same servers with what they run with.

    `known`: the stores of servers that told of them in this run. Where all are known nothing is asked that servers
    refuse, and write down in their logs as an error. Raises: Refused.
    """
    if not servers:
        return {}
    told = dict(servers)
    number = len(servers)
    varz, lists = link.ask_all(
        [
            Question(messages.of_every_server("VARZ"), b"", number),
            Question(messages.CLAIMS_LIST, b"", number),
        ]
    )
    for answer in varz.answers:
        if answer.server is not None and answer.ok and answer.server.key in told:
            told[answer.server.key] = _with_varz(told[answer.server.key], answer.data)
    stores = {one.server.key for one in lists.answers if one.server is not None and one.ok} & set(told)
    return _with_kinds(link, told, stores, known)


def _seen(reply: Reply) -> dict[ServerKey, Seen]:
    found: dict[ServerKey, Seen] = {}
    for info, data in _told(reply.answers):
        if len(found) < MOST_SERVERS:
            found[info.key] = Seen(
                info=info,
                started=_moment(data.get("start")),
                servers=_number(data.get("active_servers")),
                routes=frozenset(_names(data.get("routes"))),
            )
    return found


def _strangers(found: Mapping[ServerKey, Seen]) -> bool:
    """Whether one of these servers knows of one that is not among them."""
    names = {name for name, _ in found}
    return any(one.servers > len(found) or not one.routes <= names for one in found.values())


def _names(routes: object) -> Iterator[str]:
    for one in routes if isinstance(routes, list) else ():
        if isinstance(one, Mapping) and isinstance(one.get("name"), str):  # old servers tell none
            yield one["name"]


def _told(answers: list[Answer]) -> Iterator[tuple[ServerInfo, Mapping[str, Any]]]:
    for answer in answers:
        if answer.server is not None and answer.server.name and answer.ok:
            yield answer.server, answer.data if isinstance(answer.data, Mapping) else {}


def _with_varz(seen: Seen, data: object) -> Seen:
    if not isinstance(data, Mapping):
        return seen
    account = data.get("system_account")
    operators = data.get("trusted_operators_claim")
    return replace(
        seen,
        started=_moment(data.get("start")) or seen.started,
        system_account=account if isinstance(account, str) and len(account) == 56 else "",
        operators=dict(_operators(operators)) if isinstance(operators, list) else {},
    )


def _operators(claims: list[object]) -> Iterator[tuple[str, int]]:
    for one in claims[:20]:
        key = one.get("sub") if isinstance(one, Mapping) else None
        if isinstance(one, Mapping) and isinstance(key, str) and len(key) == 56:
            yield key, _number(one.get("iat"))


def _with_kinds(
    link: Asking,
    servers: dict[ServerKey, Seen],
    stores: set[ServerKey],
    known: Mapping[ServerKey, Store],
) -> dict[ServerKey, Seen]:
    """Who lists has a store; who looks up, a full one, but LOOKUP names nobody: so their number has to fit."""
    found = {key: replace(seen, kind=Kind.OTHER) for key, seen in servers.items() if key not in stores}
    if stores <= known.keys():
        for key in stores:
            found[key] = replace(servers[key], kind=known[key].kind, allow_delete=known[key].allow_delete)
    else:
        lookups, deletes = link.ask_all(
            [
                Question(messages.of_account(_UNKNOWN_ACCOUNT, "CLAIMS.LOOKUP"), b"", len(stores)),
                Question(messages.CLAIMS_DELETE, empty_deletion().encode(), len(stores)),
            ]
        )
        words = {one.server.key: one.error or one.words for one in deletes.answers if one.server is not None}
        full = 0 if lookups.nobody else len(lookups.payloads)
        sure = {key for key in stores if _FORBIDDEN in words.get(key, "")}  # only full ones have that switch
        kinds = {key: _kind(key, full=full, stores=len(stores), sure=sure) for key in stores}
        if Kind.UNKNOWN in kinds.values():
            kinds |= told_apart(link, stores, full=full)
        for key in stores:
            found[key] = replace(
                servers[key],
                kind=kinds[key],
                allow_delete=_FORBIDDEN not in words[key] if words.get(key) else None,
            )
    return found


def told_apart(link: Asking, stores: Collection[ServerKey], *, full: int) -> dict[ServerKey, Kind]:
    """Which of the servers with a store have a full one, `full` of them in all; empty where that can't be told.

    Each says by name why it takes over no nonsense, in other words where it is a cache. Nothing is stored by that.
    """
    answers = link.ask(messages.CLAIMS_UPDATE, _NO_JWT, expect=len(stores)).answers
    kinds = {
        one.server.key: Kind.CACHE if _CACHE_SAYS in one.error else Kind.FULL
        for one in answers
        if one.server is not None and one.server.key in stores and one.error.startswith(_STORE_SAYS)
    }
    sure = len(kinds) == len(stores) and list(kinds.values()).count(Kind.FULL) == full
    return kinds if sure else {}


def _kind(key: ServerKey, *, full: int, stores: int, sure: set[ServerKey]) -> Kind:
    if full >= stores or key in sure:
        return Kind.FULL
    return Kind.CACHE if full == len(sure) else Kind.UNKNOWN


def empty_deletion() -> str:
    """A request to delete no account at all, signed by an operator that nobody knows: servers say why they refuse."""
    pair = KeyPair.create(KeyKind.OPERATOR)
    try:
        body = GenericBody(data={"accounts": [], "version": 2})
        return codec.encode(Claims(nats=body, sub=pair.public.text), pair, int(time.time())).text
    finally:
        pair.wipe()


def _moment(value: object) -> datetime | None:
    """A server's time: it writes nanoseconds."""
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value[:40])
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def _number(value: object) -> int:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return min(max(int(value), 0), _LONGEST_NUMBER) if whole and isinstance(value, int) else 0
