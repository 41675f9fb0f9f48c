"""Issues users in bulk: key, JWT, own output verified, sealed seed, rows, ledger, in few statements for many users."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from identities.claims import codec, names
from identities.claims.account import AccountBody
from identities.claims.common import Claims
from identities.claims.drafts import UserDraft
from identities.claims.permissions import UserPermissionLimits
from identities.claims.user import UserBody
from identities.errors import IdentityError
from identities.models import Account, IssuedToken, Key, Permission, Purpose, User
from identities.nkeys import KeyKind, KeyPair, PublicKey
from identities.policy.principal import Principal
from identities.services import changes, clock, columns, signing

REASON = "Created user"


@dataclass(slots=True)
class _Issued:
    """One user on its way into the database."""

    draft: UserDraft
    limits: UserPermissionLimits
    user: User
    key: Key
    token: IssuedToken


def issue(
    *,
    principal: Principal,
    account: Account,
    claims: Claims[AccountBody],
    key: Key,
    drafts: Sequence[UserDraft],
) -> list[User]:
    """Issue one user per draft, all signed by `key`; runs in its caller's transaction.

    Raises: see `users.create_many`.
    """
    refuse_names(account, [draft.name for draft in drafts])
    _refuse_taken_keys(account, [draft.public_key for draft in drafts if draft.public_key])
    now = clock.unix()
    issued: list[_Issued] = []
    with signing.signer_for(key) as signer:
        for draft in drafts:
            limits = _limits(draft, key)
            refuse_unfit(limits, claims, key, draft.name)
            issued.append(_issue_one(principal, account, key, signer, draft, limits, now))
    _insert(account, issued)
    return [one.user for one in issued]


def refuse_names(account: Account, wanted: Sequence[str]) -> None:
    """Raise unless every name is one that nsc can store and that is free in the account."""
    for name in wanted:
        names.check_name(name)
    seen: set[str] = set()
    for name in wanted:
        if name in seen:
            raise IdentityError(f"The name “{name}” was given twice.", field="name")
        seen.add(name)
    for start in range(0, len(wanted), 500):
        part = wanted[start : start + 500]
        taken = (
            User.objects.live().filter(account=account, name__in=part).values_list("name", flat=True).first()
        )
        if taken is not None:
            raise IdentityError(
                f"“{account.name}” already has a user named “{taken}”. Choose another name.", field="name"
            )


def refuse_unfit(limits: UserPermissionLimits, claims: Claims[AccountBody], key: Key, name: str) -> None:
    """Raise when these limits can't stand under this account and signer."""
    if key.purpose == Purpose.ROLE and limits != UserPermissionLimits():
        raise IdentityError(
            f"“{name}” is issued by the role “{key.role}”, which alone says what its users may do: "
            "leave permissions and limits empty, or choose a plain key.",
            field="signer",
        )
    if limits.bearer_token and claims.nats.limits.disallow_bearer:
        raise IdentityError(
            f"The account forbids bearer users, so “{name}” can't be one. Allow them in the account's limits first.",
            field="bearer_token",
        )


def _limits(draft: UserDraft, key: Key) -> UserPermissionLimits:
    if draft.limits is not None:
        return draft.limits
    return UserPermissionLimits() if key.purpose == Purpose.ROLE else UserPermissionLimits.unlimited()


def _issue_one(
    principal: Principal,
    account: Account,
    key: Key,
    signer: KeyPair,
    draft: UserDraft,
    limits: UserPermissionLimits,
    now: int,
) -> _Issued:
    identity = _identity(draft)
    claims = Claims(
        nats=UserBody(
            limits=limits,
            issuer_account="" if key.public_key == account.public_key else account.public_key,
            tags=draft.tags,
        ),
        sub=identity.public_key,
        name=draft.name,
        exp=draft.expires,
        nbf=draft.not_before,
    )
    changes.refuse_invalid(changes.check(claims, None, now=now))
    token = codec.encode_checked(claims, signer, now)
    moment = clock.at(now)
    user = User(
        operator_id=account.operator_id,
        account=account,
        public_key=identity.public_key,
        has_seed=identity.sealed is not None,
        created_at=moment,
        updated_at=moment,
        updated_by=principal.name,
    )
    columns.fill(user, token, scoped=key.purpose == Purpose.ROLE)
    entry = signing.ledger_row(
        token,
        principal=principal,
        operator=account.operator,
        reason=REASON,
        credential=limits.bearer_token,
    )
    return _Issued(draft=draft, limits=limits, user=user, key=identity, token=entry)


def _identity(draft: UserDraft) -> Key:
    if draft.public_key:
        given = PublicKey.parse(draft.public_key, KeyKind.USER)
        return Key(public_key=given.text, kind="user", purpose=Purpose.IDENTITY, created_at=clock.now())
    key, pair = signing.new_key(KeyKind.USER, purpose=Purpose.IDENTITY)
    pair.wipe()
    return key


def _insert(account: Account, issued: list[_Issued]) -> None:
    IssuedToken.objects.bulk_create([one.token for one in issued])
    for one in issued:
        one.user.token = one.token
    User.objects.bulk_create([one.user for one in issued])
    for one in issued:
        one.key.operator_id, one.key.account, one.key.user = account.operator_id, account, one.user
    Key.objects.bulk_create([one.key for one in issued])
    rules = [(one.user.pk, *rule) for one in issued for rule in columns.rules_of(one.limits)]
    patterns = columns.interned(rule[3] for rule in rules)
    Permission.objects.bulk_create(
        Permission(
            operator_id=account.operator_id,
            account=account,
            user_id=user,
            direction=direction,
            effect=effect,
            pattern_id=patterns[subject],
            queue=queue[:255],
        )
        for user, direction, effect, subject, queue in rules
    )


def _refuse_taken_keys(account: Account, wanted: Sequence[str]) -> None:
    taken = Key.objects.filter(
        operator_id=account.operator_id, public_key__in=wanted, deleted_at=None
    ).first()
    if taken is not None:
        raise IdentityError(f"{taken.public_key} is already a key under this operator.", field="public_key")
    revoked = User.objects.filter(account=account, public_key__in=wanted).exclude(deleted_at=None).first()
    if revoked is not None:
        raise IdentityError(
            f"{revoked.public_key} belonged to the deleted user “{revoked.name}” and may be revoked: use a new key.",
            field="public_key",
        )
