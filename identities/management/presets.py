"""What `manage.py explain presets` says: all presets, or one with the subjects that it gives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.core.management.base import CommandError

from identities.claims import presets as filled_in
from identities.claims.presets import Filled, Preset
from identities.errors import IdentityError
from identities.services import presets

WORD = "presets"


def said(key: str | None, given: Sequence[str]) -> tuple[list[str], list[dict[str, Any]]]:
    """Lines to read and the same for JSON: the list, or with `key` the subjects; `given` are texts `name=value`.

    Raises: CommandError: there is no such preset, or a parameter is missing or comes out as no subject.
    """
    if not key:
        known = presets.known()
        return list(_listed(known)), [_document(each) for each in known]
    values = dict(_split(text) for text in given)
    try:
        preset = presets.find(key)
        unknown = values.keys() - {one.name for one in preset.newest.parameters}
        if unknown:
            raise CommandError(f"“{preset.title}” has no parameter {', '.join(sorted(unknown))}.")
        filled = filled_in.fill(preset.newest, values)
    except IdentityError as refused:
        raise CommandError(refused.user_message) from None
    return list(_told(filled)), list(_lines(filled))


def _split(text: str) -> tuple[str, str]:
    name, mark, value = text.partition("=")
    if not mark:
        raise CommandError("Write --with name=value.")
    return name, value


def _listed(known: Sequence[Preset]) -> Iterator[str]:
    width = max(len(each.key) for each in known)
    for each in known:
        needs = ", ".join(one.name if one.required else f"[{one.name}]" for one in each.newest.parameters)
        yield f"{each.key:{width}}  {each.title} (version {each.newest.number}; {needs or 'no parameters'})"


def _document(preset: Preset) -> dict[str, Any]:
    return {
        "key": preset.key,
        "title": preset.title,
        "about": preset.about,
        "own": preset.own,
        "version": preset.newest.number,
        "parameters": [
            {
                "name": one.name,
                "kind": one.kind.value,
                "required": one.required,
                "default": one.default or None,
            }
            for one in preset.newest.parameters
        ],
    }


def _told(filled: Filled) -> Iterator[str]:
    width = max(len(line.subject) for line in filled.lines)
    for line in filled.lines:
        side = f"{line.side.value}{' deny' if line.deny else ''}"
        yield f"{side:8}  {line.subject:{width}}  {line.why}"
    if filled.edition.answers:
        yield f"It answers each request {filled.edition.answers} time(s)."
    if filled.edition.connection_types:
        yield f"It connects as {', '.join(filled.edition.connection_types)} alone."
    if filled.edition.bearer:
        yield "Its JWT alone logs in."


def _lines(filled: Filled) -> Iterator[dict[str, Any]]:
    for line in filled.lines:
        yield {"side": line.side.value, "deny": line.deny, "subject": line.subject, "why": line.why}
