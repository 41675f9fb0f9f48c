"""What taking back would do, as strings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from identities.services import revocations
from identities.services.taking_back import NAMED
from identities.services.taking_back_plans import AccountPlan, Done, Plan, RoleShare
from identities.views import shown


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleOffer:
    """A role that could get another key: what it would spare, and what it costs."""

    key: str
    name: str
    text: str
    chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRow:
    """One account: what is revoked, how large its JWT becomes, and who is hit besides."""

    name: str
    url: str
    keys: str
    entries: str
    size: str
    heavy: bool
    lines: tuple[str, ...]
    roles: tuple[RoleOffer, ...]
    refusal: str


def context(plan: Plan) -> dict[str, Any]:
    """What the template prints."""
    rows = tuple(map(_row, plan.accounts))
    return {
        "name": plan.name,
        "accounts": rows,
        "offers": any(row.roles for row in rows),
        "workable": bool(plan.workable),
        "seeds": tuple(
            f"the {seed.kind} key {shown.short(seed.subject)} ({seed.name})" for seed in plan.seeds
        ),
        "left": ", ".join(f"“{name}”" for name in plan.left),
    }


def said(name: str, done: Done) -> str:
    """What was done, for the message above the next page."""
    where = shown.plural(done.accounts, "account")
    text = f"Revoked all that {name} received: {shown.plural(done.revoked, 'key')} in {where}."
    return f"{text} The worker signs the users of the role anew." if done.jobs else text


def _row(one: AccountPlan) -> AccountRow:
    before, after = one.size_before / revocations.MOST_BYTES, one.size_after / revocations.MOST_BYTES
    return AccountRow(
        name=f"{one.account.operator.name} / {one.account.name}",
        url=shown.account_url("account", one.account),
        keys=shown.plural(len(one.held), "key"),
        entries=shown.plural(len(one.entries), "new revocation"),
        size=f"{one.size_before:,} → {one.size_after:,} bytes ({before:.1%} → {after:.1%} of what servers take)",
        heavy=after > 0.5,
        lines=tuple(_lines(one)),
        roles=tuple(
            RoleOffer(
                key=share.key,
                name=share.name,
                text=_offer(share),
                chosen=share in one.replaced,
            )
            for share in one.offered
        ),
        refusal=one.refusal,
    )


def _lines(one: AccountPlan) -> list[str]:
    lines = []
    if one.users:
        whose = "this user" if len(one.users) == 1 else "these users"
        lines.append(
            f"{_named(one.users)}: nobody comes in with the creds of {whose} any more. Whoever still should needs new "
            f"creds: give {whose} new keys."
        )
    if one.others:
        lines.append(f"The same creds were handed out to {_named(one.others)}, too.")
    if one.connected:
        lines.append(f"{shown.plural(one.connected, 'key')} of these connected now, as far as servers told.")
    return lines


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return ", ".join(f"“{name}”" for name in names[:NAMED]) + more


def _offer(share: RoleShare) -> str:
    """What another key of a role would spare, and whom it would cost something."""
    kept = {
        0: "no user kept here has the role",
        1: "the 1 user kept here would be signed anew and need new creds",
    }
    text = kept.get(
        share.users, f"the {share.users:,} users kept here would be signed anew and need new creds"
    )
    spared = shown.plural(share.entries, "revocation")
    return f"Spares {spared}; {text}. All short-lived creds of the role end, whoever has them."
