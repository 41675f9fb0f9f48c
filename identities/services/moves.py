"""Moves a user from one issuing key to another: between the account's identity key, plain signing keys and roles."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from identities.claims import templates, trust
from identities.claims.account import AccountBody
from identities.claims.common import Claims
from identities.claims.permissions import Permission, UserPermissionLimits
from identities.claims.user import UserBody
from identities.errors import IdentityError
from identities.models import Account, Key, Mode, Purpose, User
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.services import accounts, audit, changes, clock, issuing, kept_out, signing, users
from identities.services.proposing import guarded


class Start(StrEnum):
    """What a user that leaves a role may do from then on: all that nsc gives, or what the role gave it."""

    UNLIMITED = "unlimited"
    TEMPLATE = "template"


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """Where to: `signer` is one of the account's keys. `start` is needed to leave a role. `revoke`: the JWT that the
    user has now stops working as well.
    """

    signer: str
    start: Start | None = None
    revoke: bool = False


@guarded
def move(*, principal: Principal, user: User, wanted: Move, version: int) -> User:
    """Re-issue a user by another key of its account.

    Raises:
        StaleWrite: somebody else changed it meanwhile. NoSigner: the seed of that key is not here. Suspended.
        IdentityError: no key of the account, or the one that issued it; no start, or one that can't be.
    """
    decisions.require(principal, Action.USER_MOVE, users.scope(user))
    with changes.transaction_of_one():
        account = changes.locked(user.account, None)
        row = changes.locked(user, version)
        row.account = account
        change, key, before = plan(row, wanted), _key(row, wanted.signer), row.last_iat
        where = said(account, key)
        row = users.sign(
            row, change, account=account, key=key, principal=principal, reason=f"Moved to {where}"
        )
        if wanted.revoke:
            account = accounts.revoke_unaudited(
                principal=principal,
                account=account,
                entries={row.public_key: before},
                reason=f"Revoked earlier versions of user {row.name}",
            )
        more = ", and revoked its earlier versions" if wanted.revoke else ""
        audit.record(
            principal,
            Action.USER_MOVE,
            [users.target(row, account), accounts.target(account)],
            f"Moved user “{row.name}” of “{account.name}” to {where}{more}",
        )
    return row


def plan(user: User, wanted: Move) -> changes.Change:
    """What moving the user would change; see `move` for what is refused."""
    kept_out.refuse(user)
    account = user.account
    claims = changes.claims_of(account)
    key = _key(user, wanted.signer)
    limits = _limits(user, claims, key, wanted.start)

    def apply(before: Claims[UserBody]) -> Claims[UserBody]:
        after = trust.without_rights(before) if limits is None else _with(before, limits)
        by_itself = key.public_key == account.public_key
        body = replace(after.nats, issuer_account="" if by_itself else account.public_key)
        return replace(after, nats=body, iss=key.public_key)

    change = changes.plan(user, apply, now=clock.unix())
    issuing.refuse_unfit(change.after.nats.limits, claims, key, user.name)
    return replace(change, consequences=(*_what_it_means(user, claims, key, wanted),))


def said(account: Account, key: Key) -> str:
    """A key of an account in words: `the role “service”`."""
    if key.purpose == Purpose.ROLE:
        return f"the role “{key.role}”" if key.role else f"the role {key.public_key}"
    if key.public_key == account.public_key:
        return "the account's identity key"
    return f"the signing key {key.public_key}"


def of_template(user: User, claims: Claims[AccountBody]) -> UserPermissionLimits:
    """What the user's role gives it now, every template filled in as nats-server does it.

    Raises:
        LoginRefused: nats-server would refuse the user. IdentityError: its role is no more.
    """
    entry = trust.signing_key(claims.nats, user.issuer)
    if entry is None or entry.template is None:
        raise IdentityError(
            "Its role was removed from the account, so there is no template to copy.", field="start"
        )
    mine: Claims[UserBody] = changes.claims_of(user)
    return templates.expand_template(
        entry.template,
        mine.name,
        mine.sub,
        claims.name,
        claims.sub,
        mine.nats.tags,
        claims.nats.tags,
    )


def _key(user: User, chosen: str) -> Key:
    if chosen == user.issuer:
        raise IdentityError(f"This key issued “{user.name}” already.", field="signer")
    account = user.account
    return signing.user_signer(
        account, changes.claims_of(account), strict=account.operator.strict, chosen=chosen
    )


def _limits(
    user: User, claims: Claims[AccountBody], key: Key, start: Start | None
) -> UserPermissionLimits | None:
    """The user's own permissions and limits from now on; None for none at all, as under a role."""
    if key.purpose == Purpose.ROLE:
        return None
    if user.pub_mode != Mode.ROLE:
        held: UserPermissionLimits = changes.claims_of(user).nats.limits
        return held
    if start is Start.TEMPLATE:
        return _copied(user, claims)
    if start is Start.UNLIMITED:
        return UserPermissionLimits.unlimited()
    raise IdentityError(
        f"“{user.name}” has no permissions of its own, as a role issued it. Choose what it starts from.",
        field="start",
    )


def _copied(user: User, claims: Claims[AccountBody]) -> UserPermissionLimits:
    try:
        return of_template(user, claims)
    except templates.LoginRefused as refused:
        raise IdentityError(
            f"nats-server refuses the user under its role, so there is nothing to copy: {refused.user_message}",
            field="start",
        ) from None


def _with(claims: Claims[UserBody], limits: UserPermissionLimits) -> Claims[UserBody]:
    """The claims with these permissions and limits; unknown fields beside them stay."""
    held = claims.nats.limits
    if limits is held:
        return claims
    kept = replace(limits, pub=_beside(limits.pub, held.pub), sub=_beside(limits.sub, held.sub))
    return replace(claims, nats=replace(claims.nats, limits=replace(kept, extra=held.extra)))


def _beside(permission: Permission, held: Permission) -> Permission:
    return replace(permission, extra=held.extra)


def _what_it_means(user: User, claims: Claims[AccountBody], key: Key, wanted: Move) -> list[str]:
    told = []
    if key.purpose == Purpose.ROLE:
        where = said(user.account, key)
        told.append(
            f"From now on {where} alone says what “{user.name}” may do: permissions and limits of its own go."
            if user.pub_mode != Mode.ROLE
            else f"From now on {where} says what “{user.name}” may do."
        )
        told += _refused(user, claims, key)
    elif user.pub_mode == Mode.ROLE:
        told.append(
            f"“{user.name}” keeps what its role gives it today. Later changes of the role don't reach it any more."
            if wanted.start is Start.TEMPLATE
            else f"“{user.name}” starts without any restriction: it may publish and subscribe everywhere that the "
            "account's defaults allow."
        )
    told.append(
        f"The JWT that “{user.name}” has now stops working, and who is connected with it is dropped, as soon as "
        "servers have the account's new JWT. Hand out the new creds."
        if wanted.revoke
        else f"The JWT that “{user.name}” has now goes on working, with the rights it gives, until it expires or is "
        "revoked."
    )
    return told


def _refused(user: User, claims: Claims[AccountBody], key: Key) -> list[str]:
    template = signing.template_of(claims, key)
    mine: Claims[UserBody] = changes.claims_of(user)
    if template is None:
        return []
    names = (mine.name, mine.sub, claims.name, claims.sub)
    try:
        templates.expand_template(template, *names, mine.nats.tags, claims.nats.tags)
    except templates.LoginRefused as refused:
        return [f"nats-server would refuse “{user.name}” under this role: {refused.user_message}"]
    return []
