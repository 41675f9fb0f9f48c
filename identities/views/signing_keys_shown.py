"""What pages show of an account's signing keys, as plain strings: the list, one key, and who issued a user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count
from django.urls import reverse

from identities.claims.account import AccountBody
from identities.claims.report import Grade
from identities.claims.scopes import SigningKey
from identities.forms.refusals import sentence
from identities.forms.users import Signer
from identities.models import Account, Key, Mode, Purpose, User
from identities.services import changes
from identities.views import shown

REMOVED = shown.State(
    word="Removed",
    tone="danger",
    icon="circle-x",
    title="None of the account's keys any more: servers refuse what it signed",
)
_HERE = shown.State(word="here", tone="ok", icon="circle-check")
_MISSING = shown.State(
    word="not here", tone="muted", icon="circle-dashed", title="Nothing can be signed with it here"
)
_STRICT = "The operator requires signing keys: servers refuse users that this key issued."


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRow:
    """One key that may issue users, or that has issued some. `findings` say what is wrong or doubtful about it.

    `short` tells keys without a name of their own apart, for who hears the page.
    """

    name: str
    url: str
    kind: str
    key: shown.Chip
    description: str
    seed: shown.State
    users: str
    findings: tuple[str, ...]
    short: str = ""
    state: shown.State | None = None
    edit_url: str = ""
    remove_url: str = ""


def url(name: str, account: Account, key: str) -> str:
    """The URL of a page of a signing key."""
    return reverse(name, args=[account.operator.public_key, account.public_key, key])


def rows(account: Account, now: int) -> tuple[KeyRow, ...]:
    """The identity key, the signing keys by kind and name, and removed keys that have users left: two queries."""
    body: AccountBody = changes.claims_of(account).nats
    counts = _counts(account)
    seeds = _seeds(account, [account.public_key, *(entry.key for entry in body.signing_keys)])
    findings = _findings(account, now)
    entries = sorted(body.signing_keys, key=lambda entry: (entry.is_scoped, entry.role, entry.key))
    gone = sorted(counts.keys() - {entry.key for entry in entries} - {account.public_key})
    return (
        _identity_row(account, counts, seeds),
        *(_row(account, entry, counts, seeds, findings.get(entry.key, ())) for entry in entries),
        *(_removed_row(account, key, counts) for key in gone),
    )


def entry_of(account: Account, key: str) -> SigningKey | None:
    """The account's signing key; None for its identity key, and for one that was removed."""
    body: AccountBody = changes.claims_of(account).nats
    return next((entry for entry in body.signing_keys if entry.key == key), None)


def named(entry: SigningKey) -> str:
    """What a signing key is called: `role “service”`, or by its key."""
    if entry.is_scoped:
        return f"role “{entry.role}”" if entry.role else f"role {shown.short(entry.key)}"
    return f"signing key {shown.short(entry.key)}"


def title(account: Account, key: str, entry: SigningKey | None) -> str:
    """The heading of a key's page."""
    if entry is not None and entry.is_scoped and entry.role:
        return f"Role {entry.role}"
    return f"{_kind(account, key, entry).capitalize()} {shown.short(key)}"


def crumbs(account: Account, here: str) -> tuple[shown.Crumb, ...]:
    """The last two steps to a key's page."""
    up = shown.account_url("signing-keys", account)
    return (shown.Crumb(label="Signing keys", url=up, noun=True), shown.Crumb(label=here))


def about(account: Account, key: Key, entry: SigningKey | None, users: int, now: int) -> dict[str, Any]:
    """What the page of one key says beside its users and its template."""
    return {
        "key": shown.chip(key.public_key),
        "kind": _kind(account, key.public_key, entry),
        "description": entry.description if entry is not None else "",
        "seed": _HERE if key.sealed is not None else _MISSING,
        "state": REMOVED if entry is None and key.public_key != account.public_key else None,
        "added": shown.moment(key.created_at),
        "user_count": f"{users:,}",
        "findings_of_key": _findings(account, now).get(key.public_key, ()),
        "urls": {
            "keys": shown.account_url("signing-keys", account),
            "edit": url("role-edit", account, key.public_key) if entry and entry.is_scoped else "",
            "terms": url("role-terms", account, key.public_key) if entry and entry.is_scoped else "",
            "machines": url("workload-rules", account, key.public_key) if entry and entry.is_scoped else "",
            "creds": url("role-creds", account, key.public_key)
            if entry and entry.is_scoped and key.sealed is not None
            else "",
            "remove": url("signing-key-remove", account, key.public_key) if entry else "",
            "new_user": f"{shown.account_url('user-create', account)}?signer={key.public_key}"
            if key.sealed is not None
            else "",
        },
    }


def issuer_of(user: User, entry: SigningKey | None) -> dict[str, Any]:
    """Which key issued a user, in words, and its page; `entry` is that key where it is a signing key still."""
    account = user.account
    if entry is not None:
        words = f"the {named(entry)}" if entry.is_scoped else "a plain signing key"
    elif user.issuer == account.public_key:
        words = "the account's identity key"
    else:
        words = "a key that was removed from the account"
    return {
        "issuer": words,
        "issuer_url": url("signing-key", account, user.issuer),
        "by_role": user.pub_mode == Mode.ROLE,
        "role_gone": user.pub_mode == Mode.ROLE and entry is None,
    }


def signers(account: Account, *, without: str = "") -> list[Signer]:
    """The keys whose seed is here and that may sign users of the account, but `without`; one query."""
    held = Key.objects.filter(account=account, user=None, deleted_at=None, sealed__isnull=False)
    found = []
    for key in held.order_by("purpose", "role", "pk").only("public_key", "purpose", "role"):
        short = shown.short(key.public_key)
        if key.public_key == without:
            continue
        if key.purpose == Purpose.IDENTITY and not account.operator.strict:
            found.append(Signer(key=key.public_key, label=f"identity key {short}"))
        elif key.purpose == Purpose.SIGNING:
            found.append(Signer(key=key.public_key, label=f"signing key {short}"))
        elif key.purpose == Purpose.ROLE:
            label = f"role “{key.role}” {short}" if key.role else f"role {short}"
            found.append(Signer(key=key.public_key, label=label, role=True))
    return found


def _kind(account: Account, key: str, entry: SigningKey | None) -> str:
    if entry is not None:
        return "role" if entry.is_scoped else "plain signing key"
    return "identity key" if key == account.public_key else "removed key"


def _counts(account: Account) -> Mapping[str, int]:
    """How many live users each key issued."""
    live = User.objects.live().filter(account=account)
    return dict(live.order_by().values_list("issuer").annotate(number=Count("pk")))


def _seeds(account: Account, keys: Sequence[str]) -> frozenset[str]:
    """Those of the account's keys whose seed is here."""
    held = Key.objects.filter(operator=account.operator_id, public_key__in=keys, deleted_at=None)
    return frozenset(held.filter(sealed__isnull=False).values_list("public_key", flat=True))


def _findings(account: Account, now: int) -> Mapping[str, tuple[str, ...]]:
    """What the validation says about each signing key, by its key."""
    claims = changes.claims_of(account)
    found: dict[str, list[str]] = {}
    report = changes.check(claims, claims, now=now)
    for place, entry in enumerate(claims.nats.signing_keys):
        prefix = f"nats.signing_keys[{place}]"
        found[entry.key] = [
            _finding(issue.path.removeprefix(prefix).lstrip("."), issue.message)
            for issue in report
            if issue.grade is not Grade.TIMECHECK
            and (issue.path == prefix or issue.path.startswith(f"{prefix}."))
        ]
    return {key: tuple(dict.fromkeys(messages)) for key, messages in found.items()}


def _finding(field: str, message: str) -> str:
    return f"`{field}`: {message}" if field else sentence(message)


def _row(
    account: Account,
    entry: SigningKey,
    counts: Mapping[str, int],
    seeds: frozenset[str],
    findings: tuple[str, ...],
) -> KeyRow:
    return KeyRow(
        name=(entry.role or "(no name)") if entry.is_scoped else "Signing key",
        url=url("signing-key", account, entry.key),
        kind="role" if entry.is_scoped else "plain",
        key=shown.chip(entry.key),
        description=entry.description,
        seed=_HERE if entry.key in seeds else _MISSING,
        users=f"{counts.get(entry.key, 0):,}",
        findings=findings,
        short="" if entry.role else shown.short(entry.key),
        edit_url=url("role-edit", account, entry.key) if entry.is_scoped else "",
        remove_url=url("signing-key-remove", account, entry.key),
    )


def _identity_row(account: Account, counts: Mapping[str, int], seeds: frozenset[str]) -> KeyRow:
    number = counts.get(account.public_key, 0)
    return KeyRow(
        name="Identity key",
        url=url("signing-key", account, account.public_key),
        kind="identity",
        key=shown.chip(account.public_key),
        description="",
        seed=_HERE if account.public_key in seeds else _MISSING,
        users=f"{number:,}",
        findings=(_STRICT,) if account.operator.strict and number else (),
    )


def _removed_row(account: Account, key: str, counts: Mapping[str, int]) -> KeyRow:
    return KeyRow(
        name="Removed key",
        url=url("signing-key", account, key),
        kind="removed",
        key=shown.chip(key),
        description="",
        seed=_MISSING,
        users=f"{counts[key]:,}",
        findings=("Its users can't log in. Move them to another key.",),
        short=shown.short(key),
        state=REMOVED,
    )
