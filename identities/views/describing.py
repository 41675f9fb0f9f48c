"""What `nsc describe` prints, for pages: sections of rows, with key chips, and the findings on the claims."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

from identities.claims import describe
from identities.claims.report import Grade, Issue
from identities.claims.scopes import SigningKey
from identities.forms.refusals import sentence
from identities.lookup import principal_for
from identities.models import Account, Operator, User
from identities.nkeys import kind_of
from identities.policy.principal import Principal
from identities.services import changes
from identities.views import shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One value: a text (a subject or whole key as `code`), or a key as a chip. `note` is ours, where nsc says less."""

    text: str = ""
    code: bool = False
    key: shown.Chip | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A label with its values: one, or a list."""

    label: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One of nsc's tables: labelled facts, or lines of cells under headers."""

    title: str
    facts: tuple[Fact, ...]
    headers: tuple[str, ...]
    lines: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One issue that the validation reports on the current claims."""

    tone: str
    word: str
    path: str
    message: str


_SUBJECTS = ("Pub Allow", "Pub Deny", "Sub Allow", "Sub Deny")
_GRADES = {
    Grade.ERROR: ("danger", "Error"),
    Grade.TIMECHECK: ("warn", "Time"),
    Grade.WARNING: ("warn", "Warning"),
}


def names_of(principal: Principal, row: Operator | Account | User, operator: Operator) -> shown.Names:
    """What people call the other keys that stand in the claims of `row`; one query."""
    known = shown.key_names(principal, operator, shown.keys_in([row.claims]) - {row.public_key})
    return lambda key: known.get(key, "")


def described(
    row: Operator | Account | User,
    operator: Operator,
    request: HttpRequest,
    now: int,
    *,
    scope: SigningKey | None = None,
    names: shown.Names | None = None,
) -> dict[str, Any]:
    """`sections`, `tables`, `findings`, and the switch between short and full ids; one query for the names of keys,
    unless the page has asked for them (`names_of`).

    `scope` is the role that issued a user.
    """
    claims = changes.claims_of(row)
    full = shown.wants_full_ids(request)
    names = names or names_of(principal_for(request), row, operator)
    sections = describe.rows(claims, names, full, now, scope)
    made = tuple(_table(section, names, full=full) for section in sections)
    return {
        "sections": tuple(table for table in made if not table.headers),
        "tables": tuple(table for table in made if table.headers),
        "findings": findings(claims, now),
        "key": shown.chip(row.public_key, long=full),
        "full_ids": full,
        "ids_url": request.path if full else f"{request.path}?ids=full",
        "raw": row.claims,
    }


def tables(claims: changes.AnyClaims, names: shown.Names, now: int) -> tuple[Table, ...]:
    """nsc's tables about claims from anywhere, with short keys.

    Raises: ClaimsError for a type that nsc does not describe.
    """
    sections = describe.rows(claims, names, False, now)  # settled signature
    return tuple(_table(section, names, full=False) for section in sections)


def scope(entry: SigningKey) -> tuple[Fact, ...]:
    """What nsc says about a role, but its key and name."""
    rows = describe.scope_section(entry).rows[2:]
    return _facts(rows, str, full=False)


def findings(claims: changes.AnyClaims, now: int) -> tuple[Finding, ...]:
    """What the Go library's rules and ours say about claims as they stand."""
    return tuple(finding(one) for one in changes.check(claims, claims, now=now))


def finding(issue: Issue) -> Finding:
    """One issue for people."""
    tone, word = _GRADES[issue.grade]
    return Finding(tone=tone, word=word, path=issue.path, message=sentence(issue.message))


def _table(section: describe.Section, names: shown.Names, *, full: bool) -> Table:
    return Table(
        title=section.title,
        facts=_facts(section.rows, names, full=full),
        headers=section.headers,
        lines=tuple(tuple(_cell(text, "", names, full=full) for text in line) for line in section.lines),
    )


def _facts(rows: Sequence[describe.Row], names: shown.Names, *, full: bool) -> tuple[Fact, ...]:
    """nsc leaves the label of a list's further values empty: they belong to the fact above."""
    found: list[tuple[str, list[Cell]]] = []
    for row in rows:
        if row.label or not found:
            found.append((row.label, []))
        label, cells = found[-1]
        subject = label in _SUBJECTS
        cells.append(
            Cell(text=row.value, code=True, note=row.note)
            if subject
            else _cell(row.value, row.note, names, full=full)
        )
    return tuple(Fact(label=label, cells=tuple(cells)) for label, cells in found)


def _cell(text: str, note: str, names: shown.Names, *, full: bool) -> Cell:
    key = text.partition(" / ")[0]
    if kind_of(key) is None:
        return Cell(text=text, note=note)
    if full:
        return Cell(text=key, code=True, note=note or names(key))
    return Cell(key=shown.chip(key, names(key)), note=note)
