"""Subject patterns that meet a subject, found through the indexes on their text and first token."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product

from django.db.models import Exists, OuterRef, Q

from identities.claims import effective, subjects
from identities.models import Permission, SubjectPattern
from identities.queries import prefixes

MOST = 300
"""Up to so many patterns are named by their ids."""
OFTEN = 2000
"""A pattern in more permissions than this is met soon enough when users are gone through by name."""
_MOST_TOKENS = 8
_FIXED_TOKENS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Meeting:
    """The stored patterns that share a literal subject with a wanted one: `ids`, or None when there are too many.

    Role templates (`{{…}}`) are not among them. `is_rare`: few permissions can hold them.
    """

    ids: tuple[int, ...] | None
    is_rare: bool
    exact: tuple[str, ...]
    beginnings: tuple[str, ...]

    @classmethod
    def of(cls, subject: str, direction: str) -> Meeting:
        """Look them up, in one query; `is_rare` counts permissions to allow in `direction` (pub, sub)."""
        exact, beginnings = _meeting(subject)
        if direction == "sub":  # a subscription's `>` passes a `*` at the end of what is allowed
            exact += tuple(f"{text[:-1]}*" for text in exact if text.endswith(">"))
        texts = Q(text__in=exact)
        for beginning in beginnings:
            texts |= prefixes.begins("text", beginning) if beginning else Q(text__gt="")
        allowing = Permission.objects.filter(pattern=OuterRef("pk"), direction=direction, effect="allow")
        much_used = Exists(allowing[OFTEN : OFTEN + 1])
        rows = SubjectPattern.objects.filter(texts).annotate(much_used=much_used)
        found = list(rows.values_list("pk", "text", "much_used")[: MOST + 1])
        if len(found) > MOST:
            return cls(ids=None, is_rare=False, exact=exact, beginnings=beginnings)
        met = [(pk, often) for pk, text, often in found if _overlaps(subject, text, direction)]
        return cls(
            ids=tuple(pk for pk, _ in met),
            is_rare=not any(often for _, often in met),
            exact=exact,
            beginnings=beginnings,
        )

    @property
    def is_empty(self) -> bool:
        """True when nobody's rules name such a subject."""
        return self.ids == ()

    def sql(self, column: str) -> tuple[str, list[int | str]]:
        """A condition on a column with a pattern's text, and its parameters."""
        parts = [f"{column} IN ({', '.join(['%s'] * len(self.exact))})"] if self.exact else []
        params: list[int | str] = [*self.exact]
        for beginning in self.beginnings:
            parts.append(f"substr({column}, 1, {len(beginning)}) = %s")
            params.append(beginning)
        return f"({' OR '.join(parts)})", params


def _meeting(subject: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Whole texts and beginnings of the patterns that meet `subject`: exactly those for a short subject without
    wildcards, else those whose first tokens fit.
    """
    tokens = subject.split(".")
    fixed = next((place for place, token in enumerate(tokens) if token in {"*", ">"}), len(tokens))
    if fixed == len(tokens) and len(tokens) <= _MOST_TOKENS:
        return tuple(_generalised(tokens)), ()
    if fixed == 0:
        return (), ("",)
    first = tokens[: min(fixed, _FIXED_TOKENS)]
    short = [text for text in _generalised(first) if text.endswith(">") or len(tokens) == len(first)]
    return tuple(short), tuple(f"{'.'.join(words)}." for words in product(*((token, "*") for token in first)))


def met(subject: str, rules: Iterable[str]) -> tuple[str, ...]:
    """Those of `rules` that share a literal subject with `subject`."""
    return tuple(rule for rule in rules if subjects.overlaps(subject, rule))


def _overlaps(subject: str, text: str, direction: str) -> bool:
    return subjects.overlaps(subject, effective.subscription_reach(text) if direction == "sub" else text)


def _generalised(tokens: list[str]) -> list[str]:
    """Every pattern that matches the literal subject: each token itself or `*`, cut short anywhere by `>`."""
    return [
        ".".join(words if length == len(tokens) else (*words, ">"))
        for length in range(len(tokens) + 1)
        for words in product(*((token, "*") for token in tokens[:length]))
    ]
