"""The audit over the API, asked as the page asks it: by actor, action, object, way, words and time."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from django.http import HttpRequest
from ninja import Query
from pydantic import Field

from identities.api import paging
from identities.api.observing import TAG
from identities.api.operations import Answer, operation
from identities.api.schemas import Given, Line, Moment, Page
from identities.lookup import principal_for
from identities.models import AuditEvent
from identities.queries import activity


class TargetOut(Given):
    """What an event is about."""

    kind: str
    key: str
    name: str


class EventOut(Given):
    """One event of the audit."""

    seq: int
    at: datetime
    actor: str
    actor_name: str
    way: str
    address: str
    action: str
    summary: str = Field(description="Empty where it names something that you may not see.")
    targets: list[TargetOut] = Field(description="The first few of them.")
    more_targets: bool


class AuditWanted(paging.Paging):
    """Which events, and which page of them."""

    actor: Annotated[Line, Field(description="The actor's key, such as person:3.")] = ""
    action: Annotated[
        Line, Field(description="The action's name, such as user.create, or user. for its whole class.")
    ] = ""
    object: Annotated[Line, Field(description="A public key, or a part of the name.")] = ""
    way: Literal["", "page", "token", "command", "worker"] = ""
    q: Annotated[Line, Field(description="A part of the summary, ignoring case.")] = ""
    since: Annotated[Moment | None, Field(description="At this moment or later.")] = None
    until: Annotated[Moment | None, Field(description="Before this moment.")] = None


@operation("list-audit", "GET", "audit", Page[EventOut], tag=TAG)
def audit(request: HttpRequest, wanted: Query[AuditWanted]) -> Answer:
    """List who did what to what, the newest first"""
    asked = activity.Wanted(
        actor=wanted.actor,
        action=wanted.action,
        object=wanted.object.strip(),
        way=wanted.way,
        q=wanted.q.strip(),
    )
    principal = principal_for(request)
    rows = activity.events(principal, asked)
    if wanted.since is not None:
        rows = rows.filter(at__gte=wanted.since)
    if wanted.until is not None:
        rows = rows.filter(at__lt=wanted.until)
    found: list[AuditEvent] = []

    def kept(row: AuditEvent) -> AuditEvent:
        found.append(row)
        return row

    page = paging.page(rows, wanted, kept, by="seq", descending=True)
    ids = [row.pk for row in found]
    targets, whole = activity.targets(principal, ids), activity.whole(principal, ids)
    items = [_event(row, targets.get(row.pk), whole=row.pk in whole) for row in found]
    return Answer(body=Page[EventOut](items=items, next=page.next))


def _event(row: AuditEvent, targets: activity.Targets | None, *, whole: bool) -> EventOut:
    shown = targets.first if targets is not None else ()
    return EventOut(
        seq=row.seq,
        at=row.at,
        actor=row.actor,
        actor_name=row.actor_name,
        way=row.way,
        address=row.address,
        action=row.action,
        summary=row.summary if whole else "",
        targets=[TargetOut(kind=one.kind, key=one.key, name=one.name) for one in shown],
        more_targets=targets is not None and targets.more,
    )
