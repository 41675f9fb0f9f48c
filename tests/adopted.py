"""What was adopted here from elsewhere: its text, the rules kept of it, and what we found odd about it."""

from __future__ import annotations

from typing import Any

from identities.claims.report import Report
from identities.models import Account, Operator, Permission, User
from identities.services import signing
from tests import make

WHO: Any = {"principal": make.COMMAND}


def ours(findings: Report) -> list[str]:
    """The messages of findings that are ours, not the Go library's."""
    return [issue.message for issue in findings if issue.ours]


def current_text(row: Operator | Account | User) -> str:
    """The JWT that stands now, opened where it is sealed."""
    assert row.token is not None
    with signing.token_text(row.token) as text:
        return text


def rules(**holder: Any) -> set[tuple[str, str, str, str]]:
    """Direction, effect, pattern and queue of every rule kept of these holders."""
    rows = Permission.objects.filter(**holder)
    return set(rows.values_list("direction", "effect", "pattern__text", "queue"))
