"""The grammar of NATS subjects: what is one, what contains, matches or overlaps what (spec §3.4).

Two grammars exist. `validate_subject` is that of the Go JWT library (jwt/v2 `types.go Subject.Validate`), which lets
`a.>.b` and tabs pass; `is_strict_valid` is that of nats-server (`sublist.go IsValidSubject`).
"""

from __future__ import annotations

import re

from identities.claims.validate_text import atoi, quote

_WHITESPACE = re.compile("[ \t\n\r\f]")


def tokens(subject: str) -> list[str]:
    """The tokens between the dots; an empty subject has one empty token, as in Go's `strings.Split`."""
    return subject.split(".")


def validate_subject(text: str) -> list[str]:
    """What the Go library finds wrong with a subject, in its own words and order; empty when it is content."""
    if not text:
        return ["subject cannot be empty"]
    found = []
    if " " in text:
        found.append(f"subject {quote(text)} cannot have spaces")
    if text[0] == "." or text[-1] == ".":
        found.append(f"subject {quote(text)} cannot start or end with a `.`")
    if ".." in text:
        found.append(f"subject {quote(text)} cannot contain consecutive `.`")
    return found


def is_strict_valid(text: str) -> bool:
    """True when nats-server takes this subject or pattern: no empty token, no white space, `>` only at the end."""
    if not text or _WHITESPACE.search(text):
        return False
    parts = text.split(".")
    return "" not in parts and ">" not in parts[:-1]


def has_wildcards(subject: str) -> bool:
    """True when a token is `*` or the last one is `>` (Go's `HasWildCards`: a `>` in between does not count)."""
    if "*" not in subject and ">" not in subject:
        return False
    parts = subject.split(".")
    return "*" in parts or parts[-1] == ">"


def is_contained_in(subject: str, other: str) -> bool:
    """Go's `IsContainedIn`, by which exports, imports and activations are compared, token by token.

    `other`'s last `>` stands for one or more tokens, so `a` is not contained in `a.>`. A `*` in `other` takes any
    token, a `>` of `subject` too: `a.>` counts as contained in `a.*`. `is_subset` is the exact question.
    """
    if subject == other:
        return True
    if "*" not in other and ">" not in other:
        return False
    theirs = other.split(".")
    ours = subject.split(".")
    if theirs[-1] == ">":
        theirs.pop()
        if len(ours) <= len(theirs):
            return False
    elif len(ours) != len(theirs):
        return False
    for our, their in zip(ours, theirs, strict=False):  # noqa: SIM110  # searches ask this millions of times
        if their not in ("*", our):
            return False
    return True


def is_subset(pattern: str, other: str) -> bool:
    """True when every subject that `pattern` matches is matched by `other` (nats-server's `subjectIsSubsetMatch`)."""
    if pattern[-1:] == ">" and other[-1:] != ">" and (pattern == ">" or pattern[-2] == "."):
        return False
    return is_contained_in(pattern, other)


def matches(subject: str, pattern: str) -> bool:
    """True when a message on the literal `subject` reaches a subscription on `pattern`."""
    return is_contained_in(subject, pattern)


def overlaps(first: str, second: str) -> bool:
    """True when some literal subject matches both patterns (nats-server's `SubjectsCollide`)."""
    if first == second:
        return True
    ours, theirs = first.split("."), second.split(".")
    ours_open, theirs_open = ours[-1] == ">", theirs[-1] == ">"
    if not ours_open and not theirs_open and len(ours) != len(theirs):
        return False
    if ours_open != theirs_open and (len(theirs) < len(ours) if ours_open else len(ours) < len(theirs)):
        return False
    if ours_open:
        ours.pop()
    if theirs_open:
        theirs.pop()
    for our, their in zip(ours, theirs, strict=False):  # noqa: SIM110  # as above
        if our not in (their, "*") and their != "*":
            return False
    return True


def wildcard_count(subject: str) -> int:
    """How many tokens are `*`."""
    return subject.split(".").count("*") if "*" in subject else 0


def reference(token: str) -> int | None:
    """The number N of a `$N` token of a local subject, None when the token is none (Go's `strconv.Atoi`)."""
    return atoi(token[1:]) if token.startswith("$") else None


def renamed(local_subject: str) -> str:
    """A local subject with its `$N` references turned to `*` (Go's `RenamingSubject.ToSubject`)."""
    if "$" not in local_subject:
        return local_subject
    return ".".join("*" if reference(token) is not None else token for token in local_subject.split("."))
