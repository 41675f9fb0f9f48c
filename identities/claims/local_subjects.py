"""What an imported subject is called in the importing account, as nats-server works it out (spec §2.6, §3.6).

An import's `subject` is the exporter's. `local_subject` renames it: `$N` stands for the subject's N-th `*`, and a `*`
for the first, second, … in the order of the `*` alone (nats-server `subject_transform.go transformTokenize`). The
deprecated `to` is a prefix for streams, and the exporter's subject for services, whose `subject` is then the local one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from identities.claims.imports import Import
from identities.claims.stricter_concerns import Concern
from identities.claims.subjects import has_wildcards, renamed, wildcard_count
from identities.claims.validate_text import quote

_NUMBER = re.compile(r"\$([1-9]\d*)", re.ASCII)
_FUNCTION = re.compile(r"\{\{.*\}\}")
_SAMPLES = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_REST = "more"
"""What a `>` stands for in an example."""


def remote_subject(imported: Import) -> str:
    """The subject in the exporting account."""
    if imported.type == "service" and imported.to:
        return imported.to
    return imported.subject


def local_pattern(imported: Import) -> str:
    """The subject in the importing account: what its clients subscribe to (stream) or publish to (service)."""
    if imported.local_subject:
        return renamed(imported.local_subject)
    if imported.type == "stream" and imported.to:
        return f"{imported.to.removesuffix('.')}.{imported.subject}"
    return imported.subject


def example(imported: Import) -> tuple[str, str] | None:
    """One message's subject in the exporting and in the importing account; None when nothing varies or is renamed.

    Wildcards are filled with A, B, …; what nats-server would refuse has no example.
    """
    remote, local = remote_subject(imported), local_pattern(imported)
    if remote == local or not has_wildcards(remote) or tuple(_problems(imported)):
        return None
    numbers, taken = range(1, wildcard_count(remote) + 1), list(_order(imported.local_subject or local))
    if sorted(taken) != list(numbers) or len(taken) > len(_SAMPLES):
        return None
    return _filled(remote, iter(numbers)), _filled(local, iter(taken))


def local_concerns(path: str, imported: Import) -> Iterator[Concern]:
    """What nats-server refuses of a renaming that Go's library lets pass; `path` is the import's."""
    if imported.type == "stream" and imported.to and has_wildcards(imported.to):
        message = f"{quote(imported.to)} is a prefix for what is imported, and may hold no wildcards"
        yield Concern(f"{path}.to", imported.to, message)
    for message in _problems(imported):
        yield Concern(f"{path}.local_subject", f"{imported.local_subject} {imported.subject}", message)


def _problems(imported: Import) -> Iterator[str]:
    """Only where the numbers of wildcards fit: that they do is Go's own rule."""
    local, subject = imported.local_subject, imported.subject
    if not local:
        return
    for token in local.split("."):
        if _FUNCTION.fullmatch(token):
            yield f"nats-server takes no function such as {quote(token)} in an import: write $1, $2, …"
            return
        if token[:1] == "$" and token[1:2].isdigit() and not _NUMBER.fullmatch(token):
            yield f"{quote(token)} is no reference to a wildcard: write $1, $2, …"
            return
    wildcards, taken = wildcard_count(subject), Counter(_order(local))
    if taken.total() != wildcards or max(taken, default=0) > wildcards:
        return
    missing = [f"${number}" for number in range(1, wildcards + 1) if not taken[number]]
    if missing:
        twice = [f"${number}" for number, times in sorted(taken.items()) if times > 1]
        mixed = " (a `*` counts as $1, $2, … in its turn)" if "*" in local.split(".") and "$" in local else ""
        yield (
            f"local subject {quote(local)} takes {', '.join(twice)} of {quote(subject)} twice and leaves out "
            f"{', '.join(missing)}{mixed}: each wildcard must stand in it once"
        )


def _order(local: str) -> Iterator[int]:
    """Which wildcard of the subject each wildcard or reference of `local` stands for."""
    stars = 0
    for part in local.split("."):
        if part == "*":
            stars += 1
            yield stars
        elif found := _NUMBER.fullmatch(part):
            yield int(found[1])


def _filled(pattern: str, numbers: Iterator[int]) -> str:
    words = {"*": lambda: _SAMPLES[next(numbers) - 1], ">": lambda: _REST}
    return ".".join(words[token]() if token in words else token for token in pattern.split("."))
