"""What a person should know beside the verdict: near misses, what a request needs, where messages do not arrive."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from identities.claims import explain_lists as lists
from identities.claims.explain_types import (
    Answer,
    Decision,
    Outcome,
    Question,
    Rules,
    Sent,
    Situation,
    Verdict,
)
from identities.claims.subjects import overlaps

LOGIN = (
    "This is about the JWT and the account as they stand here; servers may have an earlier version of either."
)
_API = "$JS.API."
_MOST = 3


def of_publishing(situation: Situation, rules: Rules, sent: Sequence[Sent]) -> Iterator[str]:
    """About subjects that are refused, and about JetStream."""
    found: dict[str, None] = {}
    for one in sent:
        if not one.decision.allowed and rules.pub_allow:
            found.update(dict.fromkeys(lists.near_misses(one.subject, rules.pub_allow)))
        if one.subject.startswith(_API) and not situation.account.nats.limits.jetstream_enabled:
            found[
                "JetStream is off for this account: nobody answers there. Its storage limits turn it on."
            ] = None
    yield from list(found)[:_MOST]
    yield from _dropped(rules, "pub")


def of_mapped(situation: Situation, subject: str) -> Iterator[str]:
    """Where a subject in an error may come from: what the client published on was mapped before."""
    for source, targets in situation.account.nats.mappings.items():
        for target in targets:
            words = [
                "*" if word[:1] == "$" and word[1:].isdigit() else word for word in target.subject.split(".")
            ]
            pattern = ".".join("*" if word.startswith("{{") else word for word in words)
            if overlaps(pattern, subject):
                yield f"A mapping of the account makes this of `{source}`: the client may have published there."
                break


def of_subscribing(
    situation: Situation, rules: Rules, question: Question, decision: Decision
) -> Iterator[str]:
    """About subscriptions that are refused, and about mapped subjects, on which nothing arrives."""
    if not decision.allowed and rules.sub_allow:
        yield from list(dict.fromkeys(lists.near_misses(question.subject, rules.sub_allow)))[:_MOST]
    if decision.allowed:
        sources = [source for source in situation.account.nats.mappings if overlaps(source, question.subject)]
        for source in sources[:_MOST]:
            yield (
                f"A mapping of the account takes what clients publish on `{source}` elsewhere: subscribers hear it "
                "under the subject it is mapped to."
            )
    yield from _dropped(rules, "sub")


def _dropped(rules: Rules, side: str) -> Iterator[str]:
    """Entries of the role that are nothing for this user."""
    for place in [place for place in rules.dropped if f".{side}." in place.path][:_MOST]:
        yield f"`{place.entry}` of the role “{rules.name}” comes out as no subject for this user and is left out."


def mapped_reason(subject: str, deciding: Sent, mapped: Sequence[Sequence[Outcome]], verdict: Verdict) -> str:
    """The sentence about a subject that a mapping changes before anybody looks at permissions."""
    if len(mapped) > 1:
        several = f"{len(mapped)} mappings of the account take `{subject}`, and which one wins is chance."
    elif len(mapped[0]) > 1:
        several = f"A mapping of the account spreads `{subject}` over several subjects."
    else:
        several = f"A mapping of the account turns `{subject}` into `{deciding.subject}`."
    asked = " Permissions are asked about what it becomes."
    if verdict is Verdict.SOMETIMES and deciding.subject:
        return f"{several}{asked} For `{deciding.subject}`: {deciding.decision.reason}"
    return f"{several}{asked} {deciding.decision.reason}"


def lost(*, allowed: bool) -> str:
    """The weights of a mapping come to less than 100, and its source is among the targets."""
    what = "goes nowhere" if allowed else 'is refused as one on "" would be'
    return f"The weights of the mapping come to less than 100 and it names its own source: the rest {what}."


def no_inbox(inbox: Answer, prefix: str) -> str:
    """A request whose answer can't arrive."""
    return (
        f"The request itself may be sent, but its answer can't arrive: the client first subscribes to an inbox below "
        f"`{prefix}`, and that is refused. {inbox.reason}"
    )


def reserved_inbox(prefix: str) -> str:
    """An inbox prefix that the server keeps for itself."""
    return f"nats-server takes no reply address below `{prefix}`."


def for_inbox(rules: Rules, prefix: str) -> Iterator[str]:
    """How to let answers in."""
    yield f"Allow subscribing to `{prefix}.>`: “Can make requests” on the edit page writes `_INBOX.>`."
    own = [entry.subject for entry in rules.sub_allow or () if "INBOX" in entry.subject.upper()]
    for subject in own[:1]:
        yield (
            f"`{subject}` is allowed: a client that sets its inbox prefix to `{subject.removesuffix('.>')}` gets its "
            "answers there."
        )
