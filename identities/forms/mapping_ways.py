"""How a mapping shares messages out, in words: what its form and the list of mappings show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from identities.claims import mapping_routes
from identities.claims.mapping_functions import NoFunction
from identities.claims.mappings import WeightedMapping
from identities.claims.subjects import matches


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One share of the messages as the form shows it: `becomes` is what the sample turns into."""

    weight: str
    target: str
    stays: bool = False
    becomes: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """The shares in one cluster, with their sum in words; `tone` is ok, warn or danger."""

    where: str
    sum: str
    tone: str
    icon: str
    ways: tuple[Way, ...]


def ways_of(source: str, targets: Sequence[WeightedMapping], sample: str = "") -> Iterator[Ways]:
    """The shares of a mapping in words, cluster by cluster."""
    wanted = sample if sample and matches(sample, source) and mapping_routes.is_sample(sample) else ""
    found = mapping_routes.groups(source, targets)
    for group in found:
        if group.total == 0 and len(found) == 1:
            continue
        where = (
            f"in cluster {group.cluster}"
            if group.cluster
            else ("in other clusters" if len(found) > 1 else "")
        )
        tone, icon = ("danger", "circle-x") if group.total > 100 else ("ok", "circle-check")
        words = f"{group.total} % mapped"
        if group.lost:
            tone, icon, words = "warn", "triangle-alert", f"{words}, {group.lost} % lost"
        shares = tuple(_way(source, share, wanted) for share in group.shares)
        yield Ways(where=where, sum=words, tone=tone, icon=icon, ways=shares)


def _way(source: str, share: mapping_routes.Share, sample: str) -> Way:
    weight = f"{share.weight} %"
    if share.stays:
        return Way(weight=weight, target="stays where it was published", stays=True, becomes=sample)
    try:
        becomes = mapping_routes.mapped(source, share.target, sample) if sample else ""
        return Way(weight=weight, target=share.target, becomes=becomes)
    except NoFunction as refused:
        return Way(weight=weight, target=share.target, problem=refused.user_message)
