"""Which of an operator's accounts is its system account: chosen, changed, or none.

Source: nats-server `jwt.go validateTrustedOperators`, `accounts.go`; spec §5.4, §9.2.
"""

from __future__ import annotations

from dataclasses import replace

from identities.errors import IdentityError
from identities.models import Account, Operator
from identities.nkeys import KeyKind, is_public
from identities.policy.principal import Principal
from identities.services import changes, clock, columns, operators
from identities.services.proposing import guarded


@guarded
def choose(*, principal: Principal, operator: Operator, account: str, version: int) -> Operator:
    """Name `account` (a public key, "" for none) as the system account in the operator's JWT.

    Raises:
        StaleWrite: somebody else changed the operator meanwhile. IdentityError: the account has JetStream.
    """
    return operators.rewrite(
        principal=principal,
        operator=operator,
        plan=lambda row: plan_choose(row, account),
        version=version,
        done="Chose the system account of operator",
    )


def plan_choose(operator: Operator, account: str) -> changes.Change:
    """What `choose` would change, and what that means for the servers.

    Raises:
        IdentityError: the account has JetStream.
    """
    change = changes.plan(operator, changes.edit_body(system_account=account), now=clock.unix())
    if change.is_empty:
        return change
    row = _account(operator, account)
    if row is not None and row.jetstream:
        raise IdentityError(
            f"“{row.name}” has JetStream, and nats-server refuses that in the system account: switch it off first.",
            field="account",
        )
    lines = []
    before = operator.system_account
    if account and row is None:
        lines.append(f"No account with the key {account} is known here: servers must find its JWT elsewhere.")
    if account:
        lines.append(
            f"Once servers were restarted with it, users of {_named(row, account)} see the events of all accounts, "
            "and may replace account JWTs on servers with a NATS resolver."
        )
    else:
        lines.append(
            "Servers with a full or cache resolver don't start without a system account, unless their own "
            "configuration names one; the others publish no events, and no account JWT can be pushed to them."
        )
    if before:
        lines.append(
            f"Users of {_named(_account(operator, before), before)} can do none of that any more: give whoever pushes "
            "account JWTs or watches the servers other creds."
        )
    return replace(change, consequences=tuple(lines))


def key_of(operator: Operator, text: str) -> str:
    """The public key of the account that `text` names, itself when it is a key, "" for none.

    Raises:
        IdentityError: there is no such account.
    """
    if not text or is_public(text, KeyKind.ACCOUNT) or text == operator.system_account:
        return text
    row = Account.objects.live().filter(operator=operator, name_fold=columns.folded(text)).first()
    if row is None:
        raise IdentityError(
            f"“{operator.name}” has no account “{text[:80]}”. Write its name, or its public key (A…).",
            field="account",
        )
    return row.public_key


def _account(operator: Operator, public_key: str) -> Account | None:
    found: Account | None = Account.objects.live().filter(operator=operator, public_key=public_key).first()
    return found


def _named(row: Account | None, public_key: str) -> str:
    return f"“{row.name}”" if row is not None else public_key
