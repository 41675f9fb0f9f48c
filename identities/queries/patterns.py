"""Subject patterns that meet a subject, found through the indexes on their text and first token."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product

from django.db.models import Q, QuerySet

from identities.claims import subjects
from identities.models import SubjectPattern
from identities.queries import prefixes

_MOST_TOKENS = 8
_FIXED_TOKENS = 2


def meeting(subject: str) -> QuerySet[SubjectPattern]:
    """Patterns that can share a literal subject with `subject`: exactly those for a short subject without wildcards,
    else those whose first tokens fit (a few too many, never too few). Role templates (`{{…}}`) are not found here.
    """
    tokens = subject.split(".")
    fixed = next((place for place, token in enumerate(tokens) if token in {"*", ">"}), len(tokens))
    if fixed == len(tokens) and len(tokens) <= _MOST_TOKENS:
        return SubjectPattern.objects.filter(text__in=_generalised(tokens))
    if fixed == 0:
        return SubjectPattern.objects.all()
    return SubjectPattern.objects.filter(_fitting(tokens[: min(fixed, _FIXED_TOKENS)], len(tokens)))


def met(subject: str, rules: Iterable[str]) -> tuple[str, ...]:
    """Those of `rules` that share a literal subject with `subject`."""
    return tuple(rule for rule in rules if subjects.overlaps(subject, rule))


def _generalised(tokens: list[str]) -> list[str]:
    """Every pattern that matches the literal subject: each token itself or `*`, cut short anywhere by `>`."""
    return [
        ".".join(words if length == len(tokens) else (*words, ">"))
        for length in range(len(tokens) + 1)
        for words in product(*((token, "*") for token in tokens[:length]))
    ]


def _fitting(fixed: list[str], length: int) -> Q:
    """Patterns whose first tokens can be `fixed`: a range of the index for each way to write them."""
    short = [text for text in _generalised(fixed) if text.endswith(">")]
    if length == len(fixed):
        short += _generalised(fixed)
    found = Q(text__in=short)
    for combination in product(*((token, "*") for token in fixed)):
        found |= prefixes.begins("text", ".".join(combination) + ".")
    return found
