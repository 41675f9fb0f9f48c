"""What is made elsewhere, brought in by an import, and what its report says."""

from __future__ import annotations

from typing import Any

from identities.claims import codec
from identities.claims.account import AccountBody
from identities.claims.common import Claims
from identities.claims.limits import OperatorLimits
from identities.claims.operator import OperatorBody
from identities.claims.permissions import UserPermissionLimits
from identities.nkeys import KeyPair
from identities.services import importing
from identities.services.import_items import Choices
from identities.services.import_reading import Collected
from tests import make, nscfiles
from tests.elsewhere import OLD, Elsewhere

WHO: Any = {"principal": make.COMMAND}
Report = dict[str, Any]
UNLIMITED = OperatorLimits.unlimited()
FREE = UserPermissionLimits.unlimited()


def bring(*jwts: str, seeds: tuple[KeyPair, ...] = (), **choices: Any) -> Report:
    """Import these JWTs and seeds, and give the report."""
    return imported(nscfiles.texts(*jwts, seeds=seeds), **choices)


def imported(collected: Collected, **choices: Any) -> Report:
    """Import what was collected, and give the report."""
    return importing.perform(**WHO, collected=collected, choices=Choices(**choices))


def said(report: Report, *tones: str) -> list[str]:
    """The messages of the report, those of some tones alone when they are named."""
    return [note["message"] for note in report["notes"] if not tones or note["tone"] in tones]


def signed(body: Any, of: KeyPair, by: KeyPair, name: str, at: int) -> str:
    return codec.encode(Claims(nats=body, sub=of.public.text, name=name), by, at).text


def newer(there: Elsewhere, body: Any, at: int = OLD + 100, *, name: str = "") -> str:
    """A later JWT of the operator, account or user made elsewhere."""
    if isinstance(body, OperatorBody):
        return signed(body, there.operator, there.operator, name or "Op", at)
    if isinstance(body, AccountBody):
        return signed(body, there.account, there.operator, name or "Acc", at)
    return signed(body, there.user, there.account, name or "U", at)


def all_three(there: Elsewhere) -> list[str]:
    """The JWTs of the operator, the account and the user made elsewhere."""
    return [there.operator_jwt(), there.account_jwt(), there.user_jwt()]
