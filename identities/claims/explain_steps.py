"""An answer of the permission tester as sentences: the headline, what happens on the way, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from identities.claims.explain_types import Answer, Landing, Place, Question, Sent, Verb, Verdict
from identities.claims.explain_words import percent

_MOST = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that happens: `tone` is ok, warn, danger or muted."""

    text: str
    tone: str
    place: Place | None = None


def headline(answer: Answer, name: str) -> str:
    """The verdict as a sentence about the user `name`."""
    question = answer.question
    what = {
        Verb.PUBLISH: f"publish to `{question.subject}`",
        Verb.SUBSCRIBE: f"subscribe to `{question.subject}`",
        Verb.REQUEST: f"make requests on `{question.subject}`",
    }[question.verb]
    group = (
        f" in the queue group `{question.queue}`"
        if question.queue and question.verb is Verb.SUBSCRIBE
        else ""
    )
    match answer.verdict:
        case Verdict.YES:
            return f"Yes: {name} may {what}{group}."
        case Verdict.NO:
            return f"No: {name} may not {what}{group}."
    return f"Sometimes: whether {name} may {what}{group} depends."


def steps(answer: Answer) -> tuple[Step, ...]:
    """What happens to a message or subscription on the way, in order; a cut list ends with how many there are more."""
    found = list(_steps(answer))
    if len(found) > _MOST:
        found[_MOST:] = [Step(text=f"And {len(found) - _MOST} more.", tone="muted")]
    return tuple(found)


def _steps(answer: Answer) -> Iterator[Step]:
    for sent in answer.sent:
        yield from _sent(answer.question, sent, alone=len(answer.sent) == 1)
    for entry in answer.withheld:
        group = f" in the queue group `{entry.queue}`" if entry.queue else ""
        text = f"Messages on `{entry.subject}`{group} are held back: a deny takes them out of what is subscribed to."
        yield Step(text=text, tone="warn", place=entry.place)
    for landing in answer.arrivals:
        yield _arrival(landing)
    if answer.inbox is not None:
        inbox = answer.inbox
        tone = "ok" if inbox.verdict is Verdict.YES else "danger"
        word = "can" if inbox.verdict is Verdict.YES else "can't"
        text = f"The answer {word} arrive at an inbox below `{answer.question.inbox}`. {inbox.reason}"
        yield Step(text=text, tone=tone, place=inbox.place)


def _sent(question: Question, sent: Sent, *, alone: bool) -> Iterator[Step]:
    if sent.outcome is not None:
        where = f", in the cluster {sent.outcome.cluster}" if sent.outcome.cluster else ""
        where = ", outside of the clusters named in the mapping" if sent.outcome.cluster == "" else where
        becomes = f"becomes `{sent.subject}`" if sent.subject else "goes nowhere"
        text = f"A mapping: `{question.subject}` {becomes} ({percent(sent.outcome.share)}{where})."
        yield Step(text=text, tone="muted", place=sent.outcome.place)
    if sent.outcome is not None and not alone and sent.subject:
        allowed = sent.decision.allowed
        tone = "ok" if allowed else "warn" if sent.decision.answers else "danger"
        yield Step(text=sent.decision.reason, tone=tone, place=sent.decision.place)
    for landing in sent.landings:
        yield _landing(landing)


def _landing(landing: Landing) -> Step:
    if landing.problem:
        text = f"A service import should take `{landing.local}` to {_account(landing)}, but does not: "
        text += f"{landing.problem}."
        return Step(text=text, tone="warn", place=landing.place)
    text = f"A service import takes `{landing.local}` to {_account(landing)}, as `{landing.subject}` there."
    return Step(text=text, tone="ok", place=landing.place)


def _arrival(landing: Landing) -> Step:
    if landing.problem:
        text = (
            f"A stream import should bring `{landing.subject}` of {_account(landing)} in as `{landing.local}`, but "
            f"does not: {landing.problem}."
        )
        return Step(text=text, tone="warn", place=landing.place)
    text = f"A stream import brings `{landing.subject}` of {_account(landing)} in as `{landing.local}`."
    return Step(text=text, tone="ok", place=landing.place)


def _account(landing: Landing) -> str:
    return f"the account “{landing.name}”" if landing.name else f"the account {landing.account}"


def as_json(answer: Answer) -> dict[str, Any]:
    """An answer for programs."""
    return {
        "verb": answer.question.verb.value,
        "subject": answer.question.subject,
        "queue": answer.question.queue or None,
        "verdict": answer.verdict.value,
        "reason": answer.reason,
        "rule": _place(answer.place),
        "steps": [{"text": step.text, "rule": _place(step.place)} for step in steps(answer)],
        "hints": list(answer.hints),
    }


def _place(place: Place | None) -> dict[str, str] | None:
    return None if place is None else {name: str(value) for name, value in asdict(place).items()}
