"""What the validation found, as strings: object by object, the worst first to be counted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.http import QueryDict

from identities.claims.report import Grade
from identities.forms.refusals import sentence
from identities.models import Operator
from identities.policy.principal import Principal, Scope
from identities.services import trust_chain
from identities.services.validating import Checked
from identities.services.validating_users import Finding
from identities.views import addresses, mending, shown
from identities.views.activity_shown import Choice

MOST = 100
"""Objects with findings that a page shows; `manage.py validate` shows them all."""
USERS_SHOWN = 5
_WORST = (Grade.ERROR, Grade.TIMECHECK, Grade.WARNING)
SHOW = {"": "everything", "errors": "what servers or nsc refuse"}
_STATES = {
    Grade.ERROR: shown.State(word="Error", tone="danger", icon="circle-x", title=""),
    Grade.TIMECHECK: shown.State(word="Time", tone="danger", icon="calendar-clock", title=""),
    Grade.WARNING: shown.State(word="Warning", tone="warn", icon="triangle-alert", title=""),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingShown:
    """One finding; of users who they are, as far as they are named (`more` says how many are not)."""

    state: shown.State
    message: str
    path: str
    whose: str
    users: tuple[shown.Crumb, ...]
    more: str
    fix_url: str
    fix: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionShown:
    """One object with its findings."""

    kind: str
    name: str
    url: str
    findings: tuple[FindingShown, ...]


def result(
    principal: Principal, operator: Operator, checked: Iterable[Checked], query: QueryDict
) -> dict[str, Any]:
    """Counts, filter, and the objects about which something is to be said."""
    chosen = query.get("show", "")
    chosen = chosen if chosen in SHOW else ""
    found = list(checked)
    kept = [(one, _kept(one, chosen)) for one in found]
    wrong = [(one, findings) for one, findings in kept if findings]
    shown_here = wrong[:MOST]
    texts = [finding.message for _, findings in shown_here for finding in findings]
    names = trust_chain.names(principal, shown.keys_in(texts))
    sections = (_section(principal, operator, one, findings, names) for one, findings in shown_here)
    return {
        "sections": tuple(sections),
        "cut": f"{len(wrong) - MOST:,}" if len(wrong) > MOST else "",
        "command": f"manage.py validate --operator {operator.public_key}",
        "checked": shown.plural(len(found) - 1, "account"),
        "counts": _counts(found),
        "fatal": any(one.fatal for one in found),
        "clean": not any(one.findings for one in found),
        "choices": tuple(
            Choice(value=value, label=label, selected=value == chosen) for value, label in SHOW.items()
        ),
    }


def _kept(one: Checked, chosen: str) -> tuple[Finding, ...]:
    if chosen != "errors":
        return one.findings
    return tuple(found for found in one.findings if found.grade is not Grade.WARNING)


def _counts(found: Iterable[Checked]) -> str:
    numbers = dict.fromkeys(Grade, 0)
    for one in found:
        for finding in one.findings:
            numbers[finding.grade] += max(finding.count, 1)
    words = (
        (numbers[Grade.ERROR], "error"),
        (numbers[Grade.TIMECHECK], "time check"),
        (numbers[Grade.WARNING], "warning"),
    )
    return ", ".join(shown.plural(number, word) for number, word in words if number)


def _section(
    principal: Principal,
    operator: Operator,
    one: Checked,
    findings: Iterable[Finding],
    names: Mapping[str, str],
) -> SectionShown:
    if one.kind == "operator":
        url, scope = addresses.operator(operator.public_key), Scope(operator=operator.pk)
    else:
        url = addresses.account(operator.public_key, one.key)
        scope = Scope(operator=operator.pk, account=one.id)
    return SectionShown(
        kind=one.kind,
        name=one.name,
        url=url,
        findings=tuple(
            _finding(principal, scope, operator, one, found, names)
            for found in sorted(findings, key=lambda found: _WORST.index(found.grade))
        ),
    )


def _finding(
    principal: Principal,
    scope: Scope,
    operator: Operator,
    one: Checked,
    found: Finding,
    names: Mapping[str, str],
) -> FindingShown:
    own = operator.public_key
    if one.kind == "operator":
        fix_url, fix = mending.of_operator(principal, scope, own, found.path)
    elif found.count:
        fix_url, fix = mending.of_users(principal, scope, own, one.key, found.path)
    else:
        fix_url, fix = mending.of_account(principal, scope, own, one.key, found.path)
    named = found.users[:USERS_SHOWN]
    more = found.count - len(named)
    return FindingShown(
        state=_STATES[found.grade],
        message=_named(_message(found), names),
        path=found.path,
        whose=shown.plural(found.count, "user") if found.count else "",
        users=tuple(shown.Crumb(label=name, url=addresses.user(own, one.key, key)) for name, key in named),
        more=f"and {more:,} more" if more > 0 else "",
        fix_url=fix_url,
        fix=fix,
    )


def _named(message: str, names: Mapping[str, str]) -> str:
    """With the names of keys that are known here beside their ends: nobody reads 56 letters."""
    for key in shown.keys_in([message]) & names.keys():
        message = message.replace(key, f"“{names[key]}” ({shown.short(key)})")
    return message


def _message(found: Finding) -> str:
    """nsc's words about users have no subject of their own."""
    if found.count and found.message.startswith("is "):
        return f"Each {found.message}" if found.count > 1 else sentence(found.message)
    return sentence(found.message)
