"""Concerns that go beyond Go's validation, and those that users, roles and account defaults share."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from identities.claims.permissions import CONNECTION_TYPES, Permission, Permissions, UserPermissionLimits
from identities.claims.subjects import is_strict_valid, validate_subject
from identities.claims.templates import has_template, template_problem, without_templates
from identities.claims.validate_findings import Findings, check_limits, check_permissions
from identities.claims.validate_text import quote

LONGEST_ENTRY = 2048
"""Bytes of a subject with its queue. nats-server ends a line at 4,096, PostgreSQL an index row at 2,704."""
_INDEX = re.compile(r"\[\d+\]")
_PARTIAL_WILDCARD = re.compile(r"(?:^|\.)(?=[^.]*[*>])(?:[^.]{2,})(?:\.|$)")


@dataclass(frozen=True, slots=True)
class Concern:
    """Something at `path`: `value` tells whether it is the same that stood there before; `only_advice` never blocks."""

    path: str
    value: str
    message: str
    only_advice: bool = False

    @property
    def identity(self) -> tuple[str, str]:
        """The same for the same value of the same field, wherever in its list it stands."""
        return _INDEX.sub("[]", self.path), self.value


def subject_concerns(path: str, subject: str) -> Iterator[Concern]:
    """What nats-server would refuse or take literally, of a subject that Go finds nothing wrong with."""
    if validate_subject(subject):
        return
    if not is_strict_valid(subject):
        words = "`>` may only be its last token, and no token may be empty or hold white space"
        yield Concern(path, subject, f"nats-server takes no subject {quote(subject)}: {words}")
    elif ("*" in subject or ">" in subject) and _PARTIAL_WILDCARD.search(subject):
        words = "`*` and `>` are wildcards only as whole tokens"
        yield Concern(path, subject, f"subject {quote(subject)} matches only itself: {words}")


def permission_concerns(
    path: str, permissions: Permissions | UserPermissionLimits, *, is_template: bool = False
) -> Iterator[Concern]:
    """Subjects to allow and deny, with or without queue, of a user, of an account's defaults, or of a role."""
    for side, rules in (("pub", permissions.pub), ("sub", permissions.sub)):
        yield from _rules_concerns(f"{path}.{side}", rules, is_template=is_template)


def _rules_concerns(path: str, rules: Permission, *, is_template: bool) -> Iterator[Concern]:
    for which, entries in (("allow", rules.allow), ("deny", rules.deny)):
        templated = is_template and any(map(has_template, entries))
        for index, entry in enumerate(entries):
            where = f"{path}.{which}[{index}]"
            if templated and " " in entry:
                message = f"nats-server drops {quote(entry)}: beside a template, entries with a queue are no subjects"
                yield Concern(where, entry, message)
            yield from _entry_concerns(where, entry, is_template=is_template)


def _entry_concerns(path: str, entry: str, *, is_template: bool) -> Iterator[Concern]:
    if (size := len(entry.encode())) > LONGEST_ENTRY:
        yield Concern(
            path,
            entry,
            f"subject “{entry[:40]}…” is {size} bytes long; {LONGEST_ENTRY} are allowed: shorten it",
        )
        return
    if has_template(entry):
        if not is_template:
            message = f"{quote(entry)} holds a template, which only a role's subjects may"
            yield Concern(path, entry, message, only_advice=True)
        elif problem := template_problem(entry):
            yield Concern(path, entry, problem)
    for part in without_templates(entry).split(" ", 1):
        for found in subject_concerns(path, part):
            yield Concern(path, entry, found.message)


def template_findings(path: str, template: UserPermissionLimits) -> Iterator[Concern]:
    """What Go finds wrong with a user's subjects and limits, asked of a role's template, which Go never looks at."""
    found = Findings()
    check_permissions(found, path, template)
    check_limits(found, path, template)
    for issue in found.issues:
        yield Concern(issue.path, issue.message, issue.message)


def limit_concerns(path: str, limits: UserPermissionLimits) -> Iterator[Concern]:
    """Connection types, numbers, and hours of a user or role."""
    for index, kind in enumerate(limits.allowed_connection_types):
        if kind.upper() not in CONNECTION_TYPES:
            known = ", ".join(CONNECTION_TYPES)
            where = f"{path}.allowed_connection_types[{index}]"
            yield Concern(
                where, kind, f"connection type {quote(kind)} is unknown to nats-server; known are {known}"
            )
    for name in ("subs", "data", "payload"):
        number: int = getattr(limits, name)
        if number < -1:
            yield Concern(f"{path}.{name}", str(number), f"{number} is no limit: use -1 for unlimited")
    if limits.times and not limits.times_location:
        message = "without a time zone the hours are those of each server's own clock"
        yield Concern(f"{path}.times_location", "", message, only_advice=True)
