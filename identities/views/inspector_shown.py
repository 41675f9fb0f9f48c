"""What the inspector found, as strings."""

from __future__ import annotations

import json
from dataclasses import dataclass

from identities.claims.report import Grade, Issue
from identities.errors import IdentityError
from identities.nkeys import kind_of
from identities.services.inspection import Inspection
from identities.views import addresses, describing, shown

_GRADES = {
    Grade.ERROR: ("danger", "Error"),
    Grade.TIMECHECK: ("warn", "Time"),
    Grade.WARNING: ("warn", "Warning"),
}
_ICONS = {"ok": "circle-check", "warn": "triangle-alert", "danger": "circle-x"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of the chain to an operator."""

    state: shown.State
    key: shown.Chip | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedKey:
    """A key in the token that is known here."""

    key: shown.Chip
    what: str
    name: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """All that the page says about one token."""

    title: str
    verdict: shown.State
    signature: shown.State
    decode_error: str
    version: str
    seed: str
    steps: tuple[Step, ...]
    sections: tuple[describing.Table, ...]
    findings: tuple[describing.Finding, ...]
    keys: tuple[NamedKey, ...]
    document: str


def shown_inspection(found: Inspection, now: int) -> Shown:
    """An inspection in words."""
    verdict = found.verdict
    document = verdict.document()
    issues = (*verdict.report, *found.advice)
    return Shown(
        title=_title(found),
        verdict=_verdict(found),
        signature=_state("Signature is right", "ok")
        if verdict.ok
        else _state("Not to be believed", "danger"),
        decode_error=verdict.decode_error,
        version=str(verdict.version) if verdict.ok else "",
        seed=found.seed,
        steps=tuple(
            Step(state=_state(link.text, link.tone), key=shown.chip(link.key) if link.key else None)
            for link in found.chain
        ),
        sections=_sections(found, now) if verdict.ok else (),
        findings=tuple(map(_finding, issues)),
        keys=tuple(_key(key, name) for key, name in sorted(found.names.items())),
        document=json.dumps(document, indent=2, ensure_ascii=False) if document is not None else "",
    )


def _title(found: Inspection) -> str:
    claims, kind = found.verdict.claims, found.verdict.type
    if claims is None:
        return "Unreadable"
    words = kind.replace("_", " ").capitalize() if kind else "Claims of another type"
    return f"{words} “{claims.name}”" if claims.name else words


def _verdict(found: Inspection) -> shown.State:
    verdict = found.verdict
    if not verdict.ok:
        return _state("Refused", "danger")
    if verdict.blocking:
        return _state("Blocking errors", "danger")
    if verdict.blocking_with_time_checks:
        return _state("Not valid at this time", "warn")
    if any(link.tone == "danger" for link in found.chain):
        return _state("Valid, but refused by what is known here", "warn")
    return _state("Valid", "ok")


def _sections(found: Inspection, now: int) -> tuple[describing.Table, ...]:
    claims = found.verdict.claims
    if claims is None:
        return ()
    try:
        return describing.tables(claims, lambda key: found.names.get(key, ""), now)
    except IdentityError:  # nsc describes nothing of this type; the document below says it all
        return ()


def _finding(issue: Issue) -> describing.Finding:
    tone, word = _GRADES[issue.grade]
    return describing.Finding(tone=tone, word=word, path=issue.path, message=issue.message)


def _key(key: str, name: str) -> NamedKey:
    kind = kind_of(key)
    return NamedKey(key=shown.chip(key), what=kind.value if kind else "", name=name, url=addresses.find(key))


def _state(word: str, tone: str) -> shown.State:
    return shown.State(word=word, tone=tone, icon=_ICONS[tone])
