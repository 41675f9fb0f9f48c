"""Search results as strings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from identities.formats import mentions
from identities.forms.search import LABELS, Look, Query, place_text
from identities.models import Mode, Operator, Purpose, Server
from identities.nkeys import KeyKind, is_public, kind_of
from identities.policy.principal import Principal
from identities.queries import candidates, effective, search
from identities.queries.coverage import Coverage
from identities.views import addresses, shown
from identities.views.activity_shown import Choice

_PURPOSES = {
    Purpose.IDENTITY: "identity key",
    Purpose.SIGNING: "signing key",
    Purpose.ROLE: "role",
    Purpose.CURVE: "curve key",
    Purpose.SPARE: "spare key",
}
_SOURCES = {
    Mode.RULES: "its own rules",
    Mode.OPEN: "no rule: everywhere",
    Mode.DEFAULT: "the account's defaults",
    Mode.ROLE: "role",
    Mode.REPLIES: "replies",
}
_KINDS: dict[KeyKind | None, str] = {
    KeyKind.OPERATOR: "an operator",
    KeyKind.ACCOUNT: "an account, or a signing key of one",
    KeyKind.USER: "a user",
    KeyKind.SERVER: "a server",
    KeyKind.CLUSTER: "a cluster",
    KeyKind.CURVE: "a curve key",
    None: "a key",
}
RULES_SHOWN = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One thing found by name."""

    name: str
    url: str
    path: str
    key: shown.Chip


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundKey:
    """One key and its holder."""

    key: shown.Chip
    what: str
    holder: str
    url: str
    path: str
    gone: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MentionRow:
    """One key of a text: as what a JWT names it, and its holder, None for a stranger; `kind` in words."""

    key: shown.Chip
    role: str
    found: FoundKey | None
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HolderRow:
    """One user who may, how much, and by what."""

    name: str
    url: str
    path: str
    state: shown.State
    source: str
    allowed: str
    denied: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectLink:
    """One subject in use, and the two questions about it."""

    text: str
    publish_url: str
    subscribe_url: str


def looks(query: Query) -> tuple[Choice, ...]:
    """What can be looked for."""
    return tuple(
        Choice(value=look, label=label, selected=look is query.look) for look, label in LABELS.items()
    )


def operator_choices(operators: Sequence[Operator], query: Query) -> tuple[Choice, ...]:
    """Under which operator; nothing to choose while there is only one."""
    if len(operators) < 2:
        return ()
    return tuple(
        Choice(value=each.public_key, label=each.name, selected=each.public_key == query.operator)
        for each in operators
    )


def found(principal: Principal, query: Query, operators: tuple[Operator, ...]) -> dict[str, Any]:
    """Names, keys and subjects; at most five queries."""
    if query.look is not Look.NAMES and is_public(query.text, KeyKind.SERVER):
        row = _server(search.servers(principal, [query.text]).get(query.text), query.text)
        return {"searched": True, "keys": (row,) if row is not None else ()}
    part = search.key_part(query.text) if query.look is not Look.NAMES else None
    keys = search.keys(principal, part) if part else ()
    context: dict[str, Any] = {"searched": True, "keys": tuple(map(_key, keys[: search.PAGE]))}
    context["more_keys"] = len(keys) > search.PAGE
    if query.look is Look.KEYS or (part and len(part[0]) == 56):
        return context | {"no_key": not part}
    users, inside = _users(principal, query, operators, fall_back=not keys and not query.is_subject_like)
    context |= {
        "users": tuple(map(_user, users[: search.PAGE])),
        "next": _link(query, after=place_text(users[search.PAGE - 1].place), inside="1" if inside else "")
        if len(users) > search.PAGE
        else "",
        "inside": inside,
        "inside_url": "" if inside else _link(query, inside="1"),
    }
    if query.after is None:
        one = operators[0] if len(operators) == 1 else None
        context["found_operators"] = tuple(
            map(_operator, search.operators(operators, query.text)[: search.FEW])
        )
        context["accounts"] = tuple(map(_account, search.accounts(principal, query.text, one)))
        if query.look is Look.ANYTHING:
            context["subjects"] = tuple(
                _subject(query, text) for text in search.subjects(principal, query.text)
            )
            context["asked"] = _subject(query, query.text) if query.is_subject_like else None
    return context


def whose(principal: Principal, text: str) -> dict[str, Any]:
    """Whose the keys in a text are; two queries."""
    found = mentions.find(text)
    wanted = [mention.key for mention in found]
    known = {row.key: _key(row) for row in search.whose(principal, wanted)}
    servers = search.servers(principal, wanted)
    return {
        "searched": True,
        "mentions": tuple(
            MentionRow(
                key=shown.chip(one.key, long=True),
                role=one.role,
                found=known.get(one.key) or _server(servers.get(one.key), one.key),
                kind=_KINDS[kind_of(one.key)],
            )
            for one in found
        ),
    }


def holders(principal: Principal, query: Query, operators: tuple[Operator, ...]) -> dict[str, Any]:
    """Who may publish or subscribe to the subject."""
    direction: candidates.Direction = "pub" if query.look is Look.PUBLISH else "sub"
    page = effective.holders(principal, query.text, direction, operators, after=query.after)
    return {
        "searched": True,
        "verb": "publish" if direction == "pub" else "subscribe",
        "holders": tuple(map(holder, page.rows)),
        "next": _link(query, after=place_text(page.next)) if page.next else "",
        "first": _link(query) if query.after else "",
        "other": _link(query, look=Look.SUBSCRIBE if direction == "pub" else Look.PUBLISH),
    }


def _users(
    principal: Principal, query: Query, operators: tuple[Operator, ...], *, fall_back: bool
) -> tuple[tuple[search.Named, ...], bool]:
    """Users whose names begin with the text; when nobody's does, those whose names hold it."""
    users = search.users(principal, query.text, operators, inside=query.inside, after=query.after)
    if users or query.inside or query.after or not fall_back:
        return users, query.inside
    return search.users(principal, query.text, operators, inside=True), True


def _operator(row: Operator) -> Found:
    return Found(
        name=row.name, url=addresses.operator(row.public_key), path="operator", key=shown.chip(row.public_key)
    )


def _account(row: search.Named) -> Found:
    url = addresses.account(row.operator_key, row.key)
    return Found(name=row.name, url=url, path=f"account of {row.operator}", key=shown.chip(row.key))


def _user(row: search.Named) -> Found:
    url = addresses.user(row.operator_key, row.account_key, row.key)
    return Found(name=row.name, url=url, path=f"{row.operator} / {row.account}", key=shown.chip(row.key))


def _key(row: search.FoundKey) -> FoundKey:
    if row.user:
        holder, path = row.user, f"user of {row.operator} / {row.account}"
        url = addresses.user(row.operator_key, row.account_key, row.user_key)
    elif row.account:
        holder, path = row.account, f"account of {row.operator}"
        url = addresses.account(row.operator_key, row.account_key)
    else:
        holder, path, url = row.operator, "operator", addresses.operator(row.operator_key)
    what = _PURPOSES[Purpose(row.purpose)]
    gone = row.deleted and not row.replaced
    if row.replaced:
        what = "former key" if row.purpose == Purpose.IDENTITY else f"former {what}"
    return FoundKey(
        key=shown.chip(row.key, long=True),
        what=f"{what} {row.role}" if row.role else what,
        holder=holder,
        url="" if gone else url,
        path=path,
        gone=gone,
    )


def _server(row: Server | None, key: str) -> FoundKey | None:
    if row is None:
        return None
    return FoundKey(
        key=shown.chip(key, long=True),
        what="server id",
        holder=row.name,
        url=shown.cluster_url("cluster", row.cluster),
        path=f"server in {row.cluster.name}",
        gone=False,
    )


def much(*, whole: bool) -> shown.State:
    """How much of a subject somebody may use."""
    return shown.State(
        word="all of it" if whole else "a part of it",
        tone="ok" if whole else "warn",
        icon="circle-check" if whole else "circle-dashed",
    )


def holder(row: effective.Holder) -> HolderRow:
    """One user who may, in words."""
    user = row.user
    whole = row.coverage is Coverage.ALL
    source = _SOURCES[row.source]
    if row.source is Mode.DEFAULT and not row.allowed and not row.denied:
        source = "no rules at all"  # neither its own nor the account's
    return HolderRow(
        name=user.name,
        url=addresses.user(user.operator_key, user.account_key, user.key),
        path=f"{user.operator} / {user.account}",
        state=much(whole=whole),
        source=f"{source} {row.role}" if row.role else source,
        allowed=_few(row.allowed),
        denied=_few(row.denied),
    )


def _few(rules: tuple[str, ...]) -> str:
    more = f" … and {len(rules) - RULES_SHOWN} more" if len(rules) > RULES_SHOWN else ""
    return " ".join(rules[:RULES_SHOWN]) + more


def _subject(query: Query, text: str) -> SubjectLink:
    return SubjectLink(
        text=text,
        publish_url=_link(query, q=text, look=Look.PUBLISH),
        subscribe_url=_link(query, q=text, look=Look.SUBSCRIBE),
    )


def _link(query: Query, **changed: str) -> str:
    values = {"q": query.text, "look": str(query.look), "operator": query.operator, **changed}
    return "?" + urlencode({name: value for name, value in values.items() if value})
