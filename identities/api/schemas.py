"""What all operations share of what they take and give."""

from __future__ import annotations

import re
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from identities.claims import diff
from identities.models import Account, Operator, User
from identities.services import changes as planned
from identities.services import clock

Item = TypeVar("Item")

KEY = r"^[A-Z2-7]{56}$"
Int64 = Annotated[int, Field(ge=-(2**63), le=2**63 - 1)]
Text = Annotated[str, Field(max_length=100_000, pattern=r"^[^\u0000]*$")]
Line = Annotated[str, Field(max_length=1000, pattern=r"^[^\u0000]*$")]
Name = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\u0000]*$")]
Unix = Annotated[int, Field(ge=0, le=253402300799, description="Unix seconds; 0 is not set.")]
Lines = Annotated[list[Line], Field(max_length=1000)]
PublicKey = Annotated[str, Field(pattern=r"^([A-Z2-7]{56})?$")]


def _tags(sent: list[str]) -> list[str]:
    return sorted({tag.strip().lower() for tag in sent} - {""})


def _lowered(sent: list[str]) -> list[str]:
    return list(dict.fromkeys(url.strip().lower() for url in sent))


def _rfc3339(sent: object) -> object:
    """Only a text with date, time and offset: pydantic alone would take bare dates and numbers, too."""
    if not isinstance(sent, str) or not _RFC3339.fullmatch(sent):
        raise PydanticCustomError("moment", "Write a moment with its offset, such as 2026-11-27T08:30:00Z.")
    return sent


def _in_range(sent: datetime) -> datetime:
    """Further away, a moment can't be told in UTC."""
    if not 1970 <= sent.year < 9999:
        raise PydanticCustomError("moment", "Choose a year from 1970 to 9998.")
    return sent


_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)
Moment = Annotated[AwareDatetime, BeforeValidator(_rfc3339), AfterValidator(_in_range)]
"""RFC 3339, such as `2026-11-27T08:30:00Z`."""
Tags = Annotated[list[Line], Field(max_length=1000), AfterValidator(_tags)]
"""Lower-cased and sorted, as nsc does."""
Urls = Annotated[list[Line], Field(max_length=100), AfterValidator(_lowered)]
OperatorKey = Annotated[str, Field(pattern=KEY, description="Public key of the operator, O….")]
AccountKey = Annotated[str, Field(pattern=KEY, description="Public key of the account, A….")]
Number = Annotated[int, Field(ge=0, le=2**63 - 1)]
SigningKeyParameter = Annotated[str, Field(pattern=KEY, description="Public key of the signing key, A….")]
HandleParameter = Annotated[
    str, Field(pattern="^[0-9a-f]{12}$", description="Stays the same as long as the entry is the same one.")
]
UserKey = Annotated[str, Field(pattern=KEY, description="Public key of the user, U….")]


class Taken(BaseModel):
    """What is sent: exact types, and no field that is not known."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Given(BaseModel):
    """What is answered."""

    model_config = ConfigDict(extra="forbid")


class ErrorGiven(Given):
    """One value that is wrong, and why."""

    path: str = Field(description="Where it stands: in the claims (`nats.limits.subs`) or in the body.")
    message: str


class Problem(BaseModel):
    """An error (RFC 9457)."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str = Field(description="The same for every problem of this code.")
    status: int
    code: str = Field(description="Stable, for programs.")
    detail: str = Field(description="What was wrong this time, and what to do.")
    errors: list[ErrorGiven] = Field(default=[], description="The values at fault, where there are any.")


class Waiting(Given):
    """What was asked for is proposed, and waits for a second person; `Location` says where it is read."""

    code: str
    detail: str
    proposal: int = Field(description="Its number.")


class Page(Given, Generic[Item]):
    """One page of a list."""

    items: list[Item]
    next: str | None = Field(description="The `cursor` of the next page; null on the last one.")


class FieldChanged(Given):
    """One value that would change."""

    path: str
    before: str = Field(description="In words; empty: it was not there.")
    after: str = Field(description="In words; empty: it is gone.")


class Change(Given):
    """What a write would do (`?dry_run=true`); nothing was saved."""

    dry_run: bool = True
    changes: list[FieldChanged]
    consequences: list[str] = Field(description="What it does beyond this JWT: whose connections drop.")
    warnings: list[str] = Field(description="What NATS takes, but somebody should have meant.")

    @classmethod
    def of(cls, change: planned.Change) -> Change:
        """A planned edit."""
        return cls(
            changes=[FieldChanged(path=c.path, before=c.before, after=c.after) for c in change.diff],
            consequences=list(change.consequences),
            warnings=list(change.new_warnings(now=clock.unix())),
        )

    @classmethod
    def first(cls, row: Operator | Account | User) -> Change:
        """Something new, with all that stands in its claims."""
        found = diff.diff(None, planned.document(planned.claims_of(row)))
        return cls(
            changes=[FieldChanged(path=c.path, before=c.before, after=c.after) for c in found],
            consequences=[],
            warnings=[],
        )


class Stamped(Given):
    """Who changed it last, and which version it is."""

    version: int = Field(description="Counts edits; what `If-Match` names.")
    created_at: datetime
    updated_at: datetime
    updated_by: str


Document = Annotated[dict[str, Any], Field(description="The claims of the current JWT, as NATS has them.")]


def plain(part: Any) -> dict[str, Any]:
    """A part of claims with all its fields, as JSON has them; what we do not know stands beside them."""
    flat: dict[str, Any] = _flat(asdict(part))
    return flat


def _flat(value: Any) -> Any:
    if isinstance(value, dict):
        unknown = value.get("extra")
        known = {name: _flat(held) for name, held in value.items() if name != "extra"}
        return {**known, **unknown} if isinstance(unknown, dict) else known
    return [_flat(one) for one in value] if isinstance(value, (list, tuple)) else value
