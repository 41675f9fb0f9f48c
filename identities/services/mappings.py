"""What can be done with an account's subject mappings; one is known by its source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from identities.claims.mappings import WeightedMapping
from identities.errors import IdentityError
from identities.models import Account
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.services import accounts, changes, clock
from identities.services.proposing import guarded


@guarded
def put(
    *,
    principal: Principal,
    account: Account,
    source: str,
    targets: Sequence[WeightedMapping],
    version: int,
    replaces: str = "",
) -> Account:
    """Map `source` to `targets`; `replaces` is the source of the mapping that is edited, "" for a new one.

    Raises:
        StaleWrite: somebody else changed the account meanwhile. IdentityError: no target, or the source is mapped
            already. InvalidClaims: what the Go library refuses or nats-server would drop.
    """
    return accounts.rewrite(
        principal=principal,
        account=account,
        plan=lambda row: plan_put(row, source, targets, replaces=replaces),
        version=version,
        done="Edited a mapping of account" if replaces else "Added a mapping to account",
        action=Action.MAPPING_EDIT,
    )


def plan_put(
    account: Account, source: str, targets: Sequence[WeightedMapping], *, replaces: str = ""
) -> changes.Change:
    """What `put` would change.

    Raises:
        IdentityError: no target, or the source is mapped already.
    """
    held = changes.claims_of(account).nats.mappings
    if source != replaces and source in held:
        raise IdentityError(f"“{source}” is mapped already: edit that mapping instead.", field="source")
    if not targets and held.get(source) != tuple(targets):
        raise IdentityError("Give at least one destination, or delete the mapping.", field="to-0")
    kept = {known: ways for known, ways in held.items() if known != replaces}
    return changes.plan(
        account, changes.edit_body(mappings={**kept, source: tuple(targets)}), now=clock.unix()
    )


@guarded
def remove(*, principal: Principal, account: Account, source: str, version: int) -> Account:
    """Delete the mapping of `source`.

    Raises:
        StaleWrite: somebody else changed the account meanwhile.
    """
    return accounts.rewrite(
        principal=principal,
        account=account,
        plan=lambda row: plan_remove(row, source),
        version=version,
        done="Deleted a mapping of account",
        action=Action.MAPPING_EDIT,
    )


def plan_remove(account: Account, source: str) -> changes.Change:
    """What `remove` would change."""
    held = changes.claims_of(account).nats.mappings
    kept = {known: ways for known, ways in held.items() if known != source}
    change = changes.plan(account, changes.edit_body(mappings=kept), now=clock.unix())
    gone = ", ".join(f"“{way.subject}”" for way in held.get(source, ()) if way.subject != source)
    if not gone:
        return change
    line = f"Messages published on “{source}” stay there: who listens on {gone} gets none of them any more."
    return replace(change, consequences=(line,))
