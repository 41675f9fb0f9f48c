"""Fills users and roles from presets, remembers from which, and renews what an older version filled."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from django.db.models import QuerySet

from identities.claims import comparing, presets
from identities.claims.account import AccountBody
from identities.claims.comparing import Party
from identities.claims.drafts import RoleDraft, UserEdit
from identities.claims.effective import effective_permissions
from identities.claims.permissions import UserPermissionLimits
from identities.claims.presets import Filled, Preset
from identities.errors import IdentityError
from identities.models import Account, Filling, Mode, User
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.queries import reach
from identities.services import accounts, audit, changes, clock, four_eyes, secrets, signing_keys, users
from identities.services.proposing import guarded

MOST = 500
"""How many users and roles are renewed at once."""
CHANGED_SINCE = "It was changed by hand since: fill it in on its own page, where what goes is shown."
Values = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewed:
    """How many were renewed, and who was not and why."""

    done: int
    left: tuple[tuple[str, str], ...]


def plan_user(user: User, filled: Filled) -> changes.Change:
    """What filling a user would change, and what it may no longer do then.

    Raises: IdentityError: a role issued it, or what `users.plan_edit` refuses.
    """
    if user.pub_mode == Mode.ROLE:
        raise IdentityError(
            f"A role issued “{user.name}”: fill the role instead, which says what all its users may do at once."
        )
    claims = changes.claims_of(user)
    limits: UserPermissionLimits = claims.nats.limits
    after = filled.over(limits)
    change = users.plan_edit(
        user,
        UserEdit(
            name=user.name, limits=after, tags=claims.nats.tags, expires=claims.exp, not_before=claims.nbf
        ),
    )
    if change.is_empty:
        return change
    return replace(
        change, consequences=(*change.consequences, *_lost(user.name, user.account, limits, after))
    )


def plan_role(account: Account, role: str, filled: Filled) -> changes.Change:
    """What filling a role's template would change, for whom, and what its users may no longer do.

    Raises: IdentityError: no such role, or what `signing_keys.plan_edit` refuses.
    """
    entry = signing_keys.entry_of(account, role)
    held = entry.template or UserPermissionLimits.unlimited()
    after = filled.over(held)
    draft = RoleDraft(role=entry.role, description=entry.description, template=after)
    change = signing_keys.plan_edit(account, role, draft)
    if change.is_empty:
        return change
    lost = _lost(entry.role or "the role", account, held, after, template=True)
    return replace(change, consequences=(*change.consequences, *lost))


@guarded
def fill_user(
    *, principal: Principal, user: User, preset: Preset, values: Values, version: int, signer: str = ""
) -> User:
    """Fill a user from the newest version of a preset, re-issue its JWT, and remember it.

    Raises: StaleWrite: somebody else changed it meanwhile. BadPreset. IdentityError: see `plan_user`.
    """
    filled = presets.fill(preset.newest, values)
    decisions.require(principal, Action.USER_EDIT, users.scope(user))
    with changes.transaction_of_one():
        account = changes.locked(user.account, None)
        row = changes.locked(user, version)
        row.account = account
        row.chosen_signer = signer or row.chosen_signer
        change = plan_user(row, filled)
        _remember(principal, account, row, "", preset, values)
        done = _done(preset)
        if change.is_empty:
            told = f"{done} user “{row.name}”, which had these permissions already"
            audit.record(principal, Action.USER_EDIT, [users.target(row, account)], told)
            return row
        return users.commit(row, change, principal=principal, done=f"{done} user")


@guarded
def fill_role(
    *, principal: Principal, account: Account, role: str, preset: Preset, values: Values, version: int
) -> Account:
    """Fill a role's template from the newest version of a preset, re-issue the account's JWT, and remember it.

    Raises: StaleWrite: somebody else changed it meanwhile. BadPreset. IdentityError: see `plan_role`.
    """
    filled = presets.fill(preset.newest, values)
    decisions.require(principal, Action.SIGNING_KEY_EDIT, accounts.scope(account))
    with changes.transaction_of_one():
        row = changes.locked(account, version)
        change = plan_role(row, role, filled)
        _remember(principal, row, None, role, preset, values)
        done = f"{_done(preset)} a role of account"
        if change.is_empty:
            told = f"{done} “{row.name}”, which had these permissions already"
            audit.record(principal, Action.SIGNING_KEY_EDIT, [accounts.target(row)], told)
            return row
        return accounts.commit(row, change, principal=principal, done=done, action=Action.SIGNING_KEY_EDIT)


def renew(*, principal: Principal, preset: Preset, number: int, fillings: Sequence[int]) -> Renewed:
    """Bring users and roles that an older version of `preset` filled to version `number`, its newest; each for itself.

    `fillings` are ids of `Filling`. Whoever was changed by hand since, is suspended or can't be signed here is left.

    Raises: IdentityError: there is a newer version meanwhile, or they are too many.
    """
    if preset.newest.number != number:
        raise IdentityError(f"“{preset.title}” has a newer version meanwhile. Load the page again.")
    if len(fillings) > MOST:
        raise IdentityError(f"At most {MOST} at once: choose fewer.")
    done, left = 0, []
    for row in rows_of(preset, principal).filter(pk__in=fillings):
        try:
            done += _renewed(principal, preset, row)
        except secrets.SealedInstallation:
            raise
        except IdentityError as refused:
            left.append((name_of(row), refused.user_message))
    return Renewed(done=done, left=tuple(left))


def _renewed(principal: Principal, preset: Preset, row: Filling) -> bool:
    """Renew one, in a transaction of its own; what it holds is looked at again once it is locked."""
    if row.number >= preset.newest.number:
        return False
    four_eyes.refuse(principal, row.account.operator)  # one by one, each can be proposed
    values: Values = json.loads(row.given)
    with changes.transaction_of_one():
        account = changes.locked(row.account, None)
        row.account = account
        if row.user is not None:
            row.user = changes.locked(row.user, None)
            row.user.account = account
        if not is_unchanged(preset, row):
            raise IdentityError(CHANGED_SINCE)
        if row.user is not None:
            fill_user(
                principal=principal, user=row.user, preset=preset, values=values, version=row.user.version
            )
        else:
            fill_role(
                principal=principal,
                account=account,
                role=row.role,
                preset=preset,
                values=values,
                version=account.version,
            )
    return True


def rows_of(preset: Preset, principal: Principal) -> QuerySet[Filling]:
    """Whom the principal sees of those that were filled from a preset and are still there.

    Three queries; each account, whose claims may be long, is loaded once.
    """
    rows = Filling.objects.filter(
        reach.below_operator(principal),
        preset=preset.key,
        account__deleted_at=None,
        operator__deleted_at=None,
        user__deleted_at=None,
    )
    return rows.select_related("user").prefetch_related("account__operator").order_by("number", "pk")


def limits_of(row: Filling) -> UserPermissionLimits | None:
    """The permissions and limits that the user or role has now; None: it is gone, or a role issues it now."""
    if row.user is not None:
        limits: UserPermissionLimits = changes.claims_of(row.user).nats.limits
        return limits if row.user.deleted_at is None and row.user.pub_mode != Mode.ROLE else None
    body: AccountBody = changes.claims_of(row.account).nats
    found = next((entry for entry in body.signing_keys if entry.key == row.role and entry.is_scoped), None)
    return found.template if found is not None else None


def of_user(user: User) -> Filling | None:
    """From which preset a user was filled, None: from none; one query."""
    return Filling.objects.filter(user=user).select_related("account__operator", "user").first()


def of_role(account: Account, role: str) -> Filling | None:
    """From which preset a role was filled, None: from none; one query."""
    return (
        Filling.objects.filter(account=account, user=None, role=role)
        .select_related("account__operator")
        .first()
    )


def is_unchanged(preset: Preset, row: Filling) -> bool:
    """Whether the permissions are still those that the preset filled in."""
    edition, held = preset.edition(row.number), limits_of(row)
    if edition is None or held is None:
        return False
    try:
        return presets.fill(edition, json.loads(row.given)).over(held) == held
    except IdentityError:
        return False


def name_of(row: Filling) -> str:
    """What the user or role is called."""
    if row.user is not None:
        return row.user.name
    body: AccountBody = changes.claims_of(row.account).nats
    return next((entry.role for entry in body.signing_keys if entry.key == row.role), "") or row.role


def _remember(
    principal: Principal, account: Account, user: User | None, role: str, preset: Preset, values: Values
) -> None:
    kept = {
        one.name: values[one.name].strip()
        for one in preset.newest.parameters
        if values.get(one.name, "").strip()
    }
    told = {
        "operator_id": account.operator_id,
        "preset": preset.key,
        "number": preset.newest.number,
        "given": json.dumps(kept, ensure_ascii=False),
        "by_name": principal.name,
        "at": clock.now(),
    }
    Filling.objects.update_or_create(account=account, user=user, role=role, defaults=told)


def _done(preset: Preset) -> str:
    return f"Filled from the preset “{preset.title}” version {preset.newest.number}"


def _lost(
    name: str,
    account: Account,
    before: UserPermissionLimits,
    after: UserPermissionLimits,
    *,
    template: bool = False,
) -> tuple[str, ...]:
    defaults = changes.claims_of(account).nats.default_permissions
    was, becomes = (
        Party(
            name=name,
            limits=limits,
            effective=effective_permissions(limits, defaults, limits if template else None),
        )
        for limits in (before, after)
    )
    return comparing.lost(was, becomes)
