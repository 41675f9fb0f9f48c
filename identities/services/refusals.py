"""Refused tokens in the audit, and no more of them than somebody reads.

A pipeline that tries all day, or anybody with a token of a public CI, could fill it otherwise. What is left out is
counted durably, as failed sign-ins are.
"""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction

from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.services import audit, people

MOST = 10
"""So many events an hour about one token or rule; more are only counted, and told with the next one."""
HOUR = timedelta(hours=1)


def note(principal: Principal, target: audit.Target, summary: str) -> None:
    """Audit that a token was refused, unless that was said often enough within the hour."""
    with transaction.atomic():
        number, before = people.counted(f"refused:{target.key}", window=HOUR)
        if number > MOST:
            return
        if before > MOST:
            summary += f" Before that, {before - MOST:,} more were refused and only counted."
        if number == MOST:
            summary += " More of these within the hour are only counted."
        audit.record(principal, Action.TOKEN_REFUSED, [target], summary)
