"""Writes: which version they were made for, and what they would do when they are only tried (`dry_run`)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from django.db import transaction
from django.http import HttpRequest

from identities.api import problems
from identities.api.operations import Answer
from identities.api.schemas import Change
from identities.models import Account, Cluster, Operator, User
from identities.services import changes, four_eyes

Row = TypeVar("Row", Operator, Account, User)
ETAGS = re.compile(r'(?:W/)?"[^",]*"(?:[ \t]*,[ \t]*(?:W/)?"[^",]*")*')
"""What `If-Match` may hold beside `*` (RFC 9110 §13.1.1); ours are numbers and never weak, so no other ever fits."""


def version_of(request: HttpRequest, row: Operator | Account | User | Cluster) -> int:
    """The version of `row` that `If-Match` names; `*` is whichever it is now.

    Raises:
        VersionMissing: there is no such header. BadRequest: it names no version. StaleWrite: another one.
    """
    header = request.headers.get("If-Match", "").strip()
    if not header:
        raise problems.VersionMissing(
            f'Send `If-Match: "{row.version}"` (the `ETag` of what you read), or `If-Match: *` for whatever it is now.'
        )
    if header == "*":
        return row.version
    if not ETAGS.fullmatch(header):
        raise problems.BadRequest(
            '`If-Match` is `*`, or the `ETag` of what you read with its quotation marks, such as `"3"`.'
        )
    if f'"{row.version}"' not in [tag.strip() for tag in header.split(",")]:
        raise changes.StaleWrite(row)
    return row.version


def is_trial(request: HttpRequest) -> bool:
    """Whether nothing is to be saved.

    Raises:
        BadRequest: another word than true or false.
    """
    word = request.GET.get("dry_run", "false")
    if word not in ("true", "false"):
        raise problems.BadRequest("`dry_run` is true or false.")
    return word == "true"


def written(
    request: HttpRequest,
    row: Operator | Account | User,
    *,
    plan: Callable[[], changes.Change],
    save: Callable[[int], Answer],
) -> Answer:
    """Carry out an edit of `row` that `plan` works out and `save` saves, or only tell what it would do."""
    version = version_of(request, row)
    return _told(request, plan, lambda: save(version))


def unconditional(
    request: HttpRequest,
    row: Row,
    *,
    plan: Callable[[], changes.Change],
    save: Callable[[int], Answer],
) -> Answer:
    """The same for an edit that is right whatever else has changed: locking somebody out."""
    return _told(request, plan, lambda: save(row.version))


def _told(request: HttpRequest, plan: Callable[[], changes.Change], save: Callable[[], Answer]) -> Answer:
    if not is_trial(request):
        return save()
    with four_eyes.passed(), transaction.atomic():
        change = plan()
        changes.refuse_invalid(change.report)
        save()  # whatever would be refused, is
        transaction.set_rollback(True)
    return Answer(body=Change.of(change), status=200)


def made(request: HttpRequest, make: Callable[[], Row], answer: Callable[[Row], Answer]) -> Answer:
    """Make something new, or only tell what its claims would be."""
    if not is_trial(request):
        return answer(make())
    with four_eyes.passed(), transaction.atomic():
        told = Change.first(make())
        transaction.set_rollback(True)
    return Answer(body=told, status=200)


def part(
    request: HttpRequest,
    row: Row,
    *,
    plan: Callable[[], changes.Change],
    save: Callable[[int], Row],
    answer: Callable[[Row], Answer],
) -> Answer:
    """`written`, for an entry of `row`: what `answer` makes of the row after it was saved."""
    return written(request, row, plan=plan, save=lambda version: answer(save(version)))


def tried(request: HttpRequest, act: Callable[[], Answer], consequences: list[str]) -> Answer:
    """Do something that has no claims of its own, or only tell what would follow."""
    if not is_trial(request):
        return act()
    with four_eyes.passed(), transaction.atomic():
        act()
        transaction.set_rollback(True)
    return Answer(body=Change(changes=[], consequences=consequences, warnings=[]), status=200)


def gone(request: HttpRequest, remove: Callable[[], None], consequences: list[str]) -> Answer:
    """Remove something, or only tell what would follow."""

    def act() -> Answer:
        remove()
        return Answer()

    return tried(request, act, consequences)
