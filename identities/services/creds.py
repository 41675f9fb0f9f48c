"""Hands out what a client logs in with: creds files, bearer JWTs, `nats` contexts. Each is audited before it leaves."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction

from identities.errors import IdentityError
from identities.formats import creds as creds_format
from identities.models import Key, User
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.services import audit, secrets, signing, users


class NoSeed(IdentityError):
    """The user's seed never came here, so no creds file can be written."""

    code = "no-seed"


@dataclass(frozen=True, slots=True)
class Handout:
    """A file for a person to take away; `text` may be a credential and is never logged or kept."""

    filename: str
    text: str


def creds_file(*, principal: Principal, user: User) -> Handout:
    """The user's current creds file, as nsc writes it.

    Raises:
        NoSeed: the user was added with its public key only.
    """
    decisions.require(principal, Action.CREDS_DOWNLOAD, users.scope(user))
    with transaction.atomic():
        key = Key.objects.filter(user=user, public_key=user.public_key, deleted_at=None).first()
        if key is None or key.sealed is None or user.token is None:
            raise NoSeed(
                f"The seed of “{user.name}” is not here (it was added with its public key only): whoever holds the "
                "seed puts it together with the JWT, which you can download."
            )
        with (
            signing.token_text(user.token) as jwt,
            secrets.opened(key.sealed, table="key", public_key=key.public_key, purpose="seed") as seed,
        ):
            text = creds_format.format_creds(jwt, seed)
        _audit(principal, Action.CREDS_DOWNLOAD, user, f"Handed out the creds of user “{user.name}”")
    return Handout(filename=f"{user.name}.creds", text=text)


def user_jwt(*, principal: Principal, user: User) -> Handout:
    """The user's current JWT alone. A bearer user's is a credential: only for administrators, and audited."""
    action = Action.BEARER_DOWNLOAD if user.bearer else Action.JWT_DOWNLOAD
    decisions.require(principal, action, users.scope(user))
    if user.token is None:
        raise IdentityError(f"“{user.name}” has no JWT yet.")
    with transaction.atomic():
        with signing.token_text(user.token) as text:
            handout = Handout(filename=f"{user.name}.jwt", text=text)
        if user.bearer:
            _audit(principal, action, user, f"Handed out the bearer JWT of user “{user.name}”")
    return handout


def _audit(principal: Principal, action: Action, user: User, summary: str) -> None:
    audit.record(principal, action, [users.target(user, user.account)], summary)
