"""Where deliveries stand, as plain strings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from identities.models import Account, DeliveryState, Holding, HoldingState, Operator, ResolverKind, Wish
from identities.policy.principal import Principal
from identities.queries import deliveries
from identities.queries.deliveries import Line, Stand
from identities.services import roster
from identities.services.delivering_checks import digest
from identities.views import clusters_shown, shown

_DELIVERIES: Mapping[str, tuple[str, str, str]] = {
    DeliveryState.DONE: ("Delivered", "ok", "circle-check"),
    DeliveryState.WAITING: ("Waiting", "warn", "clock"),
    DeliveryState.REFUSED: ("Refused", "danger", "circle-x"),
    DeliveryState.HELD: ("Another one there", "danger", "triangle-alert"),
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
    HoldingState.EXPIRED: shown.State(word="Expired there", tone="ok", icon="circle-check"),
}
"""What became of an account that was to be deleted there."""
_MEMORY = "In force until the server restarts or reloads: put the new configuration in its place before."
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
    """One cluster: where the delivery stands. `choose_url` is set where a person has to choose."""

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
    """Where the delivery of one account stands, over all clusters of its operator."""

    clusters: tuple[ClusterPart, ...]


def panel(account: Account) -> Panel | None:
    """The panel of a live account; None where its operator has no cluster, so that nothing is known."""
    stands = deliveries.of_account(account.operator_id, account.public_key)
    if not stands:
        return None
    return Panel(clusters=tuple(_cluster(stand, account) for stand in stands))


def panel_of_removed(operator: Operator, public_key: str) -> Panel:
    """The panel of an account that is not here any more: what servers still hold."""
    stands = deliveries.of_account(operator.pk, public_key)
    return Panel(clusters=tuple(_cluster(stand, None) for stand in stands))


def marks(operator: Operator, keys: Sequence[str]) -> dict[str, shown.State]:
    """A small mark for each account of a list; none where nothing was to be delivered."""
    found = {key: deliveries.worst(states) for key, states in deliveries.states(operator, keys).items()}
    return {key: state_of(state) for key, state in found.items() if state}


def counted(principal: Principal, operator: Operator) -> str:
    """How many deliveries that the principal may see stand where, in words; "" where there are none."""
    words = {
        DeliveryState.HELD: "to be chosen",
        DeliveryState.REFUSED: "refused",
        DeliveryState.WAITING: "waiting",
        DeliveryState.DONE: "delivered",
    }
    counts = deliveries.counts(principal, operator)
    return ", ".join(f"{counts[state]:,} {word}" for state, word in words.items() if counts.get(state))


def state_of(state: str) -> shown.State:
    """A delivery's state as icon and word."""
    word, tone, icon = _DELIVERIES[state]
    return shown.State(word=word, tone=tone, icon=icon)


def _cluster(stand: Stand, account: Account | None) -> ClusterPart:
    row, cluster = stand.row, stand.cluster
    lines = tuple(_server(stand, line, account) for line in stand.lines)
    done = sum(line.state.tone == "ok" for line in lines)
    waits = row is not None and row.state == DeliveryState.WAITING and row.attempts
    held = row is not None and row.state == DeliveryState.HELD and account is not None
    return ClusterPart(
        name=cluster.name,
        url=shown.cluster_url("cluster", cluster),
        reached=clusters_shown.state(cluster),
        state=state_of(row.state) if row is not None else None,
        delivered=f"{done} of {shown.plural(len(lines), 'server')}"
        if lines
        else "no server has answered yet",
        problem=row.problem if row is not None else "",
        again=shown.moment(row.run_at if row is not None and waits else None),
        servers=lines,
        choose_url=shown.account_url("account-delivery-choose", account, cluster.pk)
        if held and account
        else "",
    )


def _server(stand: Stand, line: Line, account: Account | None) -> ServerLine:
    holding = line.holding
    return ServerLine(
        name=line.server.name,
        state=_state(stand, holding, account),
        issued=shown.unix(holding.iat) if holding is not None else shown.unix(0),
        jti=holding.jti if holding is not None else "",
        said=_words(line, stand),
        at=shown.moment(holding.at if holding is not None else None),
    )


def _state(stand: Stand, holding: Holding | None, account: Account | None) -> shown.State:
    if holding is None:
        word, tone, icon = _HOLDINGS[HoldingState.WAITING if stand.row is not None else HoldingState.UNKNOWN]
        return shown.State(word=word, tone=tone, icon=icon)
    state = holding.state
    if stand.row is not None and stand.row.wish == Wish.DELETE and state in _GONE:
        return _GONE[state]
    if state == HoldingState.SAME and (account is None or not _is_current(holding, account)):
        state = HoldingState.OLDER if account is not None else HoldingState.EXTRA
    word, tone, icon = _HOLDINGS[state]
    return shown.State(word=word, tone=tone, icon=icon)


def _is_current(holding: Holding, account: Account) -> bool:
    token = account.token
    return token is not None and holding.digest == digest(token.text)


def _words(line: Line, stand: Stand) -> str:
    holding = line.holding
    if holding is None:
        return ""
    if holding.state == HoldingState.DELETED:
        return _DELETED
    if holding.state == HoldingState.EXPIRED:
        return _EXPIRED
    if holding.state == HoldingState.LAZY:
        return _LAZY_OTHER if line.server.resolver == ResolverKind.OTHER else _LAZY
    if holding.state == HoldingState.SAME and line.server.resolver == ResolverKind.OTHER:
        return _MEMORY
    if holding.state == HoldingState.WAITING and roster.is_absent(
        line.server, [one.server for one in stand.lines]
    ):
        return _AWAY
    return holding.said
