"""What the permission tester and the explainer say, as strings."""

from __future__ import annotations

from dataclasses import dataclass

from identities.claims import explain_steps
from identities.claims.explain_types import Answer, Place, Verb, Verdict, Whose
from identities.formats.denials import Kind
from identities.models import User
from identities.policy.principal import Principal
from identities.queries.denied import Explained
from identities.views import explain_links, shown

_VERDICTS = {
    Verdict.YES: ("Yes", "ok", "circle-check"),
    Verdict.NO: ("No", "danger", "circle-x"),
    Verdict.SOMETIMES: ("Sometimes", "warn", "triangle-alert"),
}
_ICONS = {"ok": "circle-check", "warn": "triangle-alert", "danger": "circle-x", "muted": "info"}
_WHOSE = {
    Whose.USER: "the user",
    Whose.ROLE: "a role of the account",
    Whose.ACCOUNT: "the account",
    Whose.OTHER: "another account",
    Whose.SERVER: "nats-server itself",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownPlace:
    """The field that decides; `url` leads to where it is edited or shown."""

    whose: str
    path: str
    entry: str
    became: str
    url: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownStep:
    """One thing that happens on the way."""

    text: str
    tone: str
    icon: str
    url: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownAnswer:
    """All that the page says about one question."""

    verdict: shown.State
    headline: str
    reason: str
    rule: ShownPlace | None
    steps: tuple[ShownStep, ...]
    hints: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownDenial:
    """One denial: what it means, whose it is, and the tester's answer."""

    title: str
    said: str
    text: str
    advice: str
    who: str
    user_url: str
    user_key: shown.Chip | None
    ask_url: str
    answer: ShownAnswer | None
    obstacles: tuple[ShownStep, ...]
    notes: tuple[str, ...]


def answer(given: Answer, user: User, principal: Principal) -> ShownAnswer:
    """An answer in words."""
    word, tone, icon = _VERDICTS[given.verdict]
    return ShownAnswer(
        verdict=shown.State(word=word, tone=tone, icon=icon),
        headline=explain_steps.headline(given, user.name),
        reason=given.reason,
        rule=_place(given.place, user, principal) if given.place is not None else None,
        steps=tuple(_step(step, user, principal) for step in explain_steps.steps(given)),
        hints=given.hints,
    )


def denial(found: Explained, principal: Principal) -> ShownDenial:
    """A denial in words."""
    user = found.user
    return ShownDenial(
        title=found.meaning.title,
        said=found.denial.said,
        text=found.meaning.text,
        advice=found.meaning.advice,
        who=f"{user.name} of {user.account.name}" if user is not None else "",
        user_url=shown.user_url("user", user) if user is not None else "",
        user_key=shown.chip(user.public_key if user is not None else found.denial.user)
        if user is not None or found.denial.user
        else None,
        ask_url=_ask_url(found),
        answer=answer(found.answer, user, principal)
        if found.answer is not None and user is not None
        else None,
        obstacles=tuple(
            _step(explain_steps.Step(text=text, tone="danger", place=place), user, principal)
            for text, place in found.obstacles
        )
        if user is not None
        else (),
        notes=found.notes,
    )


def _ask_url(found: Explained) -> str:
    """The page where a request of this user can be asked about, for what says nothing of permissions itself."""
    if found.user is None or found.denial.kind not in (Kind.NO_RESPONDERS, Kind.TIMEOUT):
        return ""
    return f"{shown.user_url('user-explain', found.user)}?verb={Verb.REQUEST}"


def _place(place: Place, user: User, principal: Principal) -> ShownPlace:
    url, label = explain_links.url_of(place, user, principal)
    return ShownPlace(
        whose=_WHOSE[place.whose],
        path=place.path,
        entry=place.entry,
        became=place.became if place.became != place.entry else "",
        url=url,
        label=label,
    )


def _step(step: explain_steps.Step, user: User, principal: Principal) -> ShownStep:
    url, label = explain_links.url_of(step.place, user, principal) if step.place is not None else ("", "")
    return ShownStep(text=step.text, tone=step.tone, icon=_ICONS[step.tone], url=url, label=label)
