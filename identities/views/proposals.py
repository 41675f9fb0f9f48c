"""Edits that wait for a second person: the list of an operator, one proposal, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse

from identities import lookup
from identities.errors import IdentityError
from identities.forms.base import BaseForm
from identities.forms.proposals import CommentForm, DeclineForm, FourEyesForm
from identities.lookup import principal_for
from identities.models import Operator, Proposal, ProposalState
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal, Scope
from identities.services import proposals, proposing
from identities.views import guards, htmx, paging, proposals_shown, shown

NAV = "operators"
SORTS = {"newest": paging.Sort("pk", "number", descending=True)}
SAID = {
    ProposalState.APPROVED: "Approved and signed.",
    ProposalState.STALE: "It could not be carried out as it was proposed: nothing was signed.",
}


@guards.page()
def index(request: HttpRequest, operator_key: str) -> HttpResponse:
    """The proposals of an operator: those that wait, or all."""
    return _list(request, lookup.operator(principal_for(request), operator_key))


@guards.page("POST")
def choose_mode(request: HttpRequest, operator_key: str) -> HttpResponse:
    """Ask for four eyes, or no more."""
    principal = principal_for(request)
    operator = lookup.operator(principal, operator_key)
    guards.require(principal, Action.OPERATOR_EDIT, Scope(operator=operator.pk))
    form = FourEyesForm(request.POST)
    if form.is_valid():
        with guards.errors_on(form):
            proposals.choose_mode(principal=principal, operator=operator, mode=form.cleaned_data["mode"])
            url = shown.operator_url("operator-proposals", operator)
            return htmx.done(request, url, f"Saved whose edits of “{operator.name}” need a second person.")
    return _list(request, operator, form)


@guards.page()
def detail(request: HttpRequest, operator_key: str, proposal_id: int) -> HttpResponse:
    """A proposal: what it changes, what was said, and what can be done with it."""
    principal, proposal = _found(request, operator_key, proposal_id)
    return _page(request, principal, proposal)


@guards.page("POST")
def approve(request: HttpRequest, operator_key: str, proposal_id: int) -> HttpResponse:
    """Carry it out, as the second person."""
    principal, proposal = _found(request, operator_key, proposal_id)
    guards.require(principal, Action.PROPOSAL_DECIDE, proposals.scope(proposal))

    def work(_: BaseForm) -> str:
        decided = proposals.approve(principal=principal, proposal=proposal)
        return SAID[ProposalState(decided.state)]

    return _done(request, principal, proposal, BaseForm(request.POST), work)


@guards.page("POST")
def decline(request: HttpRequest, operator_key: str, proposal_id: int) -> HttpResponse:
    """Say no."""
    principal, proposal = _found(request, operator_key, proposal_id)
    guards.require(principal, Action.PROPOSAL_DECIDE, proposals.scope(proposal))

    def work(form: BaseForm) -> str:
        proposals.decline(principal=principal, proposal=proposal, note=form.cleaned_data["note"])
        return "Declined."

    return _done(request, principal, proposal, DeclineForm(request.POST), work)


@guards.page("POST")
def withdraw(request: HttpRequest, operator_key: str, proposal_id: int) -> HttpResponse:
    """Take one's own back."""
    principal, proposal = _found(request, operator_key, proposal_id)
    _may_speak(principal, proposal)

    def work(_: BaseForm) -> str:
        proposals.withdraw(principal=principal, proposal=proposal)
        return "Withdrawn."

    return _done(request, principal, proposal, BaseForm(request.POST), work)


@guards.page("POST")
def comment(request: HttpRequest, operator_key: str, proposal_id: int) -> HttpResponse:
    """Say something about it."""
    principal, proposal = _found(request, operator_key, proposal_id)
    _may_speak(principal, proposal)

    def work(form: BaseForm) -> str:
        proposals.comment(principal=principal, proposal=proposal, text=form.cleaned_data["text"])
        return "Added your comment."

    return _done(request, principal, proposal, CommentForm(request.POST), work)


@guards.page("POST")
def again(request: HttpRequest, operator_key: str, proposal_id: int) -> HttpResponse:
    """Propose the same once more, from what stands there now."""
    principal, proposal = _found(request, operator_key, proposal_id)
    _may_speak(principal, proposal)

    def work(_: BaseForm) -> str:
        raise proposing.Proposed(proposals.again(principal=principal, proposal=proposal))

    return _done(request, principal, proposal, BaseForm(request.POST), work)


def _may_speak(principal: Principal, proposal: Proposal) -> None:
    if not proposals_shown.is_author(principal, proposal):
        guards.require(principal, Action.PROPOSAL_COMMENT, proposals.scope(proposal))


def _done(
    request: HttpRequest,
    principal: Principal,
    proposal: Proposal,
    form: BaseForm,
    work: Callable[[BaseForm], str],
) -> HttpResponse:
    if form.is_valid():
        with guards.errors_on(form):
            return htmx.done(request, proposals_shown.url(proposal), work(form))
    proposal.refresh_from_db()
    return _page(request, principal, proposal, form)


def _list(request: HttpRequest, operator: Operator, form: FourEyesForm | None = None) -> HttpResponse:
    principal = principal_for(request)
    everything = request.GET.get("all") == "1"
    rows = Proposal.objects.visible_to(principal).filter(operator=operator).select_related("operator")
    page = paging.page(rows if everything else rows.waiting(), request.GET, sorts=SORTS)
    form = form or FourEyesForm(initial={"mode": operator.four_eyes})
    url = shown.operator_url("operator-proposals", operator)
    context = {
        **shown.frame(
            title=f"Proposals of {operator.name}",
            nav=NAV,
            crumbs=shown.operator_crumbs(operator, "Proposals"),
            can=guards.can(principal, Scope(operator=operator.pk), Action.OPERATOR_EDIT),
        ),
        **shown.operator_tabs(principal, operator),
        "page": page,
        "rows": tuple(proposals_shown.row(proposal) for proposal in page.rows),
        "everything": everything,
        "url": url,
        "all_url": f"{url}?all=1",
        "on": bool(operator.four_eyes),
        "form": form,
        "mode_url": shown.operator_url("operator-four-eyes", operator),
    }
    return htmx.render(request, "identities/proposals/index.html", context, status=form.status)


def _page(
    request: HttpRequest, principal: Principal, proposal: Proposal, form: BaseForm | None = None
) -> HttpResponse:
    is_open = proposal.state == ProposalState.OPEN
    scope = proposals.scope(proposal)
    mine = proposals_shown.is_author(principal, proposal)
    stale = is_open and proposals.is_stale(proposal)
    decides = is_open and guards.may(principal, Action.PROPOSAL_DECIDE, scope)
    obstacle = _obstacle(principal, proposal) if decides and not stale else ""
    comments = form if isinstance(form, CommentForm) else CommentForm()
    speaks = mine or guards.may(principal, Action.PROPOSAL_COMMENT, scope)
    context = {
        **_frame(proposal),
        **proposals_shown.told(principal, proposal),
        "proposal": proposals_shown.row(proposal),
        "behind": proposals_shown.behind(proposal),
        "changes_of": proposals_shown.changes_of(proposal),
        "note": proposal.note,
        "is_open": is_open,
        "stale": stale or proposal.state == ProposalState.STALE,
        "since": proposals_shown.since(proposal) if stale or proposal.state == ProposalState.STALE else (),
        "home": proposals_shown.home(proposals.current(proposal), proposal),
        "obstacle": obstacle,
        "can_approve": decides and not stale and not obstacle,
        "can_decline": decides and not mine and guards.may(principal, Action(proposal.action), scope),
        "can_withdraw": is_open and mine,
        "can_repeat": mine and (stale or proposal.state == ProposalState.STALE),
        "can_comment": speaks,
        "comments": proposals_shown.comments_of(proposal),
        "comment_form": comments,
        "decline_form": form if isinstance(form, DeclineForm) else DeclineForm(),
        "form": form,
        "urls": {
            name: proposals_shown.url(proposal, f"proposal-{name}")
            for name in ("approve", "decline", "withdraw", "comment", "again")
        },
    }
    status = form.status if form is not None else 200
    return htmx.render(request, "identities/proposals/detail.html", context, status=status)


def _obstacle(principal: Principal, proposal: Proposal) -> str:
    """Why somebody who decides on proposals can't approve this one; "" when they can."""
    try:
        proposals.refuse_approval(principal, proposal)
    except decisions.Forbidden as missing:
        return missing.user_message
    except IdentityError as refused:
        return refused.user_message
    return ""


def _frame(proposal: Proposal) -> dict[str, Any]:
    operator = proposal.operator
    crumbs = (
        *shown.operator_crumbs(operator, "Proposals")[:-1],
        shown.Crumb(label="Proposals", url=shown.operator_url("operator-proposals", operator)),
        shown.Crumb(label=f"{proposal.pk:,}"),
    )
    return shown.frame(title=f"Proposal {proposal.pk:,}", nav=NAV, crumbs=crumbs)


def _found(request: HttpRequest, operator_key: str, number: int) -> tuple[Principal, Proposal]:
    principal = principal_for(request)
    return principal, proposals.find(principal, lookup.operator(principal, operator_key), number)
