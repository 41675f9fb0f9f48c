"""Short-lived creds of a role: signed at once for whoever may have them, no user is kept, and the ledger knows.

The key is made here and never stored, or it is the caller's own and only its public half comes here. Revoking is by
that key, in the account's revocations, as of any user.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from django.db import transaction

from identities.claims import codec, names, templates
from identities.claims.account import AccountBody
from identities.claims.common import Claims
from identities.claims.drafts import ShortLivedDraft
from identities.claims.permissions import UserPermissionLimits
from identities.claims.revocations import EVERYONE
from identities.claims.user import UserBody
from identities.errors import IdentityError
from identities.formats import creds as creds_format
from identities.models import Account, Key, issuing_roles
from identities.nkeys import KeyKind, KeyPair, PublicKey
from identities.policy import bounds
from identities.policy.actions import Action
from identities.policy.principal import Principal, Scope
from identities.services import (
    accounts,
    audit,
    bulk,
    changes,
    clock,
    columns,
    four_eyes,
    handovers,
    issuing,
    issuing_terms,
    signing,
)
from identities.services.four_eyes import exempted

REASON = "Short-lived creds"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShortLived:
    """What was issued. `creds` is a creds file, "" where the caller has the key; both texts may log in.

    `expires` is unix seconds, `lifetime` seconds: what was asked for, within the role's terms.
    """

    name: str
    public_key: str
    jwt: str = field(repr=False)
    creds: str = field(repr=False)
    expires: int
    lifetime: int


@exempted("they end within their terms, and machines ask for them all day")
@four_eyes.exempted("the role was signed by two, and machines ask for it by the minute")
def issue(*, principal: Principal, role: Key, draft: ShortLivedDraft) -> ShortLived:
    """Sign a user of `role` that lives as long as its terms allow, and write ledger, hand-over and audit.

    Raises:
        Forbidden: no grant allows it, or not with this name or these tags.
        IdentityError: no such role (any more), an impossible name, a key that is another user's or was revoked, an
            account that lets nobody in. LoginRefused: a server would refuse this user for the role's template.
        NoSigner: the seed of the role is not here. TooSoon: the same key was issued to several times in a moment.
    """
    bounds.require(principal, scope(role), draft.name, draft.tags)
    with transaction.atomic():
        key = _current(role)
        account = _account(key)
        claims = _read(account.claims)
        template = signing.template_of(claims, key)
        if template is None:
            raise IdentityError(f"“{account.name}” has no such role (any more).")
        pair = None if draft.public_key else KeyPair.create(KeyKind.USER)
        identity = PublicKey.parse(draft.public_key, KeyKind.USER) if pair is None else pair.public
        names.check_name(draft.name)
        _refuse_account(account, claims, template)
        refuse_unsafe(template, draft.name, draft.tags)
        _refuse_template(template, claims, identity.text, draft)
        iat = _iat(account, claims, identity.text if pair is None else "")
        lifetime = issuing_terms.of(key).lifetime(draft.lifetime)
        user = Claims(
            nats=UserBody(limits=UserPermissionLimits(), issuer_account=account.public_key, tags=draft.tags),
            sub=identity.text,
            name=draft.name,
            exp=iat + lifetime,
        )
        changes.refuse_invalid(changes.check(user, None, now=iat))
        with signing.signer_for(key) as signer:
            token = codec.encode_checked(user, signer, iat)
        text = ""
        if pair is not None:
            text = creds_format.format_creds(token.text, pair)
            pair.wipe()
        _note(principal, key, account, token, template)
    return ShortLived(
        name=draft.name,
        public_key=identity.text,
        jwt=token.text,
        creds=text,
        expires=iat + lifetime,
        lifetime=lifetime,
    )


def scope(role: Key) -> Scope:
    """Where a role stands, for policy."""
    return Scope(operator=role.operator_id, account=role.account_id, signing_key=role.pk)


def refuse_unsafe(template: UserPermissionLimits, name: str, tags: Sequence[str]) -> None:
    """Refuse a name or tag that would become more than one token of a subject, where the template pastes it into one.

    Raises: IdentityError.
    """
    used = templates.operations_of(template)
    if "name()" in used and (told := names.name_warnings(name)):
        raise IdentityError(f"This name can't be given: {told[0]}.", field="name")
    for tag in tags:
        if f"tag({tag.partition(':')[0].lower()})" in used and (told := names.tag_warnings(tag)):
            raise IdentityError(f"This tag can't be given: {told[0]}.", field="tags")


def _current(role: Key) -> Key:
    """The role as it is now, with all that is needed of its account."""
    found = issuing_roles.by_id(role.pk)
    if found is None:
        raise IdentityError("There is no such role (any more).")
    return found


def _account(key: Key) -> Account:
    if key.account is None:
        raise IdentityError("There is no such role (any more).")
    return key.account


@lru_cache(maxsize=32)
def _read(payload: str) -> Claims[AccountBody]:
    """The claims of an account, which never change: reading a long list of revocations takes its time."""
    return codec.from_payload(payload)


def _refuse_account(account: Account, claims: Claims[AccountBody], template: UserPermissionLimits) -> None:
    now = clock.unix()
    if claims.exp and claims.exp <= now:
        raise IdentityError(f"“{account.name}” has expired: servers let none of its users in.")
    if template.bearer_token and claims.nats.limits.disallow_bearer:
        raise IdentityError(
            f"The role makes bearer users, which “{account.name}” forbids. Change one of the two first."
        )


def _refuse_template(
    template: UserPermissionLimits, claims: Claims[AccountBody], public_key: str, draft: ShortLivedDraft
) -> None:
    """What a server makes of the role for this user: a refused login, or a user who may do nothing, is no creds."""
    became = templates.expand_template(
        template, draft.name, public_key, claims.name, claims.sub, draft.tags, claims.nats.tags
    )
    for what, asked, left in (("publish", template.pub, became.pub), ("subscribe", template.sub, became.sub)):
        if asked.allow and not left.allow:
            raise templates.LoginRefused(
                f"With these tags nothing is left of what the role allows to {what}: it says {', '.join(asked.allow)}. "
                "Give the tags that it names.",
                field="tags",
            )


def _iat(account: Account, claims: Claims[AccountBody], own: str) -> int:
    """When it is issued: after a revocation of all users of just now, and after what the caller's `own` key had."""
    now = clock.unix()
    everyone = claims.nats.revocations.get(EVERYONE, 0)
    iat = signing.past_revocation(now, everyone)
    if iat <= everyone:
        raise IdentityError(f"All users of “{account.name}” are revoked until later than now.")
    if not own:
        return iat
    if own in claims.nats.revocations:
        raise IdentityError(f"{own} is revoked in “{account.name}”: use a new key.", field="public_key")
    issuing.refuse_taken_keys(account, [own])
    return signing.iats_of([own], iat, {}).get(own, iat)


def _note(
    principal: Principal, key: Key, account: Account, token: codec.Token, template: UserPermissionLimits
) -> None:
    claims = token.claims
    entry = signing.ledger_row(
        token,
        principal=principal,
        operator=account.operator,
        reason=REASON,
        credential=columns.is_credential(claims, template),
    )
    bulk.save(entry)
    given = handovers.Given(
        operator=account.operator_id,
        account=account.pk,
        token=entry.pk,
        kind="user",
        subject=claims.sub,
        name=claims.name,
        role=key.role,
        issuer=claims.iss,
        iat=claims.iat,
        exp=claims.exp,
    )
    handovers.record(principal, handovers.Way.SHORT_LIVED, [given])
    user = audit.Target(
        kind="user", key=claims.sub, name=claims.name, operator_key=account.operator.public_key
    )
    audit.record(
        principal,
        Action.CREDS_ISSUE,
        [accounts.target(account), issuing_terms.target(key), user],
        f"Issued creds of {issuing_terms.called(key)} of “{account.name}” to “{claims.name}” for "
        f"{claims.exp - claims.iat:,} s",
    )
