"""The ledger of hand-overs goes out as JSON Lines, as far as somebody may see it; that it did is audited before.

One object a line, oldest first: who received which key by which way, and what has become of it. No secret is in it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from django.db import transaction

from identities.models import Handover
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.queries import handed_out, reach
from identities.queries.handed_out import Wanted
from identities.services import audit, clock

CHUNK = 1000
_SAME = ("kind", "subject", "name", "role", "issuer", "iat", "exp", "way", "door")
_WHO = ("recipient", "recipient_name", "by", "by_name", "state")


def export(*, principal: Principal, wanted: Wanted) -> Iterator[bytes]:
    """Lines of all hand-overs so far that fit; audited here, before the first of them.

    Raises: Forbidden.
    """
    for action in (Action.LEDGER_VIEW, Action.AUDIT_EXPORT):
        decision = reach.anywhere(principal, action)
        if isinstance(decision, decisions.Denied):
            raise decisions.Forbidden(decision.reason)
    now = clock.unix()
    rows = handed_out.handovers(principal, wanted, now=now).order_by("pk")
    with transaction.atomic():
        last = Handover.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        told = ", ".join(f"{name} “{value}”" for name, value in wanted.query().items())
        said = f"Exported the ledger of issued creds{f' where {told}' if told else ''}"
        audit.record(principal, Action.AUDIT_EXPORT, [], said)

    def lines() -> Iterator[bytes]:
        after = 0
        while chunk := list(rows.filter(pk__gt=after, pk__lte=last)[:CHUNK]):
            yield b"".join(map(_line, chunk))
            after = chunk[-1].pk

    return lines()


def _line(row: Handover) -> bytes:
    account = row.account
    line = {
        "at": row.at.isoformat(),
        "operator": row.operator.public_key,
        "operator_name": row.operator.name,
        "account": account.public_key if account is not None else "",
        "account_name": account.name if account is not None else "",
        **{name: getattr(row, name) for name in (*_SAME, *_WHO)},
    }
    return json.dumps(line, ensure_ascii=False).encode() + b"\n"
