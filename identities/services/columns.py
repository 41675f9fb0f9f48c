"""Keeps the columns and permission rows that people list, filter and search in step with the claims document."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from django.db.models import Q

from identities.claims import codec
from identities.claims.account import AccountBody
from identities.claims.common import Claims
from identities.claims.permissions import Permissions, UserPermissionLimits
from identities.claims.stricter_concerns import LONGEST_ENTRY
from identities.claims.user import UserBody
from identities.models import Account, Key, Mode, Operator, Permission, Purpose, SubjectPattern, User
from identities.nkeys import KeyKind, is_public
from identities.services import clock, spares

LONGEST_NAME = 255
Rule = tuple[str, str, str, str]
"""direction, effect, subject, queue"""


def fill(
    row: Operator | Account | User, token: codec.Token, *, scoped: bool = False, credential: bool = False
) -> None:
    """Copy onto `row` what its new token says: document, name, times, and the columns of its kind.

    `scoped`: a user signed by a role's key. `credential`: a user whose JWT alone logs in.
    """
    claims = token.claims
    row.claims = token.payload
    row.name = name_of(claims)
    row.issuer = claims.iss
    row.last_iat = claims.iat
    row.expires = claims.exp
    row.not_before = claims.nbf
    body = claims.nats
    if not isinstance(row, User):
        row.name_fold = folded(row.name)
    if isinstance(row, Operator):
        row.system_account = cut(body.system_account, 56)
        row.strict = body.strict_signing_key_usage
    elif isinstance(row, Account):
        row.description = cut(body.description)
        row.jetstream = body.limits.jetstream_enabled
        row.default_pub, row.default_sub = default_modes(body.default_permissions)
    else:
        row.bearer = credential
        row.pub_mode, row.sub_mode = user_modes(body.limits, scoped=scoped)


def folded(name: str) -> str:
    """A name as it is compared where case is ignored."""
    return name.casefold()[:255]


def name_of(claims: Claims[Any]) -> str:
    """What lists and links call an object: its name, or its key where a JWT made elsewhere has none.

    Names made here fit the column; an activation is called by its subject, which may be longer.
    """
    return cut(claims.name or claims.sub, LONGEST_NAME)


def cut(text: str, longest: int | None = None) -> str:
    """A text as a column takes it: PostgreSQL keeps no NUL, and no more than the column's width."""
    return text.replace("\0", "\ufffd")[:longest]


def is_credential(claims: Claims[Any], template: UserPermissionLimits | None = None) -> bool:
    """True for a bearer user's claims: the signed text alone logs in, so it is treated as a seed.

    `template` is that of the role that signs: nats-server takes its bearer flag for the user's (`auth.go`).
    """
    if not isinstance(claims.nats, UserBody):
        return False
    return claims.nats.limits.bearer_token or (template is not None and template.bearer_token)


def user_modes(limits: UserPermissionLimits, *, scoped: bool) -> tuple[str, str]:
    """Where a user's rights to publish and to subscribe come from (nats-server `auth.go`; spec §9.4, item 26)."""
    if scoped:
        return Mode.ROLE, Mode.ROLE
    if limits.pub.is_empty and limits.sub.is_empty and limits.resp is None:
        return Mode.DEFAULT, Mode.DEFAULT
    return _modes(limits)


def default_modes(permissions: Permissions) -> tuple[str, str]:
    """What an account's default permissions give to users that have none of their own."""
    return _modes(permissions)


def _modes(rules: UserPermissionLimits | Permissions) -> tuple[str, str]:
    if rules.pub.allow:
        pub = Mode.RULES
    else:
        pub = Mode.OPEN if rules.resp is None else Mode.REPLIES
    return pub, Mode.RULES if rules.sub.allow else Mode.OPEN


def rules_of(rules: UserPermissionLimits | Permissions) -> Iterator[Rule]:
    """Every entry of the four lists, with a subscribe entry's queue apart; those too long for an index are left out."""
    for direction, lists in (("pub", rules.pub), ("sub", rules.sub)):
        for effect, entries in (("allow", lists.allow), ("deny", lists.deny)):
            for entry in entries:
                if len(entry.encode()) <= LONGEST_ENTRY:
                    subject, _, queue = cut(entry).partition(" ")
                    yield direction, effect, subject, queue[:255]


def interned(subjects: Iterable[str]) -> dict[str, int]:
    """The ids of the pattern rows of `subjects`, made where missing: one insert and one select per 500."""
    wanted = list(dict.fromkeys(subjects))
    found: dict[str, int] = {}
    for start in range(0, len(wanted), 500):
        part = wanted[start : start + 500]
        found.update(SubjectPattern.objects.filter(text__in=part).values_list("text", "pk"))
        missing = [text for text in part if text not in found]
        if missing:
            SubjectPattern.objects.bulk_create(
                [SubjectPattern(text=text, first_token=text.split(".", 1)[0][:255]) for text in missing],
                ignore_conflicts=True,
            )
            found.update(SubjectPattern.objects.filter(text__in=missing).values_list("text", "pk"))
    return found


def write_permissions(row: Operator | Account | User, claims: Claims[Any]) -> None:
    """Make the permission rows of `row` say what its claims say; a role's template counts for its key."""
    if isinstance(row, Operator):
        return
    if isinstance(row, User):
        _replace(
            list(rules_of(claims.nats.limits)), operator=row.operator_id, account=row.account_id, user=row.pk
        )
        return
    body: AccountBody = claims.nats
    _replace(list(rules_of(body.default_permissions)), operator=row.operator_id, account=row.pk)
    sync_signing_keys(row, body)


def sync_signing_keys(row: Account, body: AccountBody) -> None:
    """Keep key rows for the account's signing keys and roles, with the permission rows of each role."""
    keys = {key.public_key: key for key in Key.objects.filter(account=row, user=None, deleted_at=None)}
    for entry in body.signing_keys:
        if entry.key == row.public_key or not is_public(
            entry.key, KeyKind.ACCOUNT
        ):  # of a JWT made elsewhere
            continue
        key = keys.get(entry.key)
        purpose = Purpose.ROLE if entry.is_scoped else Purpose.SIGNING
        role = cut(entry.role, 255)
        if key is None:
            key = spares.one(row.operator_id, KeyKind.ACCOUNT, entry.key) or Key(
                operator_id=row.operator_id,
                public_key=entry.key,
                kind="account",
                created_at=clock.now(),
            )
        if key.pk is None or (key.purpose, key.role) != (purpose, role):
            key.account, key.purpose, key.role = row, purpose, role
            key.save()
        template = entry.template
        rules = list(rules_of(template)) if template is not None else []
        _replace(rules, operator=row.operator_id, account=row.pk, key=key.pk)
    gone = set(keys) - {entry.key for entry in body.signing_keys} - {row.public_key, body.authorization.xkey}
    if gone:
        Permission.objects.filter(account=row, key__public_key__in=gone).delete()
        Key.objects.filter(account=row, user=None, public_key__in=gone).update(deleted_at=clock.now())


def _replace(
    rules: list[Rule], *, operator: int, account: int, user: int | None = None, key: int | None = None
) -> None:
    held = Permission.objects.filter(Q(user_id=user), Q(key_id=key), account_id=account)
    before = {
        (direction, effect, text, queue): pk
        for pk, direction, effect, text, queue in held.values_list(
            "pk", "direction", "effect", "pattern__text", "queue"
        )
    }
    wanted = dict.fromkeys(rules)
    gone = [pk for rule, pk in before.items() if rule not in wanted]
    fresh = [rule for rule in wanted if rule not in before]
    if gone:
        Permission.objects.filter(pk__in=gone).delete()
    if fresh:
        patterns = interned(rule[2] for rule in fresh)
        Permission.objects.bulk_create(
            Permission(
                operator_id=operator,
                account_id=account,
                user_id=user,
                key_id=key,
                direction=direction,
                effect=effect,
                pattern_id=patterns[subject],
                queue=queue,
            )
            for direction, effect, subject, queue in fresh
        )
