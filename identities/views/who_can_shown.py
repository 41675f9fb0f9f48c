"""Who can do something, as strings."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from identities.claims.reaching import Way
from identities.forms.search import place_text
from identities.models import Account
from identities.policy.principal import Principal
from identities.queries import who_can
from identities.queries.coverage import Coverage
from identities.queries.who_can import Deed, Reached
from identities.views import search_shown, shown, signing_keys_shown
from identities.views.search_shown import HolderRow

_DEEDS = {
    Deed.PUBLISH: "publish to",
    Deed.SUBSCRIBE: "hear what is published on",
    Deed.ANSWER: "answer requests on",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class HopShown:
    """One thing on the way, and where it can be seen."""

    text: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleShown:
    """A role whose users may."""

    name: str
    url: str
    state: shown.State


@dataclass(frozen=True, slots=True, kw_only=True)
class WayShown:
    """One account from where it can be done: by which subject, through what, and who in it by role."""

    account: str
    url: str
    subject: str
    hops: tuple[HopShown, ...]
    written: tuple[str, ...]
    roles: tuple[RoleShown, ...]
    users_url: str
    here: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerShown:
    """All that the page says; `rows` are users of the chosen way, `next` and `first` lead to other pages of them."""

    deed: str
    subject: str
    ways: tuple[WayShown, ...]
    chosen: WayShown | None
    rows: tuple[HolderRow, ...]
    next: str
    first: str
    cut: str


def answer(
    principal: Principal,
    account: Account,
    deed: str,
    subject: str,
    *,
    chosen: int,
    after: who_can.Place | None,
    now: int,
) -> AnswerShown:
    """The ways to the subject, and a page of the users of one of them."""
    found = who_can.reached(principal, account, Deed(deed), subject, now=now)
    chosen = chosen if chosen < len(found.ways) else 0
    ways = tuple(
        _way(found, way, _link(deed, subject, way=str(number)), here=number == chosen)
        for number, way in enumerate(found.ways)
    )
    rows: tuple[HolderRow, ...] = ()
    following = ""
    if found.ways:
        page = who_can.holders(principal, found, found.ways[chosen], after=after, now=now)
        rows = tuple(map(search_shown.holder, page.rows))
        if page.next is not None:
            following = _link(deed, subject, way=str(chosen), after=place_text(page.next))
    return AnswerShown(
        deed=_DEEDS[found.deed],
        subject=subject,
        ways=ways,
        chosen=ways[chosen] if ways else None,
        rows=rows,
        next=following,
        first=_link(deed, subject, way=str(chosen)) if after is not None else "",
        cut=who_can.CUT if found.cut else "",
    )


def _way(found: Reached, way: Way, users_url: str, *, here: bool) -> WayShown:
    row = found.rows[way.account]
    hops = []
    for hop in way.hops:
        route = "mappings" if hop.place.path.startswith("nats.mappings") else "imports"
        hops.append(HopShown(text=hop.text, url=shown.account_url(route, found.rows[hop.place.key])))
    return WayShown(
        account=row.name,
        url=shown.account_url("account", row),
        subject=way.subject,
        hops=tuple(hops),
        written=way.written,
        roles=tuple(
            RoleShown(
                name=role.role or shown.short(role.key),
                url=signing_keys_shown.url("signing-key", row, role.key),
                state=search_shown.much(whole=granted is Coverage.ALL),
            )
            for role, granted in who_can.roles(found, way)
        ),
        users_url=users_url,
        here=here,
    )


def _link(deed: str, subject: str, **more: str) -> str:
    return "?" + urlencode({"deed": deed, "subject": subject, **more})
