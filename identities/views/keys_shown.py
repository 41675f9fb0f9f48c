"""What the pages of keys show, as plain strings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import QueryDict
from django.urls import reverse

from identities.models import Key, Operator, Purpose
from identities.nkeys import KeyKind
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.queries import keys as queries
from identities.services import keys
from identities.views import addresses, guards, paging, shown
from identities.views.activity_shown import Choice

SORTS = paging.both_ways(created=paging.Sort("pk", "number"))
"""In the order in which they were made, which is that of the tree: operator, account, its users."""
COLUMNS = (
    ("Key", "", ""),
    ("Kind", "", ""),
    ("Of", "", ""),
    ("For", "", ""),
    ("Seed", "", ""),
    ("In claims", "", ""),
    ("Created", "created", ""),
    ("", "", ""),
)
KINDS = {"": "every kind", **{kind.value: f"{kind.value} keys" for kind in keys.GENERATED}}
SEEDS = {"": "seed here or not", "here": "seed here", "missing": "seed missing"}
USES = {"": "in claims or not", "referenced": "in current claims", "unreferenced": "not in current claims"}
_PURPOSES = {
    Purpose.IDENTITY: "identity",
    Purpose.SIGNING: "signing",
    Purpose.CURVE: "curve (xkey)",
    Purpose.SPARE: "spare, not used yet",
}
_POWER = {
    KeyKind.OPERATOR: "Whoever has it can make accounts that your servers trust, and change every account.",
    KeyKind.ACCOUNT: "Whoever has it can make users of the account, with any rights.",
    KeyKind.USER: "Whoever has it can log in as this user.",
    KeyKind.CURVE: "Whoever has it can read what servers ask the auth callout service.",
}
_HERE = shown.State(word="Here", tone="ok", icon="lock", title="Sealed in this installation")
_MISSING = shown.State(
    word="Missing", tone="muted", icon="circle-dashed", title="Only the public key is known here"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRow:
    """One key in the list; `add_url`, `export_url` and `erase_url` are "" where that can't be done."""

    key: shown.Chip
    kind: str
    holder: str
    holder_url: str
    path: str
    purpose: str
    seed: shown.State
    referenced: str
    created: shown.When
    deleted: shown.When
    add_url: str
    export_url: str
    erase_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What the filter bar holds."""

    kinds: tuple[Choice, ...]
    seeds: tuple[Choice, ...]
    uses: tuple[Choice, ...]


def table(principal: Principal, operator: Operator, query: QueryDict) -> dict[str, Any]:
    """Page, headings, filters and rows of the list of keys: one query, and one to count."""
    wanted = _wanted(query)
    page = paging.page(queries.listed(principal, operator, wanted), query, sorts=SORTS)
    return {
        "page": page,
        "narrowed": bool(wanted.kind or wanted.seed or wanted.use or wanted.text),
        "headings": paging.headings(query, SORTS, COLUMNS, page.sort),
        "filters": Filters(
            kinds=_choices(KINDS, wanted.kind),
            seeds=_choices(SEEDS, wanted.seed),
            uses=_choices(USES, wanted.use),
        ),
        "rows": tuple(_row(principal, operator, key) for key in page.rows),
    }


def power(key: Key) -> str:
    """What somebody could do with the seed of this key."""
    return _POWER[KeyKind(key.kind)]


def _wanted(query: QueryDict) -> queries.Wanted:
    kind, seed, use = (query.get(name, "") for name in ("kind", "seed", "use"))
    return queries.Wanted(
        kind=kind if kind in KINDS else "",
        seed=queries.Seed(seed if seed in SEEDS else ""),
        use=queries.Use(use if use in USES else ""),
        text=query.get("q", "").strip()[: paging.LONGEST_QUERY].replace("\x00", ""),
    )


def _choices(words: dict[str, str], chosen: str) -> tuple[Choice, ...]:
    return tuple(Choice(value=value, label=label, selected=value == chosen) for value, label in words.items())


def _row(principal: Principal, operator: Operator, key: Key) -> KeyRow:
    here: bool = key.here  # type: ignore[attr-defined]  # both annotated by the query
    referenced: bool = key.referenced  # type: ignore[attr-defined]
    holder, url, path = _holder(operator, key)
    scope = keys.scope(key)

    def action(name: str, wanted: Action, *, fits: bool) -> str:
        if not (fits and guards.may(principal, wanted, scope)):
            return ""
        return reverse(name, args=[operator.public_key, key.public_key])

    return KeyRow(
        key=shown.chip(key.public_key),
        kind=key.kind,
        holder=holder,
        holder_url=url,
        path=path,
        purpose=f"role {key.role}" if key.purpose == Purpose.ROLE else _PURPOSES[Purpose(key.purpose)],
        seed=_HERE if here else _MISSING,
        referenced="yes" if referenced else "no",
        created=shown.moment(key.created_at),
        deleted=shown.moment(key.deleted_at),
        add_url=action("key-seed", Action.KEY_ADD_SEED, fits=not here and key.deleted_at is None),
        export_url=action("key-export", Action.KEY_EXPORT, fits=here),
        erase_url=action("key-erase", Action.KEY_ERASE, fits=here and not referenced),
    )


def _holder(operator: Operator, key: Key) -> tuple[str, str, str]:
    """Name, page and path of whose key it is; what was deleted has no page any more."""
    account, user = key.account, key.user
    if user is not None and account is not None:
        gone = user.deleted_at is not None or account.deleted_at is not None
        url = "" if gone else addresses.user(operator.public_key, account.public_key, user.public_key)
        return user.name, url, f"user of {account.name}"
    if account is not None:
        url = (
            ""
            if account.deleted_at is not None
            else addresses.account(operator.public_key, account.public_key)
        )
        return account.name, url, "account"
    return operator.name, addresses.operator(operator.public_key), "operator"
