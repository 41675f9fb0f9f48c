"""What servers tell of connections, usage and themselves: questions, and their answers as bounded, typed values.

The `jwt` of a connection is read for its times and dropped: a bearer's alone logs in. Source: nats-server
`server/monitor.go`, `events.go`; nats-jwt.md §8.1 to §8.3.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, Protocol

from identities.resolver import logins, messages
from identities.resolver.messages import Answer, Question, Reply, ServerInfo
from identities.resolver.observed import (
    Connection,
    Known,
    Listing,
    OperatorSeen,
    ServerState,
    TierUse,
    Usage,
)

PAGE: Final = 512
"""Connections in one answer; more could pass a server's `max_payload`."""
MOST_PAGES: Final = 400
"""Pages read of one server: beyond them a list counts as incomplete."""
MOST_STREAMS: Final = 50_000
_LONGEST: Final = 200
_LARGEST_NUMBER: Final = 2**63 - 1
_LARGEST_SHARE: Final = 1_000_000


class Asking(Protocol):
    """What asks servers: a `SystemLink`."""

    def ask_all(
        self, questions: Sequence[Question], *, seconds: float | None = None, window: int = ...
    ) -> list[Reply]:
        """Ask many at once."""


def connections(
    link: Asking, *, account: str, user: str = "", expect: int = 0, seconds: float | None = None
) -> tuple[Listing, ...]:
    """Every connection of an account, or of one of its users, server by server and page by page.

    All of the account are read, and the user's picked here: nats-server 2.9 finds nobody by a user's key, and newer
    ones cut pages before they look for the user. `total` is the account's. `expect` is how many servers are to answer,
    0 when nobody knows. Raises: Refused.
    """
    first = link.ask_all([connz(account=account, expect=expect)], seconds=seconds)[0]
    found = {listing.server.key: listing for listing in map(listing_of, first.answers) if listing.server.name}
    for number in range(1, MOST_PAGES):
        more = [
            one for one in found.values() if one.total > number * PAGE and not one.problem and one.server.id
        ]
        if not more:
            break
        asked = [
            connz(account=account, offset=number * PAGE, server_id=one.server.id, expect=1) for one in more
        ]
        for held, reply in zip(more, link.ask_all(asked, seconds=seconds), strict=True):
            found[held.server.key] = _joined(held, reply)
    else:
        found = {
            key: replace(one, problem="it has too many to be read") if one.total > MOST_PAGES * PAGE else one
            for key, one in found.items()
        }
    return tuple(
        replace(one, connections=tuple(each for each in one.connections if user in ("", each.user)))
        for one in sorted(found.values(), key=lambda one: one.server.key)
    )


def connz(
    *,
    account: str,
    offset: int = 0,
    limit: int = PAGE,
    server_id: str = "",
    expect: int = 0,
) -> Question:
    """Who of an account is connected, on every server or on one."""
    options = {"auth": True, "acc": account, "limit": limit, "offset": offset, "sort": "cid"}
    subject = messages.of_server(server_id, "CONNZ") if server_id else messages.of_every_server("CONNZ")
    return _question(subject, options, expect)


def statz(account: str, expect: int = 0) -> Question:
    """What an account uses, told by servers that have none of its connections too."""
    return _question(messages.of_account(account, "STATZ"), {"include_unused": True}, expect)


def jsz(account: str, expect: int = 0) -> Question:
    """The streams of an account."""
    options = {"streams": True, "config": True, "limit": PAGE}
    return _question(messages.of_account(account, "JSZ"), options, expect)


def info(account: str, expect: int = 0) -> Question:
    """What servers hold of an account; the answer carries its whole JWT."""
    return _question(messages.of_account(account, "INFO"), {}, expect)


def varz(expect: int = 0) -> Question:
    """What servers tell of themselves."""
    return _question(messages.of_every_server("VARZ"), {}, expect)


def kick(server_id: str, cid: int) -> Question:
    """End one connection."""
    return _question(messages.of_server(server_id, "KICK"), {"cid": cid}, 1)


def listing_of(answer: Answer) -> Listing:
    """An answer to CONNZ."""
    server = answer.server or ServerInfo(name="")
    data = answer.data
    if not answer.ok or not isinstance(data, Mapping):
        said = answer.error or answer.problem or "an answer without connections"
        return Listing(server=server, problem=said)
    rows = data.get("connections")
    return Listing(
        server=server,
        connections=tuple(map(_connection, _mappings(rows))),
        total=_whole(data.get("total")) or _whole(data.get("num_connections")),
        now=_moment(data.get("now")),
    )


def usage_of(answer: Answer) -> Usage | None:
    """An answer to STATZ of one account; None when it tells nothing."""
    rows = list(_mappings(_under(answer, "account_statz")))
    if answer.server is None or not rows:
        return None
    row = rows[0]
    sent, received = _mapping(row.get("sent")), _mapping(row.get("received"))
    return Usage(
        server=answer.server,
        connections=_whole(row.get("conns")),
        leaf_nodes=_whole(row.get("leafnodes")),
        subscriptions=_whole(row.get("num_subscriptions")),
        in_messages=_whole(received.get("msgs")),
        in_bytes=_whole(received.get("bytes")),
        out_messages=_whole(sent.get("msgs")),
        out_bytes=_whole(sent.get("bytes")),
        slow=_whole(row.get("slow_consumers")),
    )


def tiers_of(answers: Sequence[Answer]) -> tuple[TierUse, ...]:
    """What an account's streams use, by tier, from every server's answer to JSZ."""
    tiers: dict[str, TierUse] = {}
    for stream in (stream for answer in answers for stream in _streams(answer)):
        config, state = _mapping(stream.get("config")), _mapping(stream.get("state"))
        tier = f"R{max(1, min(_whole(config.get('num_replicas')), 99))}"
        held, size = tiers.get(tier, TierUse(tier=tier)), _whole(state.get("bytes"))
        in_memory = config.get("storage") == "memory"
        tiers[tier] = replace(
            held,
            memory=held.memory + (size if in_memory else 0),
            disk=held.disk + (0 if in_memory else size),
            streams=held.streams + 1,
            consumers=held.consumers + _whole(state.get("consumer_count")),
        )
    return tuple(tiers[name] for name in sorted(tiers))


def known_of(answer: Answer) -> Known | None:
    """An answer to INFO; None where the account is not loaded."""
    data = answer.data
    if not answer.ok or answer.server is None or not isinstance(data, Mapping):
        return None
    return Known(
        server=answer.server,
        expired=data.get("expired") is True,
        complete=data.get("complete") is not False,
    )


def state_of(answer: Answer) -> ServerState | None:
    """An answer to VARZ; None when it tells nothing."""
    data = answer.data
    if not answer.ok or answer.server is None or not isinstance(data, Mapping):
        return None
    stats = _mapping(_mapping(data.get("jetstream")).get("stats"))
    operators = data.get("trusted_operators_claim")
    return ServerState(
        server=answer.server,
        started=_moment(data.get("start")),
        now=_moment(data.get("now")),
        connections=_whole(data.get("connections")),
        subscriptions=_whole(data.get("subscriptions")),
        routes=_whole(data.get("remotes")) or _whole(data.get("routes")),
        leaf_nodes=_whole(data.get("leafnodes")),
        slow=_whole(data.get("slow_consumers")),
        in_messages=_whole(data.get("in_msgs")),
        in_bytes=_whole(data.get("in_bytes")),
        out_messages=_whole(data.get("out_msgs")),
        out_bytes=_whole(data.get("out_bytes")),
        memory=_whole(data.get("mem")),
        cpu=_decimal(data.get("cpu")),
        jetstream=bool(stats),
        js_memory=_whole(stats.get("memory")),
        js_disk=_whole(stats.get("storage")),
        operators=tuple(map(_operator, _mappings(operators, 20))),
    )


def _question(subject: str, options: Mapping[str, Any], expect: int) -> Question:
    return Question(subject, json.dumps(options).encode() if options else b"", expect)


def _joined(held: Listing, reply: Reply) -> Listing:
    """A server's list with its next page; whoever came or went meanwhile is there once at most."""
    read = [listing_of(answer) for answer in reply.answers]
    if not read or read[0].problem:
        return replace(held, problem=read[0].problem if read else "it did not answer in time")
    known = {one.cid for one in held.connections}
    fresh = tuple(one for one in read[0].connections if one.cid not in known)
    return replace(held, connections=held.connections + fresh)


def _connection(row: Mapping[str, Any]) -> Connection:
    login = logins.presented(row.get("jwt"))
    ip, port = _text(row.get("ip")), _whole(row.get("port"))
    host = f"[{ip}]" if ":" in ip else ip
    return Connection(
        cid=_whole(row.get("cid")),
        kind=_text(row.get("type")) or _text(row.get("kind")),
        user=_text(row.get("authorized_user")) or login.user,
        account=_text(row.get("account")) or login.account,
        issuer=_text(row.get("issuer_key")) or login.issuer,
        issued=login.issued,
        name=_text(row.get("name")),
        language=_text(row.get("lang")),
        version=_text(row.get("version")),
        address=f"{host}:{port}" if port else host,
        since=_moment(row.get("start")),
        idle=_text(row.get("idle")),
        rtt=_text(row.get("rtt")),
        pending=_whole(row.get("pending_bytes")),
        subscriptions=_whole(row.get("subscriptions")),
        in_messages=_whole(row.get("in_msgs")),
        in_bytes=_whole(row.get("in_bytes")),
        out_messages=_whole(row.get("out_msgs")),
        out_bytes=_whole(row.get("out_bytes")),
    )


def _streams(answer: Answer) -> Iterator[Mapping[str, Any]]:
    """The streams of an account that the answering server leads, so that each is told once."""
    name = answer.server.name if answer.server is not None else ""
    for stream in _mappings(_under(answer, "stream_detail"), MOST_STREAMS):
        if _text(_mapping(stream.get("cluster")).get("leader")) in ("", name):
            yield stream


def _operator(row: Mapping[str, Any]) -> OperatorSeen:
    return OperatorSeen(
        key=_text(row.get("sub")), issued=_whole(row.get("iat")), expires=_whole(row.get("exp"))
    )


def _under(answer: Answer, name: str) -> object:
    return answer.data.get(name) if answer.ok and isinstance(answer.data, Mapping) else None


def _mappings(value: object, most: int = PAGE) -> Iterator[Mapping[str, Any]]:
    rows = value[:most] if isinstance(value, list) else []
    return (row for row in rows if isinstance(row, Mapping))


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: object) -> str:
    return value[:_LONGEST].replace("\0", "\ufffd") if isinstance(value, str) else ""


def _whole(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return max(0, min(value, _LARGEST_NUMBER))
    return 0


def _decimal(value: object) -> float:
    if isinstance(value, float):
        return value if 0 <= value < _LARGEST_SHARE else 0.0
    return float(min(_whole(value), _LARGEST_SHARE))


def _moment(value: object) -> float:
    try:
        return datetime.fromisoformat(value).timestamp() if isinstance(value, str) and value else 0.0
    except (ValueError, OverflowError):
        return 0.0
