"""What pages show, as plain strings: key chips, times, states, crumbs. Templates print it and ask nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from identities.models import LIVE_LAST, Account, Cluster, Key, Operator, Proposal, Purpose, User
from identities.policy.principal import Principal, ScopeKind
from identities.queries import reach

DAY = 86_400
SOON = 28 * DAY
"""nsc's threshold: from here on an expiry is worth a warning."""
_LAST_PRINTABLE = 253_402_300_799
_KEY = re.compile(r"(?<![A-Z2-7])[OAUX][A-Z2-7]{55}(?![A-Z2-7])")

OPERATOR_TABS = (
    ("Overview", "operator"),
    ("Accounts", "accounts"),
    ("Signing keys", "operator-keys"),
    ("Keys", "keys"),
    ("Clusters", "clusters"),
    ("Validate", "operator-validate"),
    ("Proposals", "operator-proposals"),
    ("Access", "operator-access"),
    ("History", "operator-history"),
)
ACCOUNT_TABS = (
    ("Overview", "account"),
    ("Users", "users"),
    ("Exports", "exports"),
    ("Imports", "imports"),
    ("Signing keys", "signing-keys"),
    ("Mappings", "mappings"),
    ("Who can …", "who-can"),
    ("Revocations", "revocations"),
    ("Delivery", "account-delivery"),
    ("Connections", "account-live"),
    ("Access", "account-access"),
    ("History", "account-history"),
)
CLUSTER_TABS = (
    ("Servers", "cluster"),
    ("Drift", "cluster-drift"),
    ("Live", "cluster-live"),
    ("Events", "cluster-events"),
)
"""Label and route of each page of an operator, of an account and of a cluster."""

Names = Callable[[str], str]
"""From a public key to a name people know, "" for a stranger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """A public key as a chip: `short` to read (or the whole key), `full` to copy, `name` where it is known."""

    short: str
    full: str
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """A point in time: `text` for people (UTC), `iso` for `<time datetime>`; both "" for never."""

    text: str
    iso: str

    def __bool__(self) -> bool:
        return bool(self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A state as icon and word: `tone` is ok, warn, danger or muted."""

    word: str
    tone: str
    icon: str
    title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crumb:
    """One step of the breadcrumb; the last has no `url`. A `noun` ("Accounts") is left out where room is scarce."""

    label: str
    url: str = ""
    noun: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Tab:
    """One page of an object; `count` is how many things it lists, "" where it lists none."""

    label: str
    url: str
    count: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting: its lines (none: not set, and `note` says what that means), and the dialog it is edited in."""

    title: str
    lines: tuple[str, ...]
    note: str
    edit_url: str
    may_edit: bool


def short(key: str) -> str:
    """`ACJ5…Q3LM`, as nobody reads 56 characters."""
    return f"{key[:4]}…{key[-4:]}" if len(key) > 12 else key


def chip(key: str, name: str = "", *, long: bool = False) -> Chip:
    """The chip of a public key."""
    return Chip(short=key if long else short(key), full=key, name=name)


def unix(seconds: int) -> When:
    """A time of a claim; 0 is none."""
    if not seconds:
        return When(text="", iso="")
    if not 0 < seconds <= _LAST_PRINTABLE:
        return When(text=f"{seconds} s", iso="")
    return moment(datetime.fromtimestamp(seconds, UTC))


def moment(at: datetime | None) -> When:
    """A time of the database."""
    if at is None:
        return When(text="", iso="")
    there = at.astimezone(UTC)
    return When(text=there.strftime("%Y-%m-%d %H:%M UTC"), iso=there.strftime("%Y-%m-%dT%H:%M:%SZ"))


def state(expires: int, not_before: int, now: int) -> State:
    """Whether a JWT is valid now, and for how long."""
    if expires and expires <= now:
        return State(word="Expired", tone="danger", icon="circle-x", title=unix(expires).text)
    if not_before > now:
        return State(word="Not yet valid", tone="warn", icon="clock", title=f"from {unix(not_before).text}")
    if expires and expires <= now + SOON:
        word = f"Expires in {span(expires - now)}"
        return State(word=word, tone="warn", icon="triangle-alert", title=unix(expires).text)
    return State(word="Valid", tone="ok", icon="circle-check", title="")


def span(seconds: int) -> str:
    """Whole days, hours or minutes."""
    for size, unit in ((DAY, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            return plural(seconds // size, unit)
    return "less than a minute"


def plural(number: int, one: str, many: str = "") -> str:
    """`1 user`, `2,000 users`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def frame(
    *, title: str, nav: str, crumbs: Sequence[Crumb] = (), can: dict[str, bool] | None = None, **more: Any
) -> dict[str, Any]:
    """The context that every page passes to `base.html`."""
    return {"title": title, "nav": nav, "crumbs": tuple(crumbs), "can": can or {}, **more}


def operator_url(name: str, operator: Operator) -> str:
    """The URL of a page of an operator."""
    return reverse(name, args=[operator.public_key])


def account_url(name: str, account: Account, *more: object) -> str:
    """The URL of a page of an account, whose operator is loaded."""
    return reverse(name, args=[account.operator.public_key, account.public_key, *more])


def unsigned_url(row: Operator | Account, name: str = "unsigned") -> str:
    """The URL of the page on which an operator's or account's edit waits for its signature, or of one below it."""
    return (
        operator_url(f"operator-{name}", row)
        if isinstance(row, Operator)
        else account_url(f"account-{name}", row)
    )


def user_url(name: str, user: User) -> str:
    """The URL of a page of a user, whose account and operator are loaded."""
    account = user.account
    return reverse(name, args=[account.operator.public_key, account.public_key, user.public_key])


def cluster_url(name: str, cluster: Cluster, *more: object) -> str:
    """The URL of a page of a cluster, whose operator is loaded."""
    return reverse(name, args=[cluster.operator.public_key, cluster.pk, *more])


def operator_crumbs(operator: Operator, *more: str) -> tuple[Crumb, ...]:
    """Operators / this one / …"""
    here = Crumb(label=operator.name, url=operator_url("operator", operator))
    return _ended((Crumb(label="Operators", url=reverse("operators"), noun=True), here), more)


def operator_tabs(principal: Principal, operator: Operator, accounts: int | None = None) -> dict[str, Any]:
    """The pages of an operator, for `identities/shared/tabs.html`; one query for how many accounts one may see, unless
    it is told, another one for how many proposals wait where four eyes are asked for.
    """
    validates = reach.whole_operator(principal, operator.pk) or any(
        held.kind is ScopeKind.ACCOUNT and held.operator == operator.pk for held in principal.roles
    )
    pages = [page for page in OPERATOR_TABS if validates or page[1] != "operator-validate"]
    urls = ((label, operator_url(name, operator)) for label, name in pages)
    if accounts is None:
        accounts = Account.objects.visible_to(principal).live().filter(operator=operator).count()
    numbers = {"Accounts": accounts}
    if operator.four_eyes:
        waiting = Proposal.objects.visible_to(principal).waiting().filter(operator=operator)
        numbers["Proposals"] = waiting.count()
    return _tabs("Operator", urls, **numbers)


def account_tabs(account: Account) -> dict[str, Any]:
    """The pages of an account, likewise; its row knows how many users it has."""
    urls = ((label, account_url(name, account)) for label, name in ACCOUNT_TABS)
    return _tabs("Account", urls, Users=account.user_count)


def cluster_tabs(cluster: Cluster) -> dict[str, Any]:
    """The pages of a cluster, likewise."""
    return _tabs("Cluster", ((label, cluster_url(name, cluster)) for label, name in CLUSTER_TABS))


def user_tabs(user: User, *, client_test: bool) -> dict[str, Any]:
    """The pages of a user, likewise; the client test for those who may run one."""
    pages = (
        ("Overview", "user"),
        *((("Client test", "user-test"),) if client_test else ()),
        ("May it …?", "user-explain"),
        ("Connections", "user-live"),
        ("Context for nats", "user-context"),
        ("History", "user-history"),
    )
    return _tabs("User", ((label, user_url(name, user)) for label, name in pages))


def _tabs(noun: str, pages: Iterable[tuple[str, str]], **numbers: int) -> dict[str, Any]:
    counts = {label: f"{number:,}" for label, number in numbers.items()}
    tabs = tuple(Tab(label=label, url=url, count=counts.get(label, "")) for label, url in pages)
    return {"tabs_of": noun, "tabs": tabs}


def account_crumbs(account: Account, *more: str) -> tuple[Crumb, ...]:
    """Operators / operator / Accounts / this one / …"""
    steps = (
        *operator_crumbs(account.operator, "")[:2],
        Crumb(label="Accounts", url=operator_url("accounts", account.operator), noun=True),
        Crumb(label=account.name, url=account_url("account", account)),
    )
    return _ended(steps, more)


def cluster_crumbs(cluster: Cluster, *more: str) -> tuple[Crumb, ...]:
    """Operators / operator / Clusters / this one / …"""
    steps = (
        *operator_crumbs(cluster.operator, "")[:2],
        Crumb(label="Clusters", url=operator_url("clusters", cluster.operator), noun=True),
        Crumb(label=cluster.name, url=cluster_url("cluster", cluster)),
    )
    return _ended(steps, more)


def user_crumbs(user: User, *more: str) -> tuple[Crumb, ...]:
    """Operators / operator / Accounts / account / Users / this one / …"""
    steps = (
        *account_crumbs(user.account, "")[:4],
        Crumb(label="Users", url=account_url("users", user.account), noun=True),
        Crumb(label=user.name, url=user_url("user", user)),
    )
    return _ended(steps, more)


def wants_full_ids(request: HttpRequest) -> bool:
    """Whether `?ids=full` asks for whole keys."""
    return request.GET.get("ids") == "full"


def keys_in(texts: Iterable[str]) -> set[str]:
    """Everything in `texts` that looks like a public key."""
    return {key for text in texts for key in _KEY.findall(text)}


def names_in(principal: Principal, operator: Operator, *texts: str) -> Names:
    """The names of all keys in `texts` that this operator knows and the principal may see, in one query."""
    found = key_names(principal, operator, keys_in(texts))
    return lambda key: found.get(key, "")


def key_names(principal: Principal, operator: Operator, keys: Iterable[str]) -> dict[str, str]:
    """What people call each of `keys`: its holder's name, a role's name, or whose signing key it is.

    Keys of what is out of the principal's sight have no name.
    """
    wanted = set(keys)
    rows = (
        Key.objects.filter(reach.keys(principal), operator=operator, public_key__in=wanted)
        .order_by(LIVE_LAST)
        .values_list("public_key", "purpose", "role", "account__name", "user__name")
    )
    return {
        key: _named(purpose, role, user or account or operator.name)
        for key, purpose, role, account, user in rows
    }


def _named(purpose: str, role: str, holder: str) -> str:
    if purpose == Purpose.SIGNING:
        return f"{holder} (signing key)"
    if purpose == Purpose.ROLE:
        return f"{holder} (role {role})" if role else f"{holder} (role)"
    if purpose == Purpose.CURVE:
        return f"{holder} (curve key)"
    if purpose == Purpose.SPARE:
        return f"{holder} (spare key)"
    return holder


def _ended(steps: tuple[Crumb, ...], more: Sequence[str]) -> tuple[Crumb, ...]:
    labels = tuple(Crumb(label=label) for label in more if label)
    if not more:
        return (*steps[:-1], Crumb(label=steps[-1].label))
    return (*steps, *labels)
