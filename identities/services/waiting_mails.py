"""Mail to who may decide what waits, and to who asked once it is decided; where mail is configured.

One mail a reader tells of all that came up within `GATHERED`, as it stands when the mail is sent: what was decided or
withdrawn by then waits for nobody. What somebody may not see by then is not told.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.urls import reverse

from identities import lookup
from identities.models import (
    Account,
    ActivationRequest,
    Job,
    JobState,
    Person,
    Proposal,
    ProposalState,
    RequestState,
)
from identities.policy.principal import Principal, Way
from identities.queries import approvers, waiting
from identities.services import clock, jobs, mails

KIND = "waiting-mail"
GATHERED = timedelta(minutes=1)
_TOO_LATE = timedelta(seconds=20)
"""A mail that is due within this may be sent before the transaction that would have it tell more is committed."""
MOST_TOLD = 50


def proposed(proposal: Proposal) -> None:
    """Tell who may approve a new proposal."""
    if mails.configured():
        _write_to(approvers.others(proposal), since=proposal.created_at)


def asked(request: ActivationRequest) -> None:
    """Tell who may grant a new request."""
    if mails.configured():
        _write_to(approvers.of_request(request), since=request.created_at)


def decided(row: Proposal | ActivationRequest, principal: Principal) -> None:
    """Tell who asked what became of it, unless they did it themselves or a machine asked."""
    if isinstance(row, Proposal):
        reader = None if row.is_by_machine else row.author_id
    else:
        reader = row.person_id
    if reader is None or reader == principal.person_id or row.decided_at is None or not mails.configured():
        return
    _write_to(Person.objects.filter(pk=reader), since=row.decided_at)


def _write_to(people: QuerySet[Person], *, since: datetime) -> None:
    """A job for each who has an address, in this transaction; who will be written to soon is told by that mail."""
    readers = people.filter(is_active=True).exclude(email="").values_list("pk", flat=True)
    soon = Job.objects.filter(kind=KIND, state=JobState.QUEUED, run_at__gt=clock.now() + _TOO_LATE)
    written = {jobs.payload_of(job)["person"] for job in soon}
    for reader in readers:
        if reader not in written:
            payload = {"person": reader, "since": since.isoformat()}
            jobs.enqueue(principal=Principal.worker(), kind=KIND, payload=payload, after=GATHERED)


def mail(lease: jobs.Lease) -> jobs.Result:
    """Send one mail, unless there is nothing left to tell or nobody to tell it."""
    payload = jobs.payload_of(lease.job)
    person = Person.objects.filter(pk=payload["person"], is_active=True).exclude(email="").first()
    if person is None or not mails.configured():
        return {"sent": False}
    principal, since = (
        lookup.person_principal(person, way=Way.WORKER),
        datetime.fromisoformat(payload["since"]),
    )
    open_lines, decided_lines = _waiting(principal, since), _decided(principal, since)
    if not open_lines and not decided_lines:
        return {"sent": False}
    parts = []
    if open_lines:
        parts += ["These wait for you:", "", *_first(open_lines), ""]
    if decided_lines:
        parts += ["These of yours were decided:", "", *_first(decided_lines), ""]
    mails.send(_subject(len(open_lines)), "\n".join(parts), person.email)
    return {"sent": True}


HANDLER = jobs.Handler(run=mail)


def _subject(number: int) -> str:
    if not number:
        return "nscweb: what you asked for was decided"
    return f"nscweb: {number} decisions wait for you" if number > 1 else "nscweb: a decision waits for you"


def _waiting(principal: Principal, since: datetime) -> list[str]:
    proposals = waiting.approvable(principal).filter(created_at__gte=since).select_related("operator")
    lines = [
        _line(f"{one.by_name} proposes, under “{one.operator.name}”: {one.summary}", _address(one))
        for one in proposals.order_by("pk")
    ]
    requests = list(waiting.grantable(principal).filter(created_at__gte=since).order_by("pk"))
    accounts = Account.objects.select_related("operator").in_bulk({one.exporter for one in requests})
    for one in requests:
        account = accounts[one.exporter]
        said = f"“{one.importer_name}” asks “{account.name}” for the {one.kind} {one.subject}"
        lines.append(_line(said, _request_address(account, one)))
    return lines


def _decided(principal: Principal, since: datetime) -> list[str]:
    """What others decided; who did is kept as a name, so somebody of the reader's own name goes untold."""
    proposals = Proposal.objects.visible_to(principal).filter(by=principal.key, decided_at__gte=since)
    lines = [
        _line(f"Proposal {one.pk} was {_became(one)}: {one.summary}", _address(one))
        for one in _by_others(proposals, principal, ProposalState.WITHDRAWN).select_related("operator")
    ]
    requests = ActivationRequest.objects.filter(by=principal.key, decided_at__gte=since)
    for one in _by_others(requests, principal, RequestState.WITHDRAWN).select_related("importer__operator"):
        said = f"The request of “{one.importer_name}” for {one.subject} was {one.state} by {one.decided_by}"
        lines.append(_line(said, _request_address(one.importer, one)))
    return lines


def _by_others(rows: QuerySet[Any], principal: Principal, withdrawn: str) -> QuerySet[Any]:
    return rows.exclude(state=withdrawn).exclude(decided_by=principal.name).order_by("decided_at", "pk")


def _became(proposal: Proposal) -> str:
    if proposal.state == ProposalState.STALE:
        return f"found stale by {proposal.decided_by} ({proposal.note})"
    return f"{proposal.state} by {proposal.decided_by}"


def _line(said: str, address: str) -> str:
    return f"- {' '.join(said.split())}\n  {settings.NSCWEB_URL}{address}"


def _address(proposal: Proposal) -> str:
    return reverse("proposal", args=[proposal.operator.public_key, proposal.pk])


def _request_address(account: Account, request: ActivationRequest) -> str:
    return reverse("activation-request", args=[account.operator.public_key, account.public_key, request.pk])


def _first(lines: Sequence[str]) -> Iterable[str]:
    yield from lines[:MOST_TOLD]
    if len(lines) > MOST_TOLD:
        yield f"… and {len(lines) - MOST_TOLD:,} more"
