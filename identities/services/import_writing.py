"""The one short transaction of an import: everything that was laid aside comes in, in few statements."""

from __future__ import annotations

from django.db.models import F

from identities.models import Account, Operator, User
from identities.services import audit, handovers, import_events, import_rows, outbox
from identities.services.import_staging import Staging


def write(staged: Staging) -> None:
    """Write it, the audit events last; runs in its caller's transaction, the operators' rows locked.

    Raises: Overtaken: a row was changed meanwhile.
    """
    for model in (Operator, Account, User):
        import_rows.update(model, staged.changed[model])
    staged.publish()
    for account in staged.plan.accounts():
        fresh = sum(user.state.writes and user.known is None for user in account.users)
        if account.pk is not None and fresh:
            Account.objects.filter(pk=account.pk).update(user_count=F("user_count") + fresh)
        if account.item is not None and account.known is not None and account.writes:
            before, after = account.known.claims.nats, account.item.incoming.claims.nats
            handovers.follow(account.known.pk, before.revocations, after.revocations)
    for operator in staged.plan.operators:
        changed = [account.key for account in operator.accounts if account.writes]
        if changed:  # one that was left out has no row
            outbox.wake(principal=staged.principal, operator=staged.pk(operator), keys=changed)
    audit.record_all(staged.principal, import_events.events(staged.plan, frozenset(staged.resigned)))
