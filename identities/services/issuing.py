"""Issues users in bulk: key, JWT, own output verified, sealed seed, rows, ledger, in few statements for many users."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from identities.claims import codec, names
from identities.claims.account import AccountBody
from identities.claims.common import Claims
from identities.claims.drafts import UserDraft
from identities.claims.permissions import UserPermissionLimits
from identities.claims.revocations import EVERYONE
from identities.claims.user import UserBody
from identities.errors import IdentityError
from identities.models import Account, IssuedToken, Key, Permission, Purpose, User
from identities.nkeys import KeyKind, KeyPair, PublicKey
from identities.policy.principal import Principal
from identities.services import bulk, changes, clock, columns, four_eyes, signing, spares

REASON = "Created user"


_TOKENS = (
    "operator_id",
    "kind",
    "subject",
    "name",
    "issuer",
    "jti",
    "iat",
    "exp",
    "text",
    "sealed",
    "origin",
    "replaces_id",
    "by",
    "by_name",
    "reason",
    "created_at",
)
_USERS = (
    "public_key",
    "name",
    "claims",
    "token_id",
    "issuer",
    "last_iat",
    "expires",
    "not_before",
    "version",
    "created_at",
    "updated_at",
    "updated_by",
    "deleted_at",
    "operator_id",
    "account_id",
    "has_seed",
    "bearer",
    "pub_mode",
    "sub_mode",
    "suspended_at",
    "revoked_before",
)
_KEYS = (
    "operator_id",
    "account_id",
    "user_id",
    "public_key",
    "kind",
    "purpose",
    "role",
    "sealed",
    "created_at",
    "deleted_at",
)
_PERMISSIONS = (
    "operator_id",
    "account_id",
    "user_id",
    "key_id",
    "direction",
    "effect",
    "pattern_id",
    "queue",
)


Take = Callable[[str, str, KeyPair], None]
"""Takes a new user's name, JWT and key pair, which is wiped right after."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """One user on its way into the database. `credential`: its JWT alone logs in. `scoped`: by a role's key.

    `last_iat` is the latest issue time of the key that is known, 0 for that of this token. Users that share their
    `limits`, the very object, share the work that these make.
    """

    limits: UserPermissionLimits
    public_key: str
    sealed_seed: bytes | None
    token: codec.Token
    credential: bool
    scoped: bool
    last_iat: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Batch:
    """What all users of one call share: who signs in which account, and when (`now`, unix seconds).

    `template` is what `key` gives as a role; `iats` the issue times of keys that were seen before; `kept` the sealed
    seeds of spare keys that users bring; `judged` holds the limits that were found right.
    """

    account: Account
    key: Key
    signer: KeyPair
    now: int
    take: Take | None
    template: UserPermissionLimits | None
    iats: Mapping[str, int]
    kept: Mapping[str, bytes]
    judged: set[tuple[object, ...]] = field(default_factory=set)


def issue(
    *,
    principal: Principal,
    account: Account,
    claims: Claims[AccountBody],
    key: Key,
    drafts: Sequence[UserDraft],
    take: Take | None = None,
) -> list[User]:
    """Issue one user per draft, all signed by `key`; runs in its caller's transaction.

    Raises: see `users.create_many`.
    """
    refuse_names(account, [draft.name for draft in drafts])
    brought = [draft.public_key for draft in drafts if draft.public_key]
    kept = spares.taken(account.operator_id, KeyKind.USER, brought)
    refuse_taken_keys(account, brought)
    revocations, now = claims.nats.revocations, clock.unix()
    first = signing.past_revocation(now, revocations.get(EVERYONE, 0))
    issued: list[Ready] = []
    with signing.signer_for(key) as signer:
        batch = _Batch(
            account=account,
            key=key,
            signer=signer,
            now=first,
            take=take,
            template=signing.template_of(claims, key),
            iats=signing.iats_of(brought, first, revocations),
            kept=kept,
        )
        for draft in drafts:
            limits = _limits(draft, key)
            refuse_unfit(limits, claims, key, draft.name)
            issued.append(_issue_one(batch, draft, limits))
    return insert(principal, account, issued, now=now)


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


def _issue_one(batch: _Batch, draft: UserDraft, limits: UserPermissionLimits) -> Ready:
    pair = None if draft.public_key else KeyPair.create(KeyKind.USER)
    if pair is not None:
        four_eyes.note_key(pair.public.text)
    identity = PublicKey.parse(draft.public_key, KeyKind.USER) if pair is None else pair.public
    account = batch.account.public_key
    claims = Claims(
        nats=UserBody(
            limits=limits, issuer_account="" if batch.key.public_key == account else account, tags=draft.tags
        ),
        sub=identity.text,
        name=draft.name,
        exp=draft.expires,
        nbf=draft.not_before,
    )
    # What is judged here does not depend on name and key: once for all users that share their limits.
    alike = (id(limits), draft.tags, draft.expires, draft.not_before)
    if alike not in batch.judged:
        changes.refuse_invalid(changes.check(claims, None, now=batch.now))
        batch.judged.add(alike)
    token = codec.encode_checked(claims, batch.signer, batch.iats.get(identity.text, batch.now))
    sealed = batch.kept.get(identity.text)
    if pair is not None:
        sealed = signing.seal_seed(pair.seed(), identity.text)
        if batch.take is not None:
            batch.take(draft.name, token.text, pair)
        pair.wipe()
    return Ready(
        limits=limits,
        public_key=identity.text,
        sealed_seed=sealed,
        token=token,
        credential=columns.is_credential(token.claims, batch.template),
        scoped=batch.key.purpose == Purpose.ROLE,
    )


def insert(
    principal: Principal, account: Account, issued: Sequence[Ready], *, now: int, imported: bool = False
) -> list[User]:
    """Write users with their ledger, key and permission rows. `imported`: their JWTs were made elsewhere."""
    moment = bulk.moment(clock.at(now))
    written = ("imported", "Imported user") if imported else ("signed", REASON)
    tokens = _insert_tokens(principal, account, issued, written, moment)
    rows = []
    for one, token in zip(issued, tokens, strict=True):
        claims, limits = one.token.claims, one.limits
        pub, sub = columns.user_modes(limits, scoped=one.scoped)
        times = (max(claims.iat, one.last_iat), claims.exp, claims.nbf, 1, moment, moment)
        seed_here = one.sealed_seed is not None
        name = columns.name_of(claims)
        rows.append(
            (one.public_key, name, one.token.payload, token, claims.iss, *times, principal.name)
            + (None, account.operator_id, account.pk, seed_here, one.credential, pub, sub, None, 0)
        )
    users = bulk.Table(User, *_USERS).insert(rows)
    _insert_keys(account, issued, users, moment)
    _insert_permissions(account, issued, users)
    at = clock.at(now)
    return [_loaded(account, user, row, at) for user, row in zip(users, rows, strict=True)]


def _insert_tokens(
    principal: Principal, account: Account, issued: Sequence[Ready], written: tuple[str, str], moment: Any
) -> list[int]:
    origin, reason = written
    rows = []
    for one in issued:
        claims = one.token.claims
        text, sealed = signing.kept_text(one.token, credential=one.credential)
        rows.append(
            (
                account.operator_id,
                "user",
                claims.sub,
                columns.name_of(claims),
                claims.iss,
                columns.cut(claims.jti, signing.LONGEST_JTI),
                claims.iat,
                claims.exp,
            )
            + (text, sealed, origin, None, principal.key, principal.name, reason, moment)
        )
    return bulk.Table(IssuedToken, *_TOKENS).insert(rows)


def _insert_keys(account: Account, issued: Sequence[Ready], users: list[int], moment: Any) -> None:
    bulk.Table(Key, *_KEYS).insert(
        [
            (account.operator_id, account.pk, user, one.public_key, "user", Purpose.IDENTITY.value, "")
            + (one.sealed_seed, moment, None)
            for one, user in zip(issued, users, strict=True)
        ]
    )


def _insert_permissions(account: Account, issued: Sequence[Ready], users: list[int]) -> None:
    limits = {id(one.limits): one.limits for one in issued}
    shared = {which: list(dict.fromkeys(columns.rules_of(held))) for which, held in limits.items()}
    patterns = columns.interned(subject for rules in shared.values() for _, _, subject, _ in rules)
    bulk.Table(Permission, *_PERMISSIONS).insert(
        [
            (account.operator_id, account.pk, user, None, direction, effect, patterns[subject], queue)
            for one, user in zip(issued, users, strict=True)
            for direction, effect, subject, queue in shared[id(one.limits)]
        ]
    )


def _loaded(account: Account, pk: int, row: tuple[Any, ...], at: datetime) -> User:
    """The row just inserted as an object, without asking the database for it again."""
    user = User.from_db(None, ("id", *_USERS), (pk, *row))
    user.created_at = user.updated_at = at
    user.account, user.operator = account, account.operator
    return user


def refuse_taken_keys(account: Account, wanted: Sequence[str]) -> None:
    """Raise unless every public key is free, and none was ever another user's of the account."""
    if not wanted:
        return
    if len(set(wanted)) < len(wanted):
        raise IdentityError("One public key was given for two users. Give each its own.", field="public_key")
    taken = Key.objects.filter(
        operator_id=account.operator_id, public_key__in=wanted, deleted_at=None
    ).first()
    if taken is not None:
        raise IdentityError(f"{taken.public_key} is already a key under this operator.", field="public_key")
    for former in Key.objects.filter(public_key__in=wanted).select_related("user"):
        if former.account_id != account.pk or former.user is None:
            continue
        held = "was the key of" if former.user.deleted_at is None else "belonged to the deleted user"
        raise IdentityError(
            f"{former.public_key} {held} “{former.user.name}” and may be revoked: use a new key.",
            field="public_key",
        )
