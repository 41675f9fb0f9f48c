"""Why nats-server would silently drop a subject mapping that the Go library lets pass.

Source: nats-server `accounts.go AddWeightedMappings` and `subject_transform.go`; spec §3.3.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from identities.claims.mappings import WeightedMapping
from identities.claims.stricter_concerns import Concern, subject_concerns
from identities.claims.subjects import tokens, wildcard_count
from identities.claims.validate_text import quote

_FUNCTION = re.compile(r"\{\{\s*([a-z]+)\s*\(([^()]*)\)\s*\}\}", re.IGNORECASE)
_ARGUMENTS = {
    "wildcard": r"\d+",
    "partition": r"\d+(,\d+)*",
    "split": r"\d+,[^,]+",
    "splitfromleft": r"\d+,\d+",
    "splitfromright": r"\d+,\d+",
    "slicefromleft": r"\d+,\d+",
    "slicefromright": r"\d+,\d+",
    "left": r"\d+,\d+",
    "right": r"\d+,\d+",
    "random": r"\d+",
}


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
            if problem := _target_problem(source, target.subject):
                message = f"nats-server drops the mapping of {quote(source)}: {problem}"
                yield Concern(where, f"{source} {target.subject}", message)


def _target_problem(source: str, target: str) -> str:
    parts = tokens(target)
    if "" in parts or " " in target:
        return ""  # Go's findings
    if "*" in parts or ">" in parts[:-1]:
        return f"target {quote(target)} must name wildcards by {{{{wildcard(1)}}}} or $1, and `>` only at its end"
    if (parts[-1] == ">") != (tokens(source)[-1] == ">"):
        return f"source and target {quote(target)} must both end in `>`, or neither"
    wildcards = wildcard_count(source)
    return next(filter(None, (_token_problem(part, wildcards) for part in parts)), "")


def _token_problem(token: str, wildcards: int) -> str:
    if re.fullmatch(r"\$\d+", token):
        number = int(token[1:])
        return "" if 1 <= number <= wildcards else f"{token} stands for no `*` of the source"
    if "{{" not in token and "}}" not in token:
        return ""
    found = _FUNCTION.fullmatch(token)
    pattern = _ARGUMENTS.get(found[1].lower()) if found else None
    if not found or pattern is None:
        return f"{token} is no function of nats-server"
    name, arguments = found[1].lower(), found[2].replace(" ", "")
    if not re.fullmatch(pattern, arguments):
        return f"{token} has the wrong arguments"
    return _index_problem(token, name, arguments.split(","), wildcards)


def _index_problem(token: str, name: str, arguments: Sequence[str], wildcards: int) -> str:
    if name == "random":
        return ""
    indexes = arguments[1:] if name == "partition" else arguments[:1]
    if all(1 <= int(index) <= wildcards for index in indexes):
        return ""
    return f"{token} asks for a `*` that the source does not have"
