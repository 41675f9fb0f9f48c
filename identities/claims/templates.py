"""What a role's template becomes for one user, as nats-server expands it at connect (spec §3.9, §9.4).

Source: nats-server `auth.go processUserPermissionsTemplate`. Values are pasted raw, which is why names and tags with
`.`, `*`, `>` or blanks are warned of in `names`.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from identities.claims.errors import ClaimsError
from identities.claims.permissions import Permission, UserPermissionLimits
from identities.claims.subjects import is_strict_valid

MAX_SUBJECTS = 4096
OPERATIONS = ("name()", "subject()", "account-name()", "account-subject()")

_BRACES = re.compile(r"\{\{[^}]+\}\}")
_TAG_OPERATIONS = ("tag(", "account-tag(")


class LoginRefused(ClaimsError):
    """The server would refuse this user's connection because of the role's template."""

    code = "login-refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expansion:
    """What one subject of a role's list (`place`: pub.allow, …) becomes for one user.

    `dropped` came out as no subject and is left out. With neither, a tag is missing. `refused` says why nobody could
    log in with it.
    """

    place: str
    subject: str
    becomes: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    refused: str = ""


@dataclass(frozen=True, slots=True)
class _Values:
    """What each operation stands for; tags as `name:value` texts."""

    fixed: Mapping[str, str]
    tags: Mapping[str, Sequence[str]]


def expand_template(
    limits: UserPermissionLimits,
    user_name: str,
    user_key: str,
    account_name: str,
    account_key: str,
    user_tags: Sequence[str],
    account_tags: Sequence[str],
) -> UserPermissionLimits:
    """The limits that a user of the role gets: `limits` with every `{{…}}` of its subjects replaced.

    A subject to allow that comes out invalid, or needs a tag that is not there, is dropped; when none remains, `>` is
    denied. Lists without any template are taken as they are.

    Raises:
        LoginRefused: an unknown operation, more than 4096 subjects, or a subject to deny that comes out invalid.
    """
    values = _values(user_name, user_key, account_name, account_key, user_tags, account_tags)
    return replace(limits, pub=_expand(limits.pub, values), sub=_expand(limits.sub, values))


def expansions(
    limits: UserPermissionLimits,
    user_name: str,
    user_key: str,
    account_name: str,
    account_key: str,
    user_tags: Sequence[str],
    account_tags: Sequence[str],
) -> tuple[Expansion, ...]:
    """The same for people to read: each subject of the four lists with what it becomes, is dropped or refused for."""
    values = _values(user_name, user_key, account_name, account_key, user_tags, account_tags)
    return tuple(
        expansion
        for side, rules in (("pub", limits.pub), ("sub", limits.sub))
        for which, subjects in (("allow", rules.allow), ("deny", rules.deny))
        for expansion in _explained(f"{side}.{which}", subjects, values, must_be_valid=which == "deny")
    )


def _values(
    user_name: str,
    user_key: str,
    account_name: str,
    account_key: str,
    user_tags: Sequence[str],
    account_tags: Sequence[str],
) -> _Values:
    fixed = dict(zip(OPERATIONS, (user_name, user_key, account_name, account_key), strict=True))
    return _Values(fixed, {"tag(": user_tags, "account-tag(": account_tags})


def has_template(subject: str) -> bool:
    """True when a subject of a role has a part in double braces."""
    return "{{" in subject and _BRACES.search(subject) is not None


def without_templates(subject: str) -> str:
    """A role's subject with `x` in place of every `{{…}}`, to judge the rest of it."""
    return _BRACES.sub("x", subject) if "{{" in subject else subject


def operations_of(limits: UserPermissionLimits) -> frozenset[str]:
    """What a role's template fills in, such as `name()` and `tag(team)`, as nats-server reads it."""
    rules = (*limits.pub.allow, *limits.pub.deny, *limits.sub.allow, *limits.sub.deny)
    return frozenset(part[2:-2].strip().lower() for subject in rules for part in _BRACES.findall(subject))


def template_problem(subject: str) -> str:
    """What is wrong with the `{{…}}` parts of a role's subject, "" when nothing is."""
    for part in _BRACES.findall(subject):
        operation = part[2:-2].strip()
        known = operation.lower() in OPERATIONS or _tag_operation(operation)
        if not known:
            return f"{part} is not known to nats-server, which would refuse the connection"
        if operation.startswith(("TAG", "Tag", "ACCOUNT-TAG", "Account-Tag")):
            return f"{part} must be written in lower case, or nats-server looks for a tag of another name"
    return ""


def _explained(
    place: str, subjects: tuple[str, ...], values: _Values, *, must_be_valid: bool
) -> Iterator[Expansion]:
    if not any(map(has_template, subjects)):
        yield from (Expansion(place=place, subject=subject, becomes=(subject,)) for subject in subjects)
        return
    for subject in subjects:
        try:
            found = _expand_subject(subject, values, must_be_valid=must_be_valid)
            becomes = _kept(subject, found, must_be_valid=must_be_valid)
        except LoginRefused as refused:
            yield Expansion(place=place, subject=subject, refused=refused.user_message)
            continue
        dropped = tuple(result for result in found if result not in becomes)
        yield Expansion(place=place, subject=subject, becomes=becomes, dropped=dropped)


def _expand(permission: Permission, values: _Values) -> Permission:
    allow = _expand_list(permission.allow, values, must_be_valid=False)
    deny = _expand_list(permission.deny, values, must_be_valid=True)
    if permission.allow and not allow and ">" not in deny:
        deny = (*deny, ">")
    return replace(permission, allow=allow, deny=deny)


def _expand_list(subjects: tuple[str, ...], values: _Values, *, must_be_valid: bool) -> tuple[str, ...]:
    if not any(map(has_template, subjects)):
        return subjects
    expanded: list[str] = []
    for subject in subjects:
        found = _expand_subject(subject, values, must_be_valid=must_be_valid)
        expanded += _kept(subject, found, must_be_valid=must_be_valid)
    return tuple(expanded)


def _kept(subject: str, found: Sequence[str], *, must_be_valid: bool) -> tuple[str, ...]:
    """Those of the results that are subjects; each must be, where the server refuses the login otherwise."""
    kept = tuple(result for result in found if is_strict_valid(result))
    if must_be_valid and len(kept) < len(found):
        wrong = next(result for result in found if result not in kept)
        raise LoginRefused(f"“{subject}” to deny becomes “{wrong}”, which is no subject.")
    return kept


def _expand_subject(subject: str, values: _Values, *, must_be_valid: bool) -> list[str]:
    """Every subject that one of the template's stands for; several tags of one name give several subjects."""
    parts = _BRACES.findall(subject)
    choices = [_choices(subject, part, values) for part in parts]
    if must_be_valid and not all(choices):
        raise LoginRefused(f"“{subject}” to deny needs a tag that is not there.")
    if math.prod(map(len, choices)) > MAX_SUBJECTS:
        raise LoginRefused(f"“{subject}” stands for more than {MAX_SUBJECTS} subjects.")
    results = []
    for chosen in itertools.product(*choices):
        result = subject
        for part, value in zip(parts, chosen, strict=True):
            result = result.replace(part, value)
        results.append(result)
    return results


def _choices(subject: str, part: str, values: _Values) -> list[str]:
    operation = part[2:-2].strip()
    fixed = values.fixed.get(operation.lower())
    if fixed is not None:
        return [fixed]
    kind = _tag_operation(operation)
    if not kind:
        raise LoginRefused(f"“{subject}” holds {part}, which nats-server does not know.")
    # The server takes the operation off in lower case only: `TAG(x)` asks for a tag named `tag(x`.
    prefix = operation.removeprefix(kind).removesuffix(")").lower() + ":"
    return [tag.removeprefix(prefix) for tag in values.tags[kind] if tag.startswith(prefix)]


def _tag_operation(operation: str) -> str:
    lowered = operation.lower()
    return next((kind for kind in _TAG_OPERATIONS if lowered.startswith(kind) and lowered.endswith(")")), "")
