"""What can be done with the exports of an account, and with the activations that they have given out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from identities import lookup
from identities.claims.exports import Export
from identities.claims.report import Report
from identities.errors import IdentityError
from identities.models import Account
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.services import accounts, changes, clock, sharing
from identities.services.four_eyes import exempted
from identities.services.proposing import guarded

EVERYBODY = "*"


@guarded
def add(*, principal: Principal, account: Account, export: Export, version: int) -> Account:
    """Offer a stream or service to other accounts.

    Raises:
        StaleWrite: somebody else changed the account meanwhile. InvalidClaims: what the Go library or nats-server
            refuses.
    """
    return accounts.rewrite(
        principal=principal,
        account=account,
        plan=lambda row: plan_add(row, export),
        version=version,
        done="Added an export to account",
        action=Action.EXPORT_EDIT,
    )


def plan_add(account: Account, export: Export) -> changes.Change:
    """What one more export would change."""
    held = changes.claims_of(account).nats.exports
    return changes.plan(account, changes.edit_body(exports=(*held, export)), now=clock.unix())


@guarded
def edit(*, principal: Principal, account: Account, handle: str, export: Export, version: int) -> Account:
    """Put `export` in the place of the one with this handle. Raises: as `add`; NotFound."""
    return accounts.rewrite(
        principal=principal,
        account=account,
        plan=lambda row: plan_edit(principal, row, handle, export),
        version=version,
        done="Edited an export of account",
        action=Action.EXPORT_EDIT,
    )


def plan_edit(principal: Principal, account: Account, handle: str, export: Export) -> changes.Change:
    """What that would change, and whose imports would stop working."""
    return _planned(principal, account, handle, export)


@guarded
def delete(*, principal: Principal, account: Account, handle: str, version: int) -> Account:
    """Take an export back. Raises: StaleWrite, NotFound."""
    return accounts.rewrite(
        principal=principal,
        account=account,
        plan=lambda row: plan_delete(principal, row, handle),
        version=version,
        done="Deleted an export of account",
        action=Action.EXPORT_EDIT,
    )


def plan_delete(principal: Principal, account: Account, handle: str) -> changes.Change:
    """What that would change, and whose imports would stop working. What else is wrong does not stand in its way."""
    return _lenient(_planned(principal, account, handle, None))


@exempted("it locks somebody out, which must not wait")
def revoke(
    *, principal: Principal, account: Account, handle: str, target: str, at: int, version: int
) -> Account:
    """Refuse the activations of an export that were issued to `target` (an account's key, or `*`) until `at`.

    Never blocked by what else is wrong with the account. Raises: StaleWrite, NotFound; IdentityError: as `plan_revoke`.
    """
    return accounts.rewrite(
        principal=principal,
        account=account,
        plan=lambda row: plan_revoke(principal, row, handle, target, at),
        version=version,
        done="Revoked activations of an export of account",
        action=Action.ACTIVATION_REVOKE,
    )


def plan_revoke(principal: Principal, account: Account, handle: str, target: str, at: int) -> changes.Change:
    """What that would change, and whose imports would stop working.

    Raises:
        IdentityError: later ones are refused already; nsc would ignore it without a word (spec §3.10).
    """
    _, export = sharing.export_of(account, handle)
    held = export.revocations.get(target, 0)
    if held > at:
        raise IdentityError(
            "Later activations than that are revoked already: clear that revocation first, or give a later time.",
            field="at",
        )
    return _revoking(principal, account, handle, {**export.revocations, target: at})


@guarded
def clear(*, principal: Principal, account: Account, handle: str, target: str, version: int) -> Account:
    """Take a revocation back: what it refused counts again. Raises: StaleWrite, NotFound."""
    return accounts.rewrite(
        principal=principal,
        account=account,
        plan=lambda row: plan_clear(principal, row, handle, target),
        version=version,
        done="Cleared a revocation of activations of account",
        action=Action.ACTIVATION_REVOKE,
    )


def plan_clear(principal: Principal, account: Account, handle: str, target: str) -> changes.Change:
    """What that would change. Raises: NotFound: nothing is revoked for `target`."""
    _, export = sharing.export_of(account, handle)
    if target not in export.revocations:
        raise lookup.NotFound(f"Nothing is revoked for {target} (any more).")
    left = {key: at for key, at in export.revocations.items() if key != target}
    change = _revoking(principal, account, handle, left)
    whose = "of every account" if target == EVERYBODY else f"of the account {target}"
    again = f"Activations {whose} that were refused until now count again, where they have not expired."
    return replace(change, consequences=(again, *change.consequences))


def _revoking(
    principal: Principal, account: Account, handle: str, revocations: Mapping[str, int]
) -> changes.Change:
    _, export = sharing.export_of(account, handle)
    wanted = replace(export, revocations=revocations)
    return _lenient(_planned(principal, account, handle, wanted), ".revocations")


def _planned(principal: Principal, account: Account, handle: str, export: Export | None) -> changes.Change:
    """The export with this handle replaced, or gone."""
    index, _ = sharing.export_at(account, handle)
    held = changes.claims_of(account).nats.exports
    exports = (*held[:index], *(() if export is None else (export,)), *held[index + 1 :])
    change = changes.plan(account, changes.edit_body(exports=exports), now=clock.unix())
    broken = sharing.broken_importers(principal, account, change.before, change.after)
    return replace(change, consequences=broken)


def _lenient(change: changes.Change, about: str = "nothing") -> changes.Change:
    """The change with the findings on what is edited alone."""
    return replace(change, report=Report.of(issue for issue in change.report if about in issue.path))
