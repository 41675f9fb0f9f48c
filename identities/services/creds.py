"""Hands out what a client logs in with: creds files, bearer JWTs, `nats` contexts. Each is audited before it leaves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.db import transaction

from identities.claims.drafts import UserDraft
from identities.errors import IdentityError
from identities.formats import creds as creds_format
from identities.models import Account, Key, User
from identities.nkeys import KeyPair
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.services import accounts, audit, handovers, kept_out, secrets, signing
from identities.services import users as users_service


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
        NoSeed: the user was added with its public key only. Suspended.
    """
    decisions.require(principal, Action.CREDS_DOWNLOAD, users_service.scope(user))
    kept_out.refuse(user)
    with transaction.atomic():
        handout = file_of(user, key_of(user))
        handovers.record(principal, handovers.Way.CREDS, handovers.of_users([user]))
        _audit(principal, Action.CREDS_DOWNLOAD, user, f"Handed out the creds of user “{user.name}”")
    return handout


def key_of(user: User) -> Key:
    """The key whose seed the user's creds hold.

    Raises:
        NoSeed: it is not here.
    """
    key = Key.objects.filter(user=user, public_key=user.public_key, deleted_at=None).first()
    if key is None or key.sealed is None or user.token is None:
        raise NoSeed(
            f"The seed of “{user.name}” is not here (it was added with its public key only): whoever holds the "
            "seed puts it together with the JWT, which you can download."
        )
    return key


def creds_files(*, principal: Principal, account: Account, users: Sequence[User]) -> list[Handout]:
    """The creds files of several users of one account, audited as one event; users without a seed here and
    suspended ones are left out.

    `users` carry their current token (`select_related("token")`).
    """
    decisions.require(principal, Action.CREDS_DOWNLOAD, accounts.scope(account))
    by_id = {
        user.pk: user
        for user in users
        if user.account_id == account.pk and user.token is not None and user.suspended_at is None
    }
    files: list[Handout] = []
    with transaction.atomic():
        given = []
        for key in _keys_with_seed(list(by_id)):
            holder = by_id[key.user_id or 0]
            if key.public_key == holder.public_key:
                files.append(file_of(holder, key))
                given.append(holder)
        handovers.record(principal, handovers.Way.ACCOUNT, handovers.of_users(given))
        targets = [users_service.target(user, account) for user in by_id.values()]
        summary = f"Handed out the creds of {len(files)} users of “{account.name}”"
        audit.record(principal, Action.CREDS_DOWNLOAD, [accounts.target(account), *targets], summary)
    return files


def issue(*, principal: Principal, account: Account, drafts: Sequence[UserDraft]) -> list[Handout]:
    """Make users and hand out their creds at once, while their keys are at hand: no seed is opened again.

    Raises: see `users.create_many`.
    """
    decisions.require(principal, Action.CREDS_DOWNLOAD, accounts.scope(account))
    files: list[Handout] = []

    def take(name: str, jwt: str, pair: KeyPair) -> None:
        files.append(Handout(filename=f"{name}.creds", text=creds_format.format_creds(jwt, pair)))

    with transaction.atomic():
        made = users_service.create_many(principal=principal, account=account, drafts=drafts, take=take)
        given = handovers.of_users(user for user in made if user.has_seed)
        handovers.record(principal, handovers.Way.NEW, given)
        targets = [users_service.target(user, account) for user in made if user.has_seed]
        summary = f"Handed out the creds of {len(files)} new users of “{account.name}”"
        audit.record(principal, Action.CREDS_DOWNLOAD, [accounts.target(account), *targets], summary)
    return files


def _keys_with_seed(user_ids: list[int]) -> Iterator[Key]:
    for start in range(0, len(user_ids), 500):
        part = user_ids[start : start + 500]
        yield from Key.objects.filter(user_id__in=part, deleted_at=None, sealed__isnull=False)


def file_of(user: User, key: Key) -> Handout:
    """The creds file itself; whoever calls notes and audits the hand-over in the same transaction."""
    if user.token is None or key.sealed is None:
        raise NoSeed(f"There is nothing to write the creds of “{user.name}” from.")
    with (
        signing.token_text(user.token) as jwt,
        secrets.opened(key.sealed, table="key", public_key=user.public_key, purpose="seed") as seed,
    ):
        return Handout(filename=f"{user.name}.creds", text=creds_format.format_creds(jwt, seed))


def user_jwt(*, principal: Principal, user: User) -> Handout:
    """The user's current JWT alone. A bearer user's is a credential: only for administrators, and audited.

    Raises: Suspended.
    """
    action = Action.BEARER_DOWNLOAD if user.jwt_is_secret else Action.JWT_DOWNLOAD
    decisions.require(principal, action, users_service.scope(user))
    kept_out.refuse(user)
    if user.token is None:
        raise IdentityError(f"“{user.name}” has no JWT yet.")
    with transaction.atomic():
        with signing.token_text(user.token) as text:
            handout = Handout(filename=f"{user.name}.jwt", text=text)
        if user.jwt_is_secret:
            handovers.record(principal, handovers.Way.BEARER, handovers.of_users([user]))
            _audit(principal, action, user, f"Handed out the bearer JWT of user “{user.name}”")
    return handout


def _audit(principal: Principal, action: Action, user: User, summary: str) -> None:
    audit.record(principal, action, [users_service.target(user, user.account)], summary)
