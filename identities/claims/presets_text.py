"""Editions of presets as JSON, as an installation keeps its own, and as people write them: one subject to a line."""

from __future__ import annotations

import json
from collections.abc import Iterable

from identities.claims.presets import Edition, Line, parameters_of
from identities.claims.recipes import Side

_MARK = " # "


def to_json(edition: Edition) -> str:
    """What an edition says; its number and news are kept beside it."""
    return json.dumps(
        {
            "lines": [[line.side.value, line.deny, line.subject, line.why] for line in edition.lines],
            "answers": edition.answers,
            "connection_types": edition.connection_types,
        },
        ensure_ascii=False,
    )


def from_json(text: str, *, number: int, news: str = "") -> Edition:
    """The edition that `to_json` wrote."""
    held = json.loads(text)
    lines = tuple(
        Line(side=Side(side), subject=subject, why=why, deny=deny)
        for side, deny, subject, why in held["lines"]
    )
    return Edition(
        number=number,
        parameters=parameters_of(lines),
        lines=lines,
        answers=held["answers"],
        connection_types=tuple(held["connection_types"]),
        news=news,
    )


def lines_of(texts: Iterable[str], side: Side, *, deny: bool = False) -> tuple[Line, ...]:
    """Lines as people write them: `orders.${name}  # What it is for`."""
    found = []
    for text in texts:
        subject, _, why = text.partition(_MARK)
        found.append(Line(side=side, subject=" ".join(subject.split()), why=why.strip(), deny=deny))
    return tuple(found)


def texts_of(edition: Edition, side: Side, *, deny: bool = False) -> tuple[str, ...]:
    """The lines of one list, as people write them."""
    return tuple(
        f"{line.subject}{_MARK}{line.why}" if line.why else line.subject
        for line in edition.lines
        if line.side is side and line.deny is deny
    )
