"""What `manage.py explain findings` says: what an account's permissions get wrong, and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from django.core.management.base import CommandError

from identities.management import who_can
from identities.policy.principal import Principal
from identities.queries import findings
from identities.queries.findings import Found
from identities.services import clock

WORD = "findings"


def of(principal: Principal, account: str | None) -> list[Found]:
    """All findings.

    Raises: CommandError: no account is called so, or several are.
    """
    if not account:
        raise CommandError("Give the account by --account, by its key or name.")
    return list(findings.of(principal, who_can.account(principal, account), now=clock.unix()))


def told(found: Iterable[Found]) -> Iterator[str]:
    """Lines to read."""
    anything = False
    for one in found:
        anything = True
        yield f"{one.holder}: {one.finding.kind.value}"
        yield f"  {one.finding.text}"
        yield f"  in {one.key}: {one.path}"
    if not anything:
        yield "Nothing is found wrong."


def document(found: Iterable[Found]) -> list[dict[str, Any]]:
    """The same as JSON."""
    return [
        {
            "holder": one.holder,
            "key": one.key,
            "path": one.path,
            "kind": one.finding.kind.value,
            "entry": one.finding.entry,
            "said": one.finding.text,
        }
        for one in found
    ]
