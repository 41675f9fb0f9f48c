"""Where deliveries stand, as plain strings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from identities.models import Account, DeliveryState, Holding, HoldingState, Operator, ResolverKind, Wish
from identities.policy.actions import Action
from identities.policy.principal import Principal, Scope
from identities.queries import deliveries, reach
from identities.queries.deliveries import Line, Stand
from identities.services import roster
from identities.services.delivering_checks import digest
from identities.views import clusters_shown, guards, shown

_DELIVERIES: Mapping[str, tuple[str, str, str]] = {
    DeliveryState.DONE: ("Delivered", "ok", "circle-check"),
    DeliveryState.WAITING: ("Waiting", "warn", "clock"),
    DeliveryState.REFUSED: ("Refused", "danger", "circle-x"),
    DeliveryState.HELD: ("Another one there", "danger", "triangle-alert"),
    deliveries.DIFFERS: ("Not as delivered", "warn", "triangle-alert"),
}
_HOLDINGS: Mapping[str, tuple[str, str, str]] = {
    HoldingState.SAME: ("Delivered", "ok", "circle-check"),
    HoldingState.WAITING: ("Waiting", "warn", "clock"),
    HoldingState.REFUSED: ("Refused", "danger", "circle-x"),
    HoldingState.MISSING: ("Missing", "warn", "circle-x"),
    HoldingState.DELETED: ("Deleted there", "danger", "trash-2"),
    HoldingState.OLDER: ("Older there", "warn", "clock"),
    HoldingState.NEWER: ("Newer there", "danger", "triangle-alert"),
    HoldingState.DIFFERENT: ("Another one there", "danger", "triangle-alert"),
    HoldingState.EXTRA: ("Still there", "danger", "triangle-alert"),
    HoldingState.EXPIRED: ("Expired there", "warn", "clock"),
    HoldingState.LAZY: ("Asks when needed", "ok", "circle-dashed"),
    HoldingState.UNKNOWN: ("Unknown", "muted", "circle-dashed"),
}
_GONE: Mapping[str, shown.State] = {
    HoldingState.MISSING: shown.State(word="Deleted there", tone="ok", icon="circle-check"),
    HoldingState.DELETED: shown.State(word="Deleted there", tone="ok", icon="circle-check"),
    HoldingState.EXPIRED: shown.State(word="Expired there", tone="ok", icon="circle-check"),
}
"""What became of an account that was to be deleted there."""
_COUNTED: Mapping[str, str] = {
    DeliveryState.HELD: "to be chosen",
    DeliveryState.REFUSED: "refused",
    DeliveryState.WAITING: "waiting",
    deliveries.DIFFERS: "not as delivered",
    DeliveryState.DONE: "delivered",
}
_COUNTED_GONE: Mapping[str, str] = {**_COUNTED, DeliveryState.DONE: "gone from the servers"}
_IN_FORCE = (
    "In force until the server restarts or reloads. A MEMORY resolver has only what its configuration preloads: put "
    "the new one in its place before. A URL resolver fetches the account anew then."
)
_LOOKED_UP = "It was asked, and holds this one."
_LAZY = "It has not loaded the account; it asks its resolver for it when it needs it."
_LAZY_OTHER = (
    f"{_LAZY} A MEMORY resolver has only what its configuration preloads: put the new one in its place then."
)
_DELETED = "It held the account before and does not now. Deliver it again, or delete the account here too."
_EXPIRED = "The JWT that it held has expired, and it removed it by itself."
_AWAY = "It does not answer; it gets this when it is back."


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLine:
    """One server: what it holds of the account, in its own words where it said something."""

    name: str
    state: shown.State
    issued: shown.When
    jti: str
    said: str
    at: shown.When


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterPart:
    """One cluster: where the delivery stands. `url` is "" for who sees accounts alone, `choose_url` set where the
    reader has to choose.
    """

    name: str
    url: str
    reached: shown.State
    state: shown.State | None
    delivered: str
    problem: str
    again: shown.When
    servers: tuple[ServerLine, ...]
    choose_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """Where the delivery of one account stands, over all clusters of its operator. `gone`: every server was seen to
    hold it no more.
    """

    clusters: tuple[ClusterPart, ...]
    gone: bool = False


def panel(principal: Principal, account: Account) -> Panel | None:
    """The panel of a live account as `principal` sees it; None where its operator has no cluster, so that nothing is
    known.
    """
    stands = deliveries.of_account(account.operator_id, account.public_key)
    if not stands:
        return None
    return Panel(clusters=tuple(_cluster(principal, stand, account) for stand in stands))


def panel_of_removed(principal: Principal, operator: Operator, public_key: str) -> Panel:
    """The panel of an account that is not here any more: what servers still hold."""
    stands = deliveries.of_account(operator.pk, public_key)
    return Panel(
        clusters=tuple(_cluster(principal, stand, None) for stand in stands),
        gone=bool(stands) and all(map(_is_gone, stands)),
    )


def marks(operator: Operator, keys: Sequence[str]) -> dict[str, shown.State]:
    """A small mark for each account of a list; none where nothing was to be delivered."""
    found = {key: deliveries.worst(states) for key, states in deliveries.states(operator, keys).items()}
    return {key: state_of(state) for key, state in found.items() if state}


def counted(principal: Principal, operator: Operator) -> str:
    """How many accounts that the principal may see stand where, in words; "" where nothing was to be delivered."""
    counts = deliveries.counts(principal, operator)
    accounts, removals = (
        ", ".join(f"{number:,} {words[state]}" for state, number in counted.items())
        for words, counted in ((_COUNTED, counts.accounts), (_COUNTED_GONE, counts.removals))
    )
    return "; ".join(text for text in (accounts, removals and f"of deleted accounts {removals}") if text)


def state_of(state: str) -> shown.State:
    """A delivery's state as icon and word."""
    word, tone, icon = _DELIVERIES[state]
    return shown.State(word=word, tone=tone, icon=icon)


def _is_gone(stand: Stand) -> bool:
    """Whether no server of the cluster holds the account any more, for sure."""
    states = [line.holding.state if line.holding is not None else "" for line in stand.lines]
    if stand.row is not None and stand.row.wish == Wish.DELETE:
        return stand.row.state == DeliveryState.DONE and all(state in ("", *_GONE) for state in states)
    return bool(states) and all(state == HoldingState.DELETED for state in states)


def _badge(stand: Stand, lines: Sequence[ServerLine], account: Account | None) -> shown.State | None:
    """Where it stands: of what counts as done the worst of its servers, as they may hold something else since."""
    row = stand.row
    if account is None:
        if row is None or row.wish != Wish.DELETE:
            return _GONE[HoldingState.DELETED] if _is_gone(stand) else None
        if row.state == DeliveryState.DONE:
            return _worst(lines) or _GONE[HoldingState.DELETED]
    if row is None:
        return None
    return (_worst(lines) if row.state == DeliveryState.DONE else None) or state_of(row.state)


def _worst(lines: Sequence[ServerLine]) -> shown.State | None:
    """The state of the servers that somebody should see; None where all is well."""
    tones = ("danger", "warn", "muted")
    wrong = [line.state for line in lines if line.state.tone in tones]
    return min(wrong, key=lambda state: tones.index(state.tone), default=None)


def _cluster(principal: Principal, stand: Stand, account: Account | None) -> ClusterPart:
    row, cluster = stand.row, stand.cluster
    sees = reach.whole_operator(principal, cluster.operator_id)
    lines = tuple(_server(stand, line, account) for line in stand.lines)
    done = sum(line.state.tone == "ok" for line in lines)
    waits = row is not None and row.state == DeliveryState.WAITING and row.attempts
    held = row is not None and row.state == DeliveryState.HELD
    scope = Scope(operator=cluster.operator_id, account=account.pk if account else None)
    may_choose = sees and guards.may(principal, Action.ACCOUNT_DELIVER, scope)
    return ClusterPart(
        name=cluster.name,
        url=shown.cluster_url("cluster", cluster) if sees else "",
        reached=clusters_shown.state(cluster),
        state=_badge(stand, lines, account),
        delivered=f"{done} of {shown.plural(len(lines), 'server')}"
        if lines
        else "no server has answered yet",
        problem=row.problem if row is not None and (account or row.wish == Wish.DELETE) else "",
        again=shown.moment(row.run_at if row is not None and waits else None),
        servers=lines,
        choose_url=shown.account_url("account-delivery-choose", account, cluster.pk)
        if held and account and may_choose
        else "",
    )


def _server(stand: Stand, line: Line, account: Account | None) -> ServerLine:
    holding = line.holding
    return ServerLine(
        name=line.server.name,
        state=_state(stand, holding, account),
        issued=shown.unix(holding.iat) if holding is not None else shown.unix(0),
        jti=holding.jti if holding is not None else "",
        said=_words(line, stand, account),
        at=shown.moment(holding.at if holding is not None else None),
    )


def _state(stand: Stand, holding: Holding | None, account: Account | None) -> shown.State:
    if holding is None:
        if account is None and _is_gone(stand):  # what it no longer lists is forgotten when it is compared
            return _GONE[HoldingState.MISSING]
        waits = stand.row is not None and (account is not None or stand.row.wish == Wish.DELETE)
        word, tone, icon = _HOLDINGS[HoldingState.WAITING if waits else HoldingState.UNKNOWN]
        return shown.State(word=word, tone=tone, icon=icon)
    state = holding.state
    deleted = stand.row is not None and stand.row.wish == Wish.DELETE
    if (deleted and state in _GONE) or (account is None and state == HoldingState.DELETED):
        return _GONE[state]
    if state == HoldingState.SAME and (account is None or not _is_current(holding, account)):
        state = HoldingState.OLDER if account is not None else HoldingState.EXTRA
    word, tone, icon = _HOLDINGS[state]
    return shown.State(word=word, tone=tone, icon=icon)


def _is_current(holding: Holding, account: Account) -> bool:
    token = account.token
    return token is not None and holding.digest == digest(token.text)


def _words(line: Line, stand: Stand, account: Account | None) -> str:
    holding = line.holding
    if holding is None:
        return ""
    if holding.state == HoldingState.DELETED:
        return _DELETED if account is not None else ""
    if account is not None and holding.state == HoldingState.SAME and not _is_current(holding, account):
        return ""  # what it said was about an earlier one
    if holding.state == HoldingState.EXPIRED:
        return _EXPIRED
    if holding.state == HoldingState.LAZY:
        return _LAZY_OTHER if line.server.resolver == ResolverKind.OTHER else _LAZY
    if holding.state == HoldingState.SAME and line.server.resolver == ResolverKind.OTHER:
        return _IN_FORCE
    if holding.state == HoldingState.WAITING and roster.is_absent(
        line.server, [one.server for one in stand.lines]
    ):
        return _AWAY
    if account is not None and holding.state == HoldingState.SAME:
        return holding.said or _LOOKED_UP
    return holding.said
