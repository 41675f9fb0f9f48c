"""A drawing of who shares what: exporting accounts on the left, importing ones on the right, a line for each import.

Pure: claims in, boxes and lines with coordinates out; a template writes them as SVG, a table says the same in words.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from identities.claims.account import AccountBody
from identities.claims.common import Claims
from identities.claims.exports import Export
from identities.claims.imports import Import
from identities.claims.sharing import export_for

WIDTH = 1000
BOX = 360
HEAD, ROW, GAP, EDGE = 34, 24, 20, 10
MOST_LINES = 150
"""Imports that one drawing shows; more are no picture any more."""
_TEXT = 40

Account = Claims[AccountBody]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """One import: between whom, by which export (None: there is none, or the account is not here), and under which
    name it is known there.
    """

    exporter: str
    exporter_key: str
    importer: str
    importer_key: str
    imported: Import
    export: Export | None

    @property
    def local(self) -> str:
        """The subject as the importing account writes it."""
        return self.imported.local_subject or self.imported.to or self.imported.subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One text inside a box, at the height `y`; `css` says what it is."""

    text: str
    y: int
    css: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """One account on one side."""

    name: str
    key: str
    x: int
    y: int
    height: int
    lines: tuple[Line, ...]
    width: int = BOX

    @property
    def text_x(self) -> int:
        """Where its texts begin."""
        return self.x + 14

    @property
    def name_y(self) -> int:
        """The base line of its name."""
        return self.y + 22


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrow:
    """One import, from the export to the importing account: the path's text, and what it is."""

    path: str
    css: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """Everything, and how large it is; `left_out` imports were too many to draw."""

    width: int
    height: int
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    left_out: int


@dataclass(slots=True)
class _Side:
    """The boxes of one side in the making: their rows by account, each once."""

    x: int
    rows: dict[str, dict[tuple[str, str], str]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    def add(self, key: str, name: str, row: tuple[str, str], css: str) -> None:
        """Note a row of an account."""
        self.names.setdefault(key, name)
        self.rows.setdefault(key, {}).setdefault(row, css)

    def boxes(self) -> Iterator[tuple[Box, dict[tuple[str, str], int]]]:
        """The boxes from the top down, each with the height of its rows."""
        y = EDGE
        for key in sorted(self.rows, key=lambda key: (self.names[key].casefold(), key)):
            at: dict[tuple[str, str], int] = {}
            lines = []
            for number, (row, css) in enumerate(sorted(self.rows[key].items())):
                at[row] = y + HEAD + number * ROW + ROW // 2
                lines.append(Line(text=_cut(row[1]), y=at[row] + 4, css=css))
            height = HEAD + len(lines) * ROW + 6
            yield (
                Box(name=_cut(self.names[key]), key=key, x=self.x, y=y, height=height, lines=tuple(lines)),
                at,
            )
            y += height + GAP


def shared(accounts: Sequence[Account], only: str = "") -> list[Shared]:
    """Every import between these accounts; `only`: those of this account, given or taken."""
    known = {one.sub: one for one in accounts}
    found = []
    for importer in sorted(accounts, key=lambda one: (one.name.casefold(), one.sub)):
        for imported in importer.nats.imports:
            if imported is None or only not in ("", importer.sub, imported.account):
                continue
            exporter = known.get(imported.account)
            found.append(
                Shared(
                    exporter=exporter.name if exporter else "",
                    exporter_key=imported.account,
                    importer=importer.name,
                    importer_key=importer.sub,
                    imported=imported,
                    export=export_for(exporter.nats, imported.type, imported.subject) if exporter else None,
                )
            )
    return found


def draw(all_shared: Sequence[Shared]) -> Drawing:
    """Lay out at most `MOST_LINES` imports."""
    shown = all_shared[:MOST_LINES]
    left, right = _Side(EDGE), _Side(WIDTH - BOX - EDGE)
    for one in shown:
        left.add(one.exporter_key, _exporter(one), _offered(one), _css(one))
        right.add(one.importer_key, one.importer, (one.imported.type, one.local), one.imported.type)
    boxes, ends = [], []
    for side in (left, right):
        at: dict[tuple[str, str, str], int] = {}
        for box, rows in side.boxes():
            boxes.append(box)
            at.update({(box.key, *row): y for row, y in rows.items()})
        ends.append(at)
    arrows = tuple(
        Arrow(
            path=_path(
                ends[0][one.exporter_key, *_offered(one)],
                ends[1][one.importer_key, one.imported.type, one.local],
            ),
            css=_css(one),
            title=f"{_exporter(one)}: {one.imported.subject} → {one.importer}: {one.local}",
        )
        for one in shown
    )
    height = max((box.y + box.height for box in boxes), default=0) + EDGE
    return Drawing(
        width=WIDTH,
        height=height,
        boxes=tuple(boxes),
        arrows=arrows,
        left_out=len(all_shared) - len(shown),
    )


def _exporter(one: Shared) -> str:
    return one.exporter or f"{one.exporter_key[:4]}…{one.exporter_key[-4:]} (not here)"


def _offered(one: Shared) -> tuple[str, str]:
    return one.imported.type, one.export.subject if one.export else one.imported.subject


def _css(one: Shared) -> str:
    if one.export is None:
        return f"{one.imported.type} missing"
    return f"{one.imported.type} private" if one.export.token_req else one.imported.type


def _path(start: int, end: int) -> str:
    x1, x2 = EDGE + BOX, WIDTH - BOX - EDGE
    bend = (x2 - x1) // 2
    return f"M{x1} {start} C{x1 + bend} {start} {x2 - bend} {end} {x2} {end}"


def _cut(text: str) -> str:
    return text if len(text) <= _TEXT else f"{text[: _TEXT - 1]}…"
