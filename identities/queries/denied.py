"""Why something was denied: each denial in a text, with the user it is about and the permission tester's answer."""

from __future__ import annotations

from dataclasses import dataclass

from identities.claims import explain
from identities.claims.errors import ClaimsError
from identities.claims.explain_types import Answer, Place, Question, Verb, Verdict
from identities.formats import denials
from identities.formats.denial_words import MEANINGS, Meaning
from identities.formats.denials import Denial, Kind
from identities.models import User
from identities.policy.principal import Principal
from identities.queries import situations

_LOGIN = frozenset(
    {
        Kind.AUTHORIZATION, Kind.EXPIRED, Kind.ACCOUNT_EXPIRED, Kind.REVOKED, Kind.BEARER, Kind.ISSUER,
        Kind.TEMPLATE, Kind.ACCOUNT, Kind.SIGNATURE,
    }
)  # fmt: skip
SMALL = (
    "The client wrote the subject in small letters, as nats-py does with all that a server says. Where it has "
    "capitals, ask again with them."
)
MAY_NOW = (
    "By what stands here it may. Then the server has an earlier version of the account's JWT, or the client uses creds "
    "from before the user's last change: neither learns of an edit by itself."
)
NOBODY = "The text names no user: choose one to see which of its rules decides."
NOTHING = (
    "Nothing in the user's or account's JWT as they stand here keeps it out. Look at the creds that the client "
    "uses (from before a change? of another user?), and at whether the servers have the account's current JWT."
)
UNKNOWN = "The user in the text is not known here."


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """One denial: what it means, whose it is, what the tester says, and what keeps the user out, if anything does."""

    denial: Denial
    meaning: Meaning
    user: User | None = None
    answer: Answer | None = None
    obstacles: tuple[tuple[str, Place], ...] = ()
    notes: tuple[str, ...] = ()


def explained(principal: Principal, text: str, chosen: User | None, *, now: int) -> tuple[Explained, ...]:
    """Every denial in `text`; () when nothing in it is known. `chosen` is the user where the text names none."""
    found = denials.parse(text)
    known = situations.by_key(principal, [one.user for one in found if one.user])
    told: dict[str, explain.Tester] = {}
    answers = []
    for one in found:
        user = known.get(one.user) if one.user else chosen
        if user is not None and user.public_key not in told:
            told[user.public_key] = explain.Tester.of(situations.of(principal, user, now=now))
        answers.append(_explained(one, user, told[user.public_key] if user is not None else None))
    return tuple(answers)


def _explained(one: Denial, user: User | None, tester: explain.Tester | None) -> Explained:
    meaning = MEANINGS[one.kind]
    if user is None or tester is None:
        missing = UNKNOWN if one.user else NOBODY
        wanted = one.kind in (Kind.PUBLISH, Kind.SUBSCRIBE) or one.kind in _LOGIN or one.user
        return Explained(denial=one, meaning=meaning, notes=(missing,) if wanted else ())
    if one.kind in _LOGIN:
        notes = () if tester.obstacles else (NOTHING,)
        return Explained(denial=one, meaning=meaning, user=user, obstacles=tester.obstacles, notes=notes)
    question = _question(one)
    if question is None:
        return Explained(denial=one, meaning=meaning, user=user)
    said = [SMALL] if one.small else []
    try:
        answer = tester.ask(question)
    except ClaimsError as refused:
        return Explained(denial=one, meaning=meaning, user=user, notes=(refused.user_message, *said))
    if answer.verdict is Verdict.YES:
        said.insert(0, MAY_NOW)
    return Explained(denial=one, meaning=meaning, user=user, answer=answer, notes=tuple(said))


def _question(one: Denial) -> Question | None:
    if one.kind is Kind.PUBLISH:
        return Question(verb=Verb.PUBLISH, subject=one.subject, mapped=True)
    if one.kind is Kind.SUBSCRIBE:
        return Question(verb=Verb.SUBSCRIBE, subject=one.subject, queue=one.queue)
    return None
