"""Why nats-server would silently drop a subject mapping that the Go library lets pass.

Source: nats-server `accounts.go AddWeightedMappings` and `subject_transform.go`; spec §3.3.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from identities.claims.mapping_routes import overlapping, problem
from identities.claims.mappings import WeightedMapping
from identities.claims.stricter_concerns import Concern, subject_concerns
from identities.claims.subjects import tokens
from identities.claims.validate_text import quote


def mapping_concerns(mappings: Mapping[str, Sequence[WeightedMapping]]) -> Iterator[Concern]:
    """Sources, targets and doubles of every mapping."""
    for source, targets in mappings.items():
        path = f"nats.mappings.{source}"
        yield from subject_concerns(path, source)
        seen: set[str] = set()
        for index, target in enumerate(targets):
            where = f"{path}[{index}].subject"
            if target.subject in seen:
                message = f"{quote(target.subject)} stands twice for {quote(source)}: nats-server drops such a mapping"
                yield Concern(where, f"{target.subject} #{index}", f"{message}, even for different clusters")
            seen.add(target.subject)
            if found := _target_problem(source, target.subject):
                message = f"nats-server drops the mapping of {quote(source)}: {found}"
                yield Concern(where, f"{source} {target.subject}", message)
    for one, other in overlapping(mappings):
        message = (
            f"{quote(one)} and {quote(other)} match some of the same subjects: which mapping takes those is left to "
            "chance, and may differ from server to server"
        )
        yield Concern(f"nats.mappings.{one}", f"{one} {other}", message, only_advice=True)


def _target_problem(source: str, target: str) -> str:
    parts = tokens(target)
    if "" in parts or " " in target:
        return ""  # Go's findings
    if "*" in parts or ">" in parts[:-1]:
        return f"target {quote(target)} must name wildcards by {{{{wildcard(1)}}}} or $1, and `>` only at its end"
    if (parts[-1] == ">") != (tokens(source)[-1] == ">"):
        return f"source and target {quote(target)} must both end in `>`, or neither"
    return problem(source, target)
