"""Where nats-server sends a message by an account's mappings: destinations with their shares, and one subject's ways.

Source: nats-server 2.15 `accounts.go AddWeightedMappings, selectMappedSubject`, `subject_transform.go`; spec §3.3.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from identities.claims.mapping_functions import NoFunction, computed, function
from identities.claims.mappings import WeightedMapping
from identities.claims.subjects import has_wildcards, is_strict_valid, matches, overlaps, wildcard_count


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """One way of a mapped message: `target` as written ("" for the rest that stays where it was), percent of all."""

    target: str
    weight: int

    @property
    def stays(self) -> bool:
        """True for the rest that nobody took."""
        return not self.target


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The ways in one cluster ("" = wherever no other group is): `total` percent are mapped, `lost` percent vanish."""

    cluster: str
    total: int
    lost: int
    shares: tuple[Share, ...]


def groups(source: str, targets: Sequence[WeightedMapping]) -> tuple[Group, ...]:
    """How the messages on `source` are shared out, the group for every other cluster first.

    What the weights leave over stays on the source, unless the source stands among the targets: then it is lost.
    """
    listed = any(target.subject == source for target in targets)
    clusters = dict.fromkeys(("", *(target.cluster for target in targets)))
    return tuple(
        _group(cluster, [target for target in targets if target.cluster == cluster], source_is_listed=listed)
        for cluster in clusters
    )


def _group(cluster: str, targets: Sequence[WeightedMapping], *, source_is_listed: bool) -> Group:
    shares = [Share(target=target.subject, weight=target.weight or 100) for target in targets]
    total = sum(share.weight for share in shares)
    rest = max(0, 100 - total)
    lost = rest if source_is_listed else 0
    if rest > lost:
        shares.append(Share(target="", weight=rest))
    return Group(cluster=cluster, total=total, lost=lost, shares=tuple(shares))


def mapped(source: str, target: str, subject: str) -> str:
    """What `subject`, which `source` matches, becomes by `target`; a random number reads `<0-4>`, a choice `<2|5>`.

    Raises:
        NoFunction: the target can't be computed; the server drops its whole mapping.
    """
    pattern, tokens = source.split("."), [token.encode() for token in subject.split(".")]
    held = [token for token, place in zip(tokens, pattern, strict=False) if place == "*"]
    made: list[bytes] = []
    for part in target.split("."):
        if part in (">",):
            made += tokens[len(pattern) - 1 :]
            break
        called = function(part, len(held))
        made.append(
            part.encode()
            if called is None
            else computed(called, held, subject.encode(), is_wild=has_wildcards(source))
        )
    return b".".join(made).decode(errors="replace")


def is_sample(subject: str) -> bool:
    """True for a subject that a message can be published on: valid, and without wildcards."""
    return is_strict_valid(subject) and not any(token in ("*", ">") for token in subject.split("."))


def sources_of(subject: str, mappings: Mapping[str, object]) -> tuple[str, ...]:
    """The sources of `mappings` that match the literal `subject`; of several, chance decides which one is taken."""
    return tuple(source for source in mappings if matches(subject, source))


def overlapping(sources: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Pairs of sources that some subject matches both of: each server takes the one it happened to load first."""
    known = list(sources)
    wild = [source for source in known if ">" in source or "*" in source]
    by_token: dict[str, list[str]] = {}
    for source in known:
        by_token.setdefault(source.split(".", 1)[0], []).append(source)
    seen: set[tuple[str, str]] = set()
    for one in wild:
        first = one.split(".", 1)[0]
        near = (
            known
            if first in ("*", ">")
            else [*by_token[first], *by_token.get("*", ()), *by_token.get(">", ())]
        )
        for other in near:
            pair = (min(one, other), max(one, other))
            if one != other and pair not in seen and overlaps(one, other):
                seen.add(pair)
                yield pair


def problem(source: str, target: str) -> str:
    """Why the server could not make a transform of `source` to `target` for its functions' sake; "" when it can."""
    try:
        for token in target.split("."):
            function(token, wildcard_count(source))
    except NoFunction as refused:
        return refused.user_message
    return ""
