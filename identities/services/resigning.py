"""Signs users anew in bulk, a chunk a transaction: after their account got another key, or for another signing key.

Nobody comes back by it: who is revoked stays revoked, and who was deleted is left out. A revoked user's new JWT is
issued within the time that its revocation covers (spec §9.1: signing again raises `iat`, which would lift it).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from django.db import transaction
from django.db.models import QuerySet

from identities.claims import codec, trust
from identities.claims.account import AccountBody
from identities.claims.common import Claims
from identities.claims.user import UserBody
from identities.errors import IdentityError
from identities.models import Account, IssuedToken, Key, Mode, Purpose, User
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.services import accounts, audit, bulk, changes, clock, columns, four_eyes, signing, users

CHUNK = 500
TOO_SOON = (
    "Signed too often within seconds, or dated ahead by a clock that is wrong: a later JWT must not look older. Do it "
    "again in a minute."
)
_MISFIT = "A role's users need a role as their key, all others a plain key: by this one they would lose their rights."
_COLUMNS = ("claims", "token_id", "issuer", "last_iat", "bearer", "version", "updated_at", "updated_by")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which users of an account are signed anew, by which key.

    `old`: those that stood behind the account while it had this key. `source` and `target`: those that this key
    issued, by that key.
    """

    old: str = ""
    source: str = ""
    target: str = ""

    def rows(self, account: Account) -> QuerySet[User]:
        """The users to look at, in order."""
        rows = User.objects.live().filter(account=account).order_by("pk")
        return rows.filter(issuer=self.source) if self.source else rows

    def takes(self, account: Claims[AccountBody], user: Claims[UserBody]) -> bool:
        """Whether this user is one of them, by its claims."""
        if self.source:
            return user.iss == self.source
        if user.iss == self.old:
            return True
        return user.nats.issuer_account == self.old and trust.signing_key(account.nats, user.iss) is not None


@dataclass(frozen=True, slots=True)
class Left:
    """What was not signed, and why."""

    name: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """What became of a chunk: the id of its last row, what was signed, and what was left as it was."""

    last: int
    signed: tuple[audit.Target, ...]
    left: tuple[Left, ...]


@dataclass(frozen=True, slots=True)
class _Signed:
    user: User
    token: codec.Token
    credential: bool


def sign_chunk(
    *, principal: Principal, account: Account, wanted: Wanted, after: int = 0, reason: str
) -> Chunk | None:
    """Sign the next users behind the one with id `after`; None when there are none left. It may be run again.

    Raises:
        StaleWrite: the account was deleted. NoSigner: the key to sign with is not here (any more).
    """
    with transaction.atomic():
        chunk = sign_unaudited(
            principal=principal, account=account, wanted=wanted, after=after, reason=reason
        )
        if chunk is not None and chunk.signed:
            summary = f"{reason}: signed {len(chunk.signed)} users of “{account.name}” anew"
            targets = [accounts.target(account), *chunk.signed]
            audit.record(principal, Action.ACCOUNT_REISSUE, targets, summary)
    return chunk


def sign_unaudited(
    *, principal: Principal, account: Account, wanted: Wanted, after: int, reason: str
) -> Chunk | None:
    """The work of `sign_chunk`, for a service that audits a larger whole; runs in its transaction."""
    row = changes.locked(account, None)
    four_eyes.refuse(principal, row.operator)
    found = list(wanted.rows(row).filter(pk__gt=after).select_for_update(no_key=True)[:CHUNK])
    if not found:
        return None
    claims = changes.claims_of(row)
    mine = [
        (user, held)
        for user, held in ((user, changes.claims_of(user)) for user in found)
        if wanted.takes(claims, held)
    ]
    row = _keep_revoked(principal, row, claims, mine, reason)
    signed, left = _sign(row, wanted, mine)
    _store(principal, row, signed, reason)
    targets = tuple(users.target(one.user, row) for one in signed)
    return Chunk(last=found[-1].pk, signed=targets, left=left)


def revocations_needed(
    revocations: Mapping[str, int], rows: Iterable[tuple[str, int, int | None]]
) -> dict[str, int]:
    """The entries without which a revoked user would come back when it is signed anew.

    `rows`: public key, latest `iat` ever, and that of the current JWT.
    """
    everybody = revocations.get("*", 0)
    needed = {}
    for key, last_iat, iat in rows:
        revoked_at = max(revocations.get(key, 0), everybody)
        if iat is not None and iat <= revoked_at <= last_iat:
            needed[key] = last_iat + 1
    return needed


def signer_of(account: Account, claims: Claims[AccountBody], wanted: Wanted, issuer: str) -> Key:
    """The key that signs what `issuer` signed.

    Raises:
        NoSigner: there is none here. IdentityError: `target` is none of the account's keys.
    """
    if wanted.target:
        return signing.user_signer(account, claims, strict=account.operator.strict, chosen=wanted.target)
    return signing.user_signer(account, claims, strict=account.operator.strict, previous=issuer)


def _keep_revoked(
    principal: Principal,
    account: Account,
    claims: Claims[AccountBody],
    mine: Sequence[tuple[User, Claims[UserBody]]],
    reason: str,
) -> Account:
    """Whoever was revoked since the work began, in the very second of their JWT, is revoked for one more."""
    rows = ((user.public_key, user.last_iat, held.iat) for user, held in mine)
    entries = revocations_needed(claims.nats.revocations, rows)
    if not entries:
        return account
    return accounts.revoke_unaudited(principal=principal, account=account, entries=entries, reason=reason)


def _sign(
    account: Account, wanted: Wanted, mine: Sequence[tuple[User, Claims[UserBody]]]
) -> tuple[list[_Signed], tuple[Left, ...]]:
    claims = changes.claims_of(account)
    by_issuer: dict[str, list[tuple[User, Claims[UserBody]]]] = defaultdict(list)
    for user, held in mine:
        by_issuer[held.iss].append((user, held))
    signed: list[_Signed] = []
    left: list[Left] = []
    for issuer, rows in by_issuer.items():
        key = signer_of(account, claims, wanted, issuer)
        template = signing.template_of(claims, key)
        issuer_account = "" if key.public_key == account.public_key else account.public_key
        with signing.signer_for(key) as signer:
            for user, held in rows:
                iat = _iat(user, held, claims.nats.revocations)
                if iat is None or not _fits(user, key):
                    left.append(Left(user.name, TOO_SOON if iat is None else _MISFIT))
                    continue
                body = replace(held.nats, issuer_account=issuer_account)
                token = codec.encode_checked(replace(held, nats=body), signer, iat)
                signed.append(_Signed(user, token, columns.is_credential(token.claims, template)))
    return signed, tuple(left)


def _fits(user: User, key: Key) -> bool:
    """Whether signing by this key leaves the user its rights: a role's by a role, any other by a plain key."""
    return (user.pub_mode == Mode.ROLE) == (key.purpose == Purpose.ROLE)


def _iat(user: User, held: Claims[UserBody], revocations: Mapping[str, int]) -> int | None:
    """When the new JWT is issued; None: it was issued so far ahead of the clock that it can't be yet."""
    if held.iat <= max(revocations.get(user.public_key, 0), revocations.get("*", 0)):
        return user.last_iat + 1  # within what is revoked: see `revocations_needed`
    try:
        return signing.next_iat(user.last_iat, clock.unix())
    except signing.TooSoon:
        return None


def _store(principal: Principal, account: Account, signed: Sequence[_Signed], reason: str) -> None:
    entries = IssuedToken.objects.bulk_create(
        signing.ledger_row(
            one.token,
            principal=principal,
            operator=account.operator,
            reason=reason,
            replaces=one.user.token_id,
            credential=one.credential,
        )
        for one in signed
    )
    moment = bulk.moment(clock.now())
    bulk.update(
        User,
        _COLUMNS,
        [
            (one.token.payload, entry.pk, one.token.claims.iss, one.token.claims.iat, one.credential)
            + (one.user.version + 1, moment, principal.name, one.user.pk)
            for one, entry in zip(signed, entries, strict=True)
        ],
    )


def refuse_other(account: Account, claims: Claims[AccountBody], wanted: Wanted) -> None:
    """Raise unless `target` may sign what `source` signed: a role's users go to a role, others to a plain key.

    Raises:
        IdentityError: it may not; NoSigner: its seed is not here.
    """
    key = signer_of(account, claims, wanted, wanted.source)
    of_role = wanted.rows(account).filter(pub_mode=Mode.ROLE)
    others = wanted.rows(account).exclude(pub_mode=Mode.ROLE)
    misfit = (others if key.purpose == Purpose.ROLE else of_role).first()
    if misfit is None:
        return
    if key.purpose == Purpose.ROLE:
        raise IdentityError(
            f"“{misfit.name}” has permissions or limits of its own, which a role's users must not have. Choose a "
            "plain signing key.",
            field="target",
        )
    raise IdentityError(
        f"“{misfit.name}” was issued by a role and has no rights of its own: a plain key would leave it none. Choose "
        "a role.",
        field="target",
    )
