"""The permission tester: may this user publish, subscribe, request? The answer is nats-server's, with the rule.

Order of things in nats-server 2.9 to 2.15 (`parser.go`, `client.go`): the account's mappings change the subject, then
the user's permissions are asked about what it has become, then service imports take it to another account.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from identities.claims import explain_hints as hints
from identities.claims import explain_imports as imports
from identities.claims import explain_lists as lists
from identities.claims import explain_login, explain_mapping, explain_rules, templates
from identities.claims.errors import ClaimsError
from identities.claims.explain_types import (
    Answer,
    Decision,
    Place,
    Question,
    Rules,
    Sent,
    Situation,
    Verb,
    Verdict,
    Whose,
)
from identities.claims.subjects import has_wildcards, is_strict_valid

_REPLY = "0123456789ABCDEFGHIJKL"
"""As long as what clients put behind the inbox prefix."""


class BadQuestion(ClaimsError):
    """What is asked about is no subject, or none that can be published to."""

    code = "bad-question"


@dataclass(frozen=True, slots=True)
class Tester:
    """A situation with its lists drawn up, for many questions. `rules` is None where the user can't log in."""

    situation: Situation
    rules: Rules | None
    obstacles: tuple[tuple[str, Place], ...]

    @classmethod
    def of(cls, situation: Situation) -> Tester:
        """Draw the lists up."""
        obstacles = list(explain_login.obstacles(situation))
        try:
            rules = explain_rules.rules_of(situation)
        except templates.LoginRefused as refused:
            obstacles.append(explain_login.unfit(situation, refused))
            rules = None
        return cls(situation, None if obstacles else rules, tuple(obstacles))

    def ask(self, question: Question) -> Answer:
        """Answer by nats-server's rules.

        Raises: BadQuestion.
        """
        _check(question)
        if self.rules is None:
            reason, place = self.obstacles[0]
            reason = f"It can't log in. {reason}"
            return Answer(
                question=question, verdict=Verdict.NO, reason=reason, place=place, hints=(hints.LOGIN,)
            )
        match question.verb:
            case Verb.PUBLISH:
                return _publish(self.situation, self.rules, question)
            case Verb.SUBSCRIBE:
                return _subscribe(self.situation, self.rules, question)
        return _request(self.situation, self.rules, question)


def ask(situation: Situation, question: Question) -> Answer:
    """One question about a situation; see `Tester`."""
    return Tester.of(situation).ask(question)


def _check(question: Question) -> None:
    subject = question.subject
    if not is_strict_valid(subject):
        raise BadQuestion(
            f"“{subject}” is no subject: tokens between dots, none empty, no blanks, > only at the end.",
            field="subject",
        )
    if question.verb is not Verb.SUBSCRIBE and has_wildcards(subject):
        raise BadQuestion(
            f"Messages go to subjects without wildcards: put a word in place of each * and > of “{subject}”.",
            field="subject",
        )
    if question.queue and not is_strict_valid(question.queue):
        raise BadQuestion(f"“{question.queue}” is no name of a queue group.", field="queue")
    if not is_strict_valid(question.inbox) or has_wildcards(question.inbox):
        raise BadQuestion(f"“{question.inbox}” is no beginning of an inbox.", field="inbox")


def _publish(situation: Situation, rules: Rules, question: Question) -> Answer:
    subject = question.subject
    account = situation.account
    mapped = () if question.mapped else explain_mapping.mapped(account, subject, cluster=situation.cluster)
    if not mapped:
        decision = _may_publish(situation, rules, subject)
        sent: tuple[Sent, ...] = (_sent(situation, subject, decision),)
    else:
        sent = tuple(
            replace(
                _sent(situation, outcome.subject, _may_publish(situation, rules, outcome.subject)),
                outcome=outcome,
            )
            for outcomes in mapped
            for outcome in outcomes
        )
    verdict, deciding = _together(sent)
    reason, place = deciding.decision.reason, deciding.decision.place
    if mapped:
        reason = hints.mapped_reason(subject, deciding, mapped, verdict)
    return Answer(
        question=question,
        verdict=verdict,
        reason=reason,
        place=place,
        sent=sent,
        hints=(
            *hints.of_publishing(situation, rules, sent),
            *(hints.of_mapped(situation, subject) if question.mapped else ()),
        ),
    )


def _may_publish(situation: Situation, rules: Rules, subject: str) -> Decision:
    if not subject:  # a weighted mapping lets some messages go nowhere
        allowed = rules.pub_allow is None
        return Decision(allowed=allowed, reason=hints.lost(allowed=allowed))
    return lists.may_publish(
        rules,
        subject,
        system=situation.account.sub == situation.system_account,
        callout=_callout(situation),
    )


def _callout(situation: Situation) -> Place | None:
    account = situation.account
    if not account.nats.authorization.auth_users:
        return None
    return Place(whose=Whose.ACCOUNT, key=account.sub, path="nats.authorization.auth_users")


def _sent(situation: Situation, subject: str, decision: Decision) -> Sent:
    lands = decision.allowed or decision.answers is not None
    landings = imports.services(situation, subject) if subject and lands else ()
    return Sent(subject=subject, decision=decision, landings=landings)


def _together(sent: tuple[Sent, ...]) -> tuple[Verdict, Sent]:
    """The verdict over all that may happen, and the part of it that decides."""
    refused = [one for one in sent if not one.decision.allowed]
    lost = [one for one in sent if one.decision.allowed and not one.subject]
    if not refused:
        return (Verdict.SOMETIMES, lost[0]) if lost and len(lost) < len(sent) else (Verdict.YES, sent[0])
    if len(refused) < len(sent) or all(one.decision.answers for one in refused):
        return Verdict.SOMETIMES, refused[0]
    return Verdict.NO, refused[0]


def _subscribe(situation: Situation, rules: Rules, question: Question) -> Answer:
    decision = lists.may_subscribe(rules, question.subject, question.queue)
    withheld = lists.withheld(rules, question.subject, question.queue) if decision.allowed else ()
    arrivals = imports.streams(situation, question.subject) if decision.allowed else ()
    return Answer(
        question=question,
        verdict=Verdict.YES if decision.allowed else Verdict.NO,
        reason=decision.reason,
        place=decision.place,
        withheld=withheld,
        arrivals=arrivals,
        hints=tuple(hints.of_subscribing(situation, rules, question, decision)),
    )


def _request(situation: Situation, rules: Rules, question: Question) -> Answer:
    """A request is a publication with a reply address, to which its client has subscribed before."""
    published = _publish(situation, rules, question)
    reply = f"{question.inbox}.{_REPLY}.*"
    inbox = _subscribe(situation, rules, Question(verb=Verb.SUBSCRIBE, subject=reply, inbox=question.inbox))
    if lists.is_reserved_reply(reply):
        reason = hints.reserved_inbox(question.inbox)
        inbox = replace(
            inbox, verdict=Verdict.NO, reason=reason, place=Place(whose=Whose.SERVER, key="", path="")
        )
    if inbox.verdict is Verdict.YES or published.verdict is Verdict.NO:
        return replace(published, inbox=inbox)
    return replace(
        published,
        verdict=Verdict.NO,
        reason=hints.no_inbox(inbox, question.inbox),
        place=inbox.place,
        inbox=inbox,
        hints=(*published.hints, *hints.for_inbox(rules, question.inbox)),
    )
