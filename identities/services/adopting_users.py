"""Takes over users of an account by their JWTs, in bulk; see `adopting`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.db.models import F

from identities.claims import codec, trust
from identities.claims.account import AccountBody
from identities.claims.common import Claims
from identities.claims.scopes import SigningKey
from identities.claims.user import UserBody
from identities.errors import IdentityError
from identities.models import Account, Key, User
from identities.nkeys import KeyKind
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.services import accounts, adopting, audit, changes, clock, columns, issuing, signing, users
from identities.services.adopting import NO_SEEDS, Adopted, Seeds

_AT_ONCE = 500


def adopt_users(
    *, principal: Principal, account: Account, texts: Sequence[str], seeds: Seeds = NO_SEEDS
) -> list[Adopted[User]]:
    """Take over users by their JWTs, all or none, in the order given; some thousands at a time are fine.

    A user that the account does not stand behind (its signing key was removed, say) comes in with that as a finding;
    one that names another account is refused.

    Raises: see `adopting.adopt_operator`; the message says which JWT, name or key.
    """
    decisions.require(principal, Action.JWT_ADOPT, accounts.scope(account))
    tokens = [_read(text, number, len(texts)) for number, text in enumerate(texts, 1)]
    if not tokens:
        return []
    with changes.transaction_of_one():
        parent = changes.locked(account, None)
        claims: Claims[AccountBody] = changes.claims_of(parent)
        for token in tokens:
            _refuse_elsewhere(parent, claims.nats, token.claims)
        _refuse_taken(parent, [token.claims for token in tokens])
        known = {key.key: key for key in claims.nats.signing_keys}
        last = signing.last_iats([token.claims.sub for token in tokens])
        ready = [_ready(token, known, last, seeds) for token in tokens]
        made = issuing.insert(principal, parent, ready, now=clock.unix(), imported=True)
        Account.objects.filter(pk=parent.pk).update(user_count=F("user_count") + len(made))
        what = f"user “{made[0].name}”" if len(made) == 1 else f"{len(made)} users"
        audit.record(
            principal,
            Action.JWT_ADOPT,
            [accounts.target(parent), *(users.target(user, parent) for user in made)],
            f"Imported {what} of “{parent.name}”",
        )
    return [
        Adopted(row=row, findings=adopting.findings(token.claims, *_refusals(parent, claims, token.claims)))
        for row, token in zip(made, tokens, strict=True)
    ]


def _read(text: str, number: int, count: int) -> codec.Token:
    try:
        return adopting.read(text, KeyKind.USER)
    except IdentityError as refused:
        which = f"JWT {number} of {count}: " if count > 1 else ""
        raise IdentityError(f"{which}{refused.user_message}", field="text") from None


def _ready(
    token: codec.Token, known: Mapping[str, SigningKey], last: Mapping[str, int], seeds: Seeds
) -> issuing.Ready:
    claims: Claims[UserBody] = token.claims
    role = known.get(claims.iss)
    return issuing.Ready(
        limits=claims.nats.limits,
        public_key=claims.sub,
        sealed_seed=adopting.sealed_seed(seeds, claims.sub),
        token=token,
        credential=columns.is_credential(claims, None if role is None else role.template),
        scoped=role is not None and role.is_scoped,
        last_iat=last.get(claims.sub, 0),
    )


def _refuse_elsewhere(account: Account, body: AccountBody, claims: Claims[UserBody]) -> None:
    """Raise when a user's JWT says that it is another account's."""
    belongs = claims.nats.issuer_account or claims.iss
    if belongs != account.public_key and trust.signing_key(body, belongs) is None:
        raise IdentityError(
            f"User “{columns.name_of(claims)}” belongs to the account {belongs}, not to “{account.name}”.",
            field="text",
        )


def _refusals(account: Account, parent: Claims[AccountBody], claims: Claims[Any]) -> Iterator[str]:
    """Why servers refuse the user for its issuer's sake."""
    if not trust.did_sign(parent, claims):
        if trust.signing_key(parent.nats, claims.iss) is not None:
            yield f"signed by a signing key without naming account “{account.name}” as issuer_account"
        else:
            yield f"signed by {claims.iss}, which is no key of account “{account.name}” (any more)"
    elif account.operator.strict and claims.iss == account.public_key:
        yield f"signed by the identity key of “{account.name}”, while its operator requires signing keys"
    role = trust.signing_key(parent.nats, claims.iss)
    if role is not None and role.is_scoped:
        yield from trust.scoped_signer_issues(role, claims)


def _refuse_taken(account: Account, wanted: Sequence[Claims[UserBody]]) -> None:
    """Raise when a name or key is in use, was that of a deleted user, or was brought twice."""
    for what, given in (
        ("name", [columns.name_of(claims) for claims in wanted]),
        ("key", [claims.sub for claims in wanted]),
    ):
        twice = [text for text, times in Counter(given).items() if times > 1]
        if twice:
            raise IdentityError(
                f"Two of the users have the {what} “{twice[0]}”. Leave one out.", field="text"
            )
    for start in range(0, len(wanted), _AT_ONCE):
        _refuse_taken_among(account, wanted[start : start + _AT_ONCE])


def _refuse_taken_among(account: Account, wanted: Sequence[Claims[UserBody]]) -> None:
    keys = [claims.sub for claims in wanted]
    held = User.objects.filter(account=account, public_key__in=keys).order_by("-deleted_at").first()
    if held is not None and held.deleted_at is None:
        raise IdentityError(
            f"User “{held.name}” with the key {held.public_key} is here already.", field="text"
        )
    if held is not None:
        raise IdentityError(
            f"{held.public_key} belonged to the deleted user “{held.name}” and may be revoked.", field="text"
        )
    key = Key.objects.filter(operator_id=account.operator_id, public_key__in=keys, deleted_at=None).first()
    if key is not None:
        raise IdentityError(f"{key.public_key} is already a key under this operator.", field="text")
    named = [columns.name_of(claims) for claims in wanted]
    taken = User.objects.live().filter(account=account, name__in=named).first()
    if taken is not None:
        raise IdentityError(
            f"“{account.name}” already has a user named “{taken.name}”, with another key. Rename one of them first.",
            field="text",
        )
