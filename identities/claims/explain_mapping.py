"""What an account's mappings make of a published subject, before permissions are looked at.

Source: nats-server `accounts.go AddWeightedMappings`, `selectMappedSubject`; `parser.go` maps first, then publishes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from identities.claims.account import AccountBody
from identities.claims.common import Claims
from identities.claims.explain_types import Outcome, Place, Whose
from identities.claims.mappings import WeightedMapping
from identities.claims.subjects import has_wildcards, is_strict_valid
from identities.claims.transforms import Transform, TransformRefused, tokenized

ALL = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    transform: Transform
    share: int
    path: str
    entry: str


def mapped(
    account: Claims[AccountBody], subject: str, *, cluster: str | None, whose: Whose = Whose.ACCOUNT
) -> tuple[tuple[Outcome, ...], ...]:
    """The outcomes for each mapping whose source takes the literal `subject`; none: the subject stays as it is.

    With several the server takes whichever it has loaded first: JSON objects have no order in Go.
    """
    mappings = account.nats.mappings
    if not mappings:
        return ()
    tokens = subject.split(".")
    found = []
    for source, targets in mappings.items():
        if is_strict_valid(source) and _takes(source, subject, tokens):
            outcomes = _outcomes(account, source, targets, tokens, cluster, whose)
            if outcomes is not None:
                found.append(outcomes)
    return tuple(found)


def problem(source: str, targets: Sequence[WeightedMapping]) -> str:
    """Why nats-server drops this mapping, "" when it takes it."""
    try:
        _clusters(source, targets)
    except TransformRefused as refused:
        return refused.user_message
    return ""


def ways(source: str, targets: Sequence[WeightedMapping]) -> tuple[Transform, ...]:
    """What a mapping may do to a subject, in any cluster; () when nats-server drops it."""
    if not is_strict_valid(source):
        return ()
    try:
        clusters = _clusters(source, targets)
    except TransformRefused:
        return ()
    return tuple(target.transform for chosen in clusters.values() for target in chosen)


def _takes(source: str, subject: str, tokens: Sequence[str]) -> bool:
    """As `isSubsetMatch` does, which takes every token that only begins with `*` for a wildcard."""
    if source == subject:
        return True
    theirs = source.split(".")
    if theirs[-1] == ">":
        if len(tokens) < len(theirs):
            return False
        theirs = theirs[:-1]
    elif len(tokens) != len(theirs):
        return False
    return all(their[0] == "*" or their == our for their, our in zip(theirs, tokens, strict=False))


def _outcomes(
    account: Claims[AccountBody],
    source: str,
    targets: Sequence[WeightedMapping],
    tokens: Sequence[str],
    cluster: str | None,
    whose: Whose,
) -> tuple[Outcome, ...] | None:
    """None when the server drops the mapping."""
    try:
        clusters = _clusters(source, targets)
    except TransformRefused:
        return None
    if cluster is not None:
        clusters = {"": clusters.get(cluster, clusters[""])}
    apart = len(clusters) > 1
    # A literal source is found before the subject is cut into tokens, unless another mapping was tried before.
    literal = not has_wildcards(source)
    seen = [(), tokens] if literal and len(account.nats.mappings) > 1 else [()] if literal else [tokens]
    found = []
    for name, chosen in clusters.items():
        where = name if apart else None
        for target in chosen:
            place = Place(whose=whose, key=account.sub, path=target.path, entry=target.entry)
            results = dict.fromkeys(
                result for given in seen for result in target.transform.apply(given or ("",))
            )
            share = target.share if len(results) == 1 else max(target.share // len(results), 1)
            found += [Outcome(subject=result, share=share, cluster=where, place=place) for result in results]
        lost = ALL - sum(target.share for target in chosen)
        if lost > 0:
            place = Place(whose=whose, key=account.sub, path=f"nats.mappings.{source}", entry=source)
            found.append(Outcome(subject="", share=lost, cluster=where, place=place))
    return tuple(found)


def _clusters(source: str, targets: Sequence[WeightedMapping]) -> dict[str, list[_Target]]:
    """The targets of each cluster, "" for any other, with what remains for the source itself.

    Raises: TransformRefused where the server drops the whole mapping.
    """
    found: dict[str, list[_Target]] = {"": []}
    seen: set[str] = set()
    for index, target in enumerate(targets):
        if target.subject in seen:
            raise TransformRefused(f"“{target.subject}” stands twice.")
        seen.add(target.subject)
        mine = found.setdefault(target.cluster, [])
        share = target.weight or ALL
        if share > ALL or sum(each.share for each in mine) + share > ALL:
            raise TransformRefused("the weights come to more than 100.")
        path = f"nats.mappings.{source}[{index}]"
        transform = Transform.of(source, target.subject)
        mine.append(_Target(transform=transform, share=share, path=path, entry=target.subject))
    for chosen in found.values():
        rest = ALL - sum(target.share for target in chosen)
        if rest and source not in seen:
            itself = Transform.of(source, tokenized(source))
            chosen.append(_Target(transform=itself, share=rest, path=f"nats.mappings.{source}", entry=source))
    return found
