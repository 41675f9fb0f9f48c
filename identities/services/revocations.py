"""What can be done with an account's revocations beside adding to them: clear one, and compact them.

Revoking itself is `accounts.revoke`. None of it is blocked by what else is wrong with the account.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from django.db.models import Max

from identities.claims import codec, segments
from identities.claims.report import Report
from identities.claims.revocations import EVERYONE, Verdict, verdict
from identities.errors import IdentityError
from identities.models import Account, User
from identities.nkeys import KeyKind, is_public
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.services import accounts, audit, changes, clock, revocation_effects, signing
from identities.services.proposing import guarded

MOST_BYTES = segments.MAX_TOKEN_SIZE
"""The Go library refuses a longer JWT; nsc and nscweb push it in one message, which `max_payload` (1 MB) ends too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compaction:
    """What compacting would do: the change, and how many entries go or stay for which reason."""

    change: changes.Change
    verdicts: Mapping[Verdict, int]

    @property
    def dropped(self) -> int:
        """How many entries go."""
        return sum(number for why, number in self.verdicts.items() if why.drops)


def entries_for(account: Account, *, user: str = "", at: int = 0) -> dict[str, int]:
    """The entries that revoke `user` (a name or a public key; "" = all users) up to `at` (0 = now).

    Now is as late as every JWT that is known here: one may be a few seconds ahead. A user whose JWT is dated further
    into the future gets an entry of its own beside the one for all users, which would shut out everybody until then.

    Raises:
        IdentityError: no user of that name, or several deleted ones.
    """
    users, now = User.objects.filter(account=account), clock.unix()
    if user:
        key = user if is_public(user, KeyKind.USER) else _key_named(account, user)
        return {key: at or max([now, *users.filter(public_key=key).values_list("last_iat", flat=True)])}
    if at:
        return {EVERYONE: at}
    soon = users.filter(last_iat__lte=now + signing.MOST_AHEAD).aggregate(last=Max("last_iat"))["last"]
    everyone = max(now, soon or 0)
    later = users.filter(last_iat__gt=everyone).values_list("public_key", "last_iat")
    return {EVERYONE: everyone, **dict(later)}


def _key_named(account: Account, name: str) -> str:
    named = User.objects.filter(account=account, name=name)
    live = named.live().first()
    if live is not None:
        return live.public_key
    gone = list(named.order_by("-deleted_at").values_list("public_key", flat=True)[:5])
    if len(gone) == 1:
        return gone[0]
    if gone:
        keys = ", ".join(gone)
        raise IdentityError(f"Several deleted users were called “{name}”: give the key. {keys}", field="user")
    raise IdentityError(
        f"“{account.name}” has and had no user “{name[:80]}”. Write its name exactly, or its public key (U…).",
        field="user",
    )


def plan_revoke(account: Account, entries: Mapping[str, int], *, asked: int = 0) -> changes.Change:
    """What `accounts.revoke` would change; entries that are already later stay. `asked` is 0 where now is meant."""
    held = changes.claims_of(account).nats.revocations
    merged = {**held, **{key: max(at, held.get(key, 0)) for key, at in entries.items()}}
    change = _planned(account, merged)
    if change.is_empty:
        return change
    return replace(change, consequences=revocation_effects.of_revoking(account, entries, asked))


def plan_clear(account: Account, key: str, *, keep_deleted: bool = True) -> changes.Change:
    """What `clear` would change; nothing when there is no such entry."""
    held = changes.claims_of(account).nats.revocations
    left = {known: at for known, at in held.items() if known != key}
    if key not in held:
        return _planned(account, left)
    kept_out: list[str] = []
    if key == EVERYONE and keep_deleted:
        kept_out = _deleted_under(account, held[key], left)
    change = _planned(account, {**dict.fromkeys(kept_out, held[key]), **left})
    lines = revocation_effects.of_clearing(account, held, key, kept_out=len(kept_out))
    return replace(change, consequences=lines)


@guarded
def clear(
    *, principal: Principal, account: Account, key: str, version: int, keep_deleted: bool = True
) -> Account:
    """Drop one entry: JWTs that it refused work again, unless the entry for all users covers them.

    When that one is cleared, `keep_deleted` gives deleted users entries of their own in its place.

    Raises:
        StaleWrite: somebody else changed the account meanwhile.
    """
    return _rewrite(
        principal=principal,
        account=account,
        plan=lambda row: plan_clear(row, key, keep_deleted=keep_deleted),
        version=version,
        reason=f"Cleared the revocation of {'all users' if key == EVERYONE else key}",
    )


def plan_compact(account: Account) -> Compaction:
    """What `compact` would change, and why each entry goes or stays."""
    held = changes.claims_of(account).nats.revocations
    found = verdicts(account)
    left = {key: at for key, at in held.items() if not found[key].drops}
    return Compaction(change=_planned(account, left), verdicts=Counter(found.values()))


@guarded
def compact(*, principal: Principal, account: Account, version: int) -> Account:
    """Drop the entries whose going lets nobody in again.

    Raises:
        StaleWrite: somebody else changed the account meanwhile.
    """
    return _rewrite(
        principal=principal,
        account=account,
        plan=lambda row: plan_compact(row).change,
        version=version,
        reason="Compacted the revocations",
    )


def verdicts(account: Account) -> dict[str, Verdict]:
    """For each entry of the account whether it may be dropped: the one place that decides."""
    held = changes.claims_of(account).nats.revocations
    known, now = revocation_effects.jwts_of(held), clock.unix()
    everyone = held.get(EVERYONE, 0)
    suspended = User.objects.live().filter(account=account).exclude(suspended_at=None)
    kept_out = frozenset(suspended.values_list("public_key", flat=True))
    return {
        key: Verdict.SUSPENDED
        if key in kept_out
        else verdict(key, at, everyone=everyone, issued=known.get(key, ()), now=now)
        for key, at in held.items()
    }


def token_size(claims: changes.AnyClaims) -> int:
    """How many bytes the JWT of these claims has, or will have once it is signed."""
    signature = len(segments.encode(bytes(64)))
    return (
        len(segments.HEADER_SEGMENT)
        + len(segments.encode(codec.payload_text(claims).encode()))
        + signature
        + 2
    )


def _deleted_under(account: Account, at: int, left: Mapping[str, int]) -> list[str]:
    """The keys of deleted users whose JWTs only the entry for all users, up to `at`, refuses."""
    gone = User.objects.filter(account=account, last_iat__lte=at).exclude(deleted_at=None)
    live = set(User.objects.live().filter(account=account).values_list("public_key", flat=True))
    keys = dict.fromkeys(gone.order_by("pk").values_list("public_key", flat=True))
    return [key for key in keys if key not in left and key not in live]


def _planned(account: Account, revocations: Mapping[str, int]) -> changes.Change:
    """The change with the findings on revocations alone."""
    change = changes.plan(account, changes.edit_body(revocations=revocations), now=clock.unix())
    return replace(
        change, report=Report.of(one for one in change.report if one.path.startswith("nats.revocations"))
    )


def _rewrite(
    *,
    principal: Principal,
    account: Account,
    plan: Callable[[Account], changes.Change],
    version: int,
    reason: str,
) -> Account:
    decisions.require(principal, Action.REVOCATION_EDIT, accounts.scope(account))
    with changes.transaction_of_one():
        row = changes.locked(account, version)
        change = plan(row)
        if change.is_empty:
            return row
        row = changes.commit(row, change, principal=principal, key=accounts.signer(row), reason=reason)
        number = len(change.before.nats.revocations) - len(change.after.nats.revocations)
        summary = f"{reason} in “{row.name}”: {abs(number):,} {'fewer' if number > 0 else 'more'}"
        audit.record(principal, Action.REVOCATION_EDIT, [accounts.target(row)], summary, changes=change.diff)
    return row
