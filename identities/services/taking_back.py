"""Takes back all that somebody ever received: one plan over all accounts, one new JWT an account, and who is cut off.

A user's key is revoked up to its latest JWT: whoever has the seed may come by a later JWT, as that is no secret. Where
many short-lived creds of one role would each need an entry, the role may get another key instead: what the
old one signed is worthless, and the users that are kept here are signed anew.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from django.db import transaction
from django.db.models import Max, Q

from identities.claims.revocations import EVERYONE
from identities.errors import IdentityError
from identities.models import Account, EventKind, Handover, Job, Key, Purpose, ServerEvent
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.queries import handed_out
from identities.services import (
    accounts,
    audit,
    changes,
    clock,
    kept_out,
    reissue_plans,
    reissuing,
    resigning,
    revocations,
    role_keys,
)
from identities.services.four_eyes import exempted
from identities.services.taking_back_plans import AccountPlan, Done, Held, Plan, RoleShare

OFFERED_FROM = 50
"""So many entries of one role make another key of it worth thinking of."""
NAMED = 5
_CHUNK = 500


def plan(*, principal: Principal, recipient: str, replacing: Collection[str] = ()) -> Plan:
    """What taking back would do; `replacing` are the keys of the roles that get another one."""
    rows = _accepted(principal, recipient)
    by_account: dict[int, list[Any]] = {}
    for row in rows.filter(kind="user").iterator(2000):
        by_account.setdefault(row.account_id, []).append(row)
    found = Account.objects.select_related("operator").in_bulk(list(by_account))
    held = sorted(found.values(), key=lambda one: (one.name, one.pk))
    name = _name(principal, recipient)
    may = [one for one in held if _may(principal, Action.USER_REVOKE, one)]
    return Plan(
        recipient=recipient,
        name=name or recipient,
        known=bool(name),
        accounts=tuple(
            _plan_account(principal, one, _held(by_account[one.pk]), recipient, replacing) for one in may
        ),
        seeds=tuple(rows.exclude(kind="user").select_related("operator", "account")[:_CHUNK]),
        left=tuple(one.name for one in held if one not in may),
    )


@exempted("it locks somebody out, which must not wait")
def take_back(*, principal: Principal, recipient: str, replacing: Collection[str] = ()) -> Done:
    """Do what `plan` says, as things stand now, in one transaction.

    Raises:
        IdentityError: there is nothing (more) to revoke that can be.
    """
    with transaction.atomic():
        foreseen = plan(principal=principal, recipient=recipient, replacing=replacing)
        if not foreseen.workable:
            reasons = [one.refusal for one in foreseen.accounts]
            raise IdentityError(
                reasons[0] if reasons else f"“{foreseen.name}” holds nothing that still works."
            )
        followed = [
            _take_back(principal, one, foreseen.name)
            for one in sorted(foreseen.workable, key=lambda one: one.account.pk)
        ]
    return Done(
        revoked=sum(len(one.held) for one in foreseen.workable),
        accounts=len(foreseen.workable),
        jobs=tuple(job for jobs in followed for job in jobs),
    )


def _accepted(principal: Principal, recipient: str) -> Any:
    """What they received and that still opens something."""
    rows: Any = handed_out.with_state(handed_out.reachable(principal), now=clock.unix())
    rows = rows.filter(recipient=recipient, state__in=handed_out.ACCEPTED).select_related("user")
    return rows.defer("user__claims").order_by("pk")


def _name(principal: Principal, recipient: str) -> str:
    """What they were called when they last received something; "" when they never did."""
    last = handed_out.reachable(principal).filter(recipient=recipient).order_by("-at", "-pk").first()
    return last.recipient_name if last is not None else ""


def _held(rows: Iterable[Any]) -> tuple[Held, ...]:
    found: dict[str, Held] = {}
    for row in rows:
        user = row.user
        same = user is not None and user.public_key == row.subject
        at = max(row.iat, user.last_iat if same else 0, found[row.subject].at if row.subject in found else 0)
        kept = user is not None and user.deleted_at is None
        found[row.subject] = Held(key=row.subject, at=at, issuer=row.issuer, short_lived=not kept)
    return tuple(found.values())


def _plan_account(
    principal: Principal,
    account: Account,
    held: Sequence[Held],
    recipient: str,
    replacing: Collection[str],
) -> AccountPlan:
    may_replace = all(
        _may(principal, action, account) for action in (Action.SIGNING_KEY_EDIT, Action.ACCOUNT_SIGN_ANEW)
    )
    shares = _shares(account, held) if may_replace else ()
    replaced = tuple(share for share in shares if share.key in replacing)
    entries = _entries(account, held, replaced)
    change = _change(account, entries, {share.key: role_keys.NOT_MADE for share in replaced})
    kept = [one.key for one in held if not one.short_lived]
    size = revocations.token_size(change.after)
    made = AccountPlan(
        account=account,
        held=tuple(held),
        replaced=replaced,
        offered=tuple(share for share in shares if share.entries >= OFFERED_FROM or share in replaced),
        entries=entries,
        size_before=revocations.token_size(change.before),
        size_after=size,
        users=tuple(_users(account, kept)),
        others=tuple(_others(account, kept, recipient)),
        connected=_connected([one.key for one in held]),
    )
    return replace(made, refusal=_refusal(account, made))


def _shares(account: Account, held: Sequence[Held]) -> tuple[RoleShare, ...]:
    """The roles whose seed is here with how many entries another key of each would spare, the most first."""
    numbers = Counter(one.issuer for one in held if one.short_lived)
    rows = Key.objects.filter(account=account, user=None, purpose=Purpose.ROLE, deleted_at=None)
    roles = {key.public_key: key for key in rows.exclude(sealed=None).filter(public_key__in=list(numbers))}
    return tuple(
        RoleShare(
            key=key,
            name=roles[key].role or key,
            entries=number,
            users=resigning.Wanted(source=key).rows(account).count(),
        )
        for key, number in numbers.most_common()
        if key in roles
    )


def _entries(account: Account, held: Sequence[Held], replaced: Sequence[RoleShare]) -> dict[str, int]:
    """The entries that are missing; what a replaced key alone stands behind needs none."""
    gone = {share.key for share in replaced}
    revoked: Mapping[str, int] = changes.claims_of(account).nats.revocations
    everyone = revoked.get(EVERYONE, 0)
    return {
        one.key: one.at
        for one in held
        if not (one.short_lived and one.issuer in gone) and max(revoked.get(one.key, 0), everyone) < one.at
    }


def _change(account: Account, entries: Mapping[str, int], keys: Mapping[str, str]) -> changes.Change:
    """The account with these entries more and with other keys of some roles."""
    body = changes.claims_of(account).nats
    merged = {
        **body.revocations,
        **{key: max(at, body.revocations.get(key, 0)) for key, at in entries.items()},
    }
    fields = {"signing_keys": role_keys.renamed(body.signing_keys, keys)} if keys else {}
    return accounts.plan_revocations(account, merged, **fields)


def _refusal(account: Account, made: AccountPlan) -> str:
    try:
        accounts.signer(account)
        if made.replaced:
            reissuing.refuse_while_running(account)
    except IdentityError as refused:
        return refused.user_message
    if made.size_after > revocations.MOST_BYTES:
        return (
            f"The JWT of “{account.name}” would grow to {made.size_after:,} bytes, and servers take "
            f"{revocations.MOST_BYTES:,}: give its roles other keys, or compact its revocations first."
        )
    return ""


def _users(account: Account, keys: Sequence[str]) -> Iterator[str]:
    for part in _parts(keys):
        rows = account.users.filter(public_key__in=part, deleted_at=None).order_by("name")
        yield from rows.values_list("name", flat=True)


def _others(account: Account, keys: Sequence[str], recipient: str) -> list[str]:
    """Who else received creds of these keys."""
    names: set[str] = set()
    for part in _parts(keys):
        rows = Handover.objects.filter(account=account, subject__in=part).exclude(recipient=recipient)
        names.update(rows.values_list("recipient_name", flat=True).distinct())
    return sorted(names)


def _connected(keys: Sequence[str]) -> int:
    """How many of these keys servers last told of as connected, as far as events are kept."""
    number = 0
    came, went = Q(kind=EventKind.CONNECTED), Q(kind=EventKind.DISCONNECTED)
    for part in _parts(keys):
        rows = ServerEvent.objects.filter(user_key__in=part).order_by().values("user_key")
        told = rows.annotate(came=Max("at", filter=came), went=Max("at", filter=went))
        number += sum(
            1
            for row in told
            if row["came"] is not None and (row["went"] is None or row["came"] > row["went"])
        )
    return number


def _take_back(principal: Principal, foreseen: AccountPlan, name: str) -> list[Job]:
    """The work in one account, audited by itself, so that its own people see it."""
    row = changes.locked(foreseen.account, None)
    made = {share.key: role_keys.make(row, share.key) for share in foreseen.replaced}
    keys = {old: new.public_key for old, new in made.items()}
    change = _change(row, foreseen.entries, keys)
    if foreseen.replaced:
        change = _change(row, {**foreseen.entries, **_staying_out(row, change, foreseen.replaced)}, keys)
    if not change.is_empty:
        kept_out.remember(row, foreseen.entries)
        row = accounts.commit_revocations(
            row, change, principal=principal, reason=f"Revoked all that {name} received"
        )
    jobs, signed = list[Job](), list[audit.Target]()
    for share in foreseen.replaced:
        role_keys.carry_over(row, share.key, made[share.key])
        followed = reissuing.follow_users(
            principal=principal,
            account=row,
            wanted=resigning.Wanted(source=share.key, target=keys[share.key]),
            count=share.users,
            reason=role_keys.REASON,
        )
        signed += followed.signed
        jobs += [followed.job] if followed.job is not None else []
    operator_key = row.operator.public_key
    keys_gone = [
        audit.Target(kind="key", key=share.key, name=share.name, operator_key=operator_key)
        for share in foreseen.replaced
    ]
    users = [
        audit.Target(kind="user", key=key, name=key, operator_key=operator_key) for key in foreseen.entries
    ]
    number = len(foreseen.held)
    said = (
        f"Revoked all that “{name}” received in “{row.name}”: {number:,} {'key' if number == 1 else 'keys'}"
    )
    if foreseen.replaced:
        roles = ", ".join(f"“{share.name}”" for share in foreseen.replaced)
        said += f", with another key for the role {roles}"
    audit.record(principal, Action.USER_REVOKE, [accounts.target(row), *keys_gone, *users, *signed], said)
    return jobs


def _staying_out(row: Account, change: changes.Change, replaced: Sequence[RoleShare]) -> dict[str, int]:
    """The entries that keep revoked users out when the new key signs them anew, so that it is one JWT all the same."""
    rows = row.users.filter(deleted_at=None, issuer__in=[share.key for share in replaced])
    return resigning.revocations_needed(
        change.after.nats.revocations, reissue_plans.revoked(rows, change.after)
    )


def _may(principal: Principal, action: Action, account: Account) -> bool:
    return isinstance(decisions.decide(principal, action, accounts.scope(account)), decisions.Allowed)


def _parts(items: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(items), _CHUNK):
        yield items[start : start + _CHUNK]
