"""What the pages of a reissue show, as plain strings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from identities.errors import IdentityError
from identities.forms.base import BaseForm
from identities.models import Account, Job, JobState, Key, Operator, Purpose
from identities.policy.principal import Principal
from identities.services import changes, clock, jobs, reissuing, signing_over
from identities.services.reissuing import Followed, Plan
from identities.services.resigning import Left
from identities.services.signing_over import Issuer
from identities.views import shown

_WAITS_TOO_LONG = 3.0
Choices = dict[str, list[tuple[str, str]]]


def plan(operator: Operator, planned: Callable[[], Plan], *, fits: bool = True) -> dict[str, Any]:
    """The plan, or why there is none: a key that was typed in is none, nothing is there to sign."""
    found, refused = Plan(), ""
    if fits:
        try:
            found = planned()
        except IdentityError as error:
            refused = error.user_message
    return {
        "plan": found,
        "refusals": (*([refused] if refused else []), *found.refusals),
        "keys_url": shown.operator_url("keys", operator) + "?seed=missing",
        "fits": fits,
    }


def operator_choices(principal: Principal, operator: Operator) -> Choices:
    """Which keys signed accounts, and which may sign them next."""
    claims = changes.claims_of(operator)
    targets = [*claims.nats.signing_keys]
    if not claims.nats.strict_signing_key_usage:
        targets.append(operator.public_key)
    issuers = signing_over.issuers_of_accounts(operator)
    names = shown.key_names(principal, operator, {*targets, *(issuer.key for issuer in issuers)})
    return {
        "sources": [(one.key, _source(one, names, "account")) for one in issuers],
        "targets": [(key, _target(key, names)) for key in _here(operator, targets)],
    }


def account_choices(principal: Principal, account: Account) -> Choices:
    """Which keys signed users, and which may sign them next."""
    operator = account.operator
    targets = [key.key for key in changes.claims_of(account).nats.signing_keys]
    if not operator.strict:
        targets.append(account.public_key)
    issuers = signing_over.issuers_of_users(account)
    names = shown.key_names(principal, operator, {*targets, *(issuer.key for issuer in issuers)})
    return {
        "sources": [(one.key, _source(one, names, "user")) for one in issuers],
        "targets": [(key, _target(key, names)) for key in _here(operator, targets)],
    }


def chosen(form: BaseForm, choices: Choices) -> dict[str, str]:
    """The two keys as the form stands: what was chosen, else the first of each; {} when there is nothing to choose."""
    if not choices["sources"] or not choices["targets"]:
        return {}
    found = {}
    for name, offered in (("source", choices["sources"]), ("target", choices["targets"])):
        value = str(form[name].value() or "")
        found[name] = value if value in dict(offered) else offered[0][0]
    return found


def progress(job: Job, what: str) -> dict[str, Any]:
    """Where the job stands."""
    found = jobs.result_of(job)
    over = job.state in (JobState.DONE, JobState.FAILED)
    waited = (clock.now() - job.created_at).total_seconds()
    return {
        "over": over,
        "ok": job.state == JobState.DONE,
        "what": what,
        "summary": job.error
        or f"Signed anew: {shown.plural(found.get('signed', 0), what.removesuffix('s'))}.",
        "left": _left(found.get("left_count", 0), found.get("left", []), found.get("why", [])),
        "changed": jobs.payload_of(job)["reason"] != signing_over.REASON,
        "value": str(job.done),
        "max": str(job.total or jobs.payload_of(job).get("total", 0)),
        "waiting": "Waiting for a worker…" if job.state == JobState.QUEUED else _so_far(job, what),
        "no_worker": job.state == JobState.QUEUED and waited > _WAITS_TOO_LONG and not jobs.workers_alive(),
        "started": shown.moment(job.created_at),
        "by": job.by_name,
    }


def signed(done: Followed, name: str, what: str) -> str:
    """What was signed, as a message."""
    if done.job is not None:
        return f"The worker signs {what}s of “{name}” anew."
    return f"Signed {shown.plural(len(done.signed), what)} of “{name}” anew."


def left(rows: Sequence[Left]) -> str:
    """What was left as it was, and why; "" for nothing."""
    return _left(len(rows), [one.name for one in rows[: reissuing.NAMED_LEFT]], reissuing.whys(rows))


def _left(number: int, names: Sequence[str], whys: Sequence[str]) -> str:
    if not number:
        return ""
    more = f" and {number - len(names):,} more" if number > len(names) else ""
    named = ", ".join(f"“{name}”" for name in names)
    return " ".join((f"Left as they were: {number:,}. {named}{more}.", *whys))


def _so_far(job: Job, what: str) -> str:
    return f"Signed anew: {job.done:,} of {job.total:,} {what}."


def _source(issuer: Issuer, names: dict[str, str], what: str) -> str:
    count = shown.plural(issuer.number, what)
    gone = "" if issuer.known else ", no longer one of its keys"
    return f"{_target(issuer.key, names)}: {count}{gone}"


def _target(key: str, names: dict[str, str]) -> str:
    return f"{names[key]}, {shown.short(key)}" if names.get(key) else shown.short(key)


def _here(operator: Operator, keys: Sequence[str]) -> list[str]:
    """Those whose seed is here, in their order."""
    held = Key.objects.filter(operator=operator, public_key__in=keys, deleted_at=None, sealed__isnull=False)
    found = set(held.exclude(purpose=Purpose.SPARE).values_list("public_key", flat=True))
    return [key for key in keys if key in found]
