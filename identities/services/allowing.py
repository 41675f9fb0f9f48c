"""Lets a user do one task more: publish to a stream, use a bucket, make requests; by adding the subjects it needs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from identities.claims import effective, recipes
from identities.claims.account import AccountBody
from identities.claims.common import Claims
from identities.claims.permissions import Permission, UserPermissionLimits
from identities.claims.recipes import Line, Side, Wish
from identities.claims.subjects import overlaps
from identities.claims.user import UserBody
from identities.errors import IdentityError
from identities.models import Mode, User
from identities.policy.principal import Principal
from identities.services import changes, clock, users
from identities.services.proposing import guarded


@guarded
def allow(*, principal: Principal, user: User, wish: Wish, version: int) -> User:
    """Add the subjects of a task to a user's lists and re-issue its JWT.

    Creds already handed out keep working with their old rights.

    Raises:
        StaleWrite: somebody else changed it meanwhile. BadWish: see `recipes.lines`. IdentityError: a role issued it.
    """
    return users.rewrite(
        principal=principal,
        user=user,
        plan=lambda row: plan_allow(row, wish),
        version=version,
        done=f"Allowed {wish.task}",
    )


def plan_allow(user: User, wish: Wish) -> changes.Change:
    """What allowing a task would change on the user's claims, and what it takes away where nothing was listed before.

    Raises:
        BadWish: see `recipes.lines`. IdentityError: a role issued the user.
    """
    if user.pub_mode == Mode.ROLE:
        raise IdentityError(
            f"A role issued “{user.name}”: what it may do is said by the role's template, for all its users at once.",
            field="task",
        )
    lines = recipes.lines(wish)

    def apply(claims: Claims[UserBody]) -> Claims[UserBody]:
        return replace(claims, nats=replace(claims.nats, limits=recipes.added(claims.nats.limits, lines)))

    change = changes.plan(user, apply, now=clock.unix())
    if change.is_empty:
        return change
    before: UserPermissionLimits = change.before.nats.limits
    after: UserPermissionLimits = change.after.nats.limits
    account: AccountBody = changes.claims_of(user.account).nats
    return replace(change, consequences=tuple(_consequences(user.name, before, after, account, lines)))


def _consequences(
    name: str,
    before: UserPermissionLimits,
    after: UserPermissionLimits,
    account: AccountBody,
    lines: tuple[Line, ...],
) -> Iterator[str]:
    held = effective.effective_permissions(before, account.default_permissions)
    if held.origin == "account":
        yield f"Until now the account's default permissions said what “{name}” may do; its own rules end that."
    elif before.resp is None and after.resp is not None and not after.pub.allow:
        yield f"Until now “{name}” could publish everywhere; then it may publish answers only."
    elif before.resp is None and not before.pub.allow and after.pub.allow:
        yield f"Until now “{name}” could publish everywhere; then only to what is listed."
    if held.origin != "account" and not before.sub.allow and after.sub.allow:
        yield f"Until now “{name}” could subscribe everywhere; then only to what is listed."
    for side, rules in ((Side.PUBLISH, after.pub), (Side.SUBSCRIBE, after.sub)):
        yield from _denied(side, rules, lines)


def _denied(side: Side, rules: Permission, lines: tuple[Line, ...]) -> Iterator[str]:
    for line in lines:
        subject = line.subject.partition(" ")[0]
        for entry in rules.deny:
            if line.side is side and " " not in entry and overlaps(entry, subject):
                yield f"`{entry}` is denied, which takes away from `{subject}`: a deny wins over what is allowed."
