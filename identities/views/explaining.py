"""May this user …? And: why was this denied? Nothing asked or pasted is stored."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.debug import sensitive_post_parameters

from identities import lookup
from identities.claims import explain
from identities.forms.explaining import DenialForm, QuestionForm
from identities.lookup import principal_for
from identities.models import Mode, User
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.queries import denied as denials
from identities.queries import reach, situations
from identities.services import clock
from identities.views import explaining_shown, guards, htmx, shown, users_shown

TESTER = "identities/explain/tester.html"
EXPLAINER = "identities/explain/explainer.html"


@guards.page("GET", "POST")
def user(request: HttpRequest, operator_key: str, account_key: str, user_key: str) -> HttpResponse:
    """May this user publish, subscribe, request? A link may ask too: `?verb=publish&subject=…`."""
    principal = principal_for(request)
    found = lookup.user(principal, operator_key, account_key, user_key)
    asked = request.POST if request.method == "POST" else request.GET if "subject" in request.GET else None
    form = QuestionForm(asked, initial={"verb": request.GET.get("verb", "publish")})
    answer = None
    if form.is_valid():
        with guards.errors_on(form):
            cluster = form.cleaned_data["cluster"] or None
            situation = situations.of(principal, found, now=clock.unix(), cluster=cluster)
            answer = explain.ask(situation, form.to_question())
    context = shown.frame(
        title=f"May {found.name} …?",
        nav="operators",
        crumbs=shown.user_crumbs(found, "May it …?"),
        can=users_shown.can(principal, found),
        tab="explain",
        form=form,
        by_role=found.pub_mode == Mode.ROLE,
        answer=explaining_shown.answer(answer, found, principal) if answer is not None else None,
        **users_shown.page_of(found, clock.unix()),
    )
    return htmx.render(request, "identities/explain/user.html", context, part=TESTER, status=form.status)


@sensitive_post_parameters()
@guards.page("GET", "POST")
def denied(request: HttpRequest) -> HttpResponse:
    """Explain what a server's log or a client's error says was denied."""
    principal = principal_for(request)
    allowed = reach.anywhere(principal, Action.VIEW)
    if isinstance(allowed, decisions.Denied):
        raise decisions.Forbidden(allowed.reason)
    form = DenialForm(request.POST if request.method == "POST" else None)
    context: dict[str, Any] = {"asked": False}
    if form.is_valid():
        context |= _explained(principal, form)
    page = shown.frame(
        title="Why was this denied?",
        nav="denied",
        crumbs=[shown.Crumb(label="Why was this denied?")],
        form=form,
        **context,
    )
    return htmx.render(request, "identities/explain/denied.html", page, part=EXPLAINER, status=form.status)


def _explained(principal: Principal, form: DenialForm) -> dict[str, Any]:
    """What the page shows below the form: the denials, or the users to choose from."""
    chosen: User | None = None
    if name := form.cleaned_data["user"]:
        matching = situations.users(principal, name)
        if not matching:
            form.add_error("user", "No user of this key or name is known here.")
            return {}
        if len(matching) > 1:
            form.add_error("user", "Several users are called so: choose one.")
            return {"candidates": _candidates(matching[: situations.MOST_NAMESAKES])}
        chosen = matching[0]
    found = denials.explained(principal, form.cleaned_data["text"], chosen, now=clock.unix())
    return {"asked": True, "found": tuple(explaining_shown.denial(one, principal) for one in found)}


def _candidates(users: list[User]) -> tuple[shown.Crumb, ...]:
    """Label and public key of each."""
    return tuple(
        shown.Crumb(
            label=f"{user.name} of {user.account.name} ({shown.short(user.public_key)})", url=user.public_key
        )
        for user in users
    )
