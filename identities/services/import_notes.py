"""What an import has to say, the same words once, with how many things they are about and some of their names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

MOST_KINDS = 300
MOST_NAMED = 20


class Tone(StrEnum):
    """How much a note matters."""

    LEFT = "left"
    """Something did not come in."""
    ERROR = "error"
    """It comes in, and servers refuse it."""
    WARNING = "warning"
    INFO = "info"


@dataclass(slots=True)
class Note:
    """One thing to say, about `count` things, of which the first are named in `where`."""

    tone: Tone
    message: str
    where: list[str] = field(default_factory=list)
    count: int = 0


class Notes:
    """All notes by what they say."""

    def __init__(self) -> None:
        self._notes: dict[tuple[Tone, str], Note] = {}
        self._beyond = 0

    def add(self, tone: Tone, message: str, where: str = "") -> None:
        """Say `message` of `where`: a path, or what people call an object."""
        note = self._notes.get((tone, message))
        if note is None:
            if len(self._notes) >= MOST_KINDS:
                self._beyond += 1
                return
            note = self._notes[tone, message] = Note(tone, message)
        note.count += 1
        if where and len(note.where) < MOST_NAMED:
            note.where.append(where)

    def absorb(self, others: Notes) -> None:
        """Say what was said elsewhere, too."""
        for note in others:
            mine = self._notes.setdefault((note.tone, note.message), Note(note.tone, note.message))
            mine.count += note.count
            mine.where += note.where[: MOST_NAMED - len(mine.where)]
        self._beyond += others._beyond

    def copy(self) -> Notes:
        """The same notes, to which more can be added."""
        twin = Notes()
        twin._beyond = self._beyond
        twin._notes = {
            key: Note(note.tone, note.message, list(note.where), note.count)
            for key, note in self._notes.items()
        }
        return twin

    def __iter__(self) -> Iterator[Note]:
        """The notes, the gravest first, in the order in which they came up."""
        order = list(Tone)
        yield from sorted(self._notes.values(), key=lambda note: order.index(note.tone))

    def as_json(self) -> list[Mapping[str, Any]]:
        """As they stand in a job's result."""
        told: list[Mapping[str, Any]] = [
            {"tone": note.tone.value, "message": note.message, "where": note.where, "count": note.count}
            for note in self
        ]
        if self._beyond:
            told.append(
                {"tone": "info", "message": "and more of other kinds", "where": [], "count": self._beyond}
            )
        return told
