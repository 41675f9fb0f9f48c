"""Pages of API tokens: one's own and those of service accounts. A new one is shown once, in the answer that made it."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from identities.forms.base import BaseForm
from identities.forms.tokens import TokenForm
from identities.lookup import NotFound, principal_for
from identities.models import ApiToken, Operator, Person, ServiceAccount
from identities.policy.principal import Principal
from identities.services import api_tokens, clock, people, service_accounts
from identities.views import guards, htmx, shown, tokens_shown
from identities.views import service_accounts as machines

MOST = 300
ONCE = "It is shown once, right after this: nobody can read it here again."
PERSON_BEHIND = (
    "Where an operator asks for four eyes, you are the person behind what it proposes by this token: somebody else has "
    "to approve that."
)
MADE = "identities/tokens/made.html"
MADE_PART = "identities/tokens/made_panel.html"


@guards.page()
def own(request: HttpRequest) -> HttpResponse:
    """The tokens that one has made for oneself."""
    person = people.of(principal_for(request))
    rows = ApiToken.objects.filter(person=person).select_related("operator").order_by("-created_at", "-pk")
    context = _frame("Your API tokens", "API tokens", tokens=tokens_shown.tokens(rows[:MOST]))
    return htmx.render(request, "identities/tokens/own.html", context)


@guards.page("GET", "POST")
def create_own(request: HttpRequest) -> HttpResponse:
    """Make a token for oneself: it may never more than its person."""
    principal = principal_for(request)
    context = _frame("New API token", "New API token", cancel_url=reverse("tokens"))
    return _made(request, principal, people.of(principal), context, back=reverse("tokens"))


@guards.page("POST")
def revoke_own(request: HttpRequest, api_token_id: int) -> HttpResponse:
    """End one of one's own tokens at once."""
    principal = principal_for(request)
    token = _token(api_token_id, person=people.of(principal))
    api_tokens.revoke(principal=principal, token=token)
    return htmx.done(request, reverse("tokens"), f"The token “{token.name}” opens nothing any more.")


@guards.page("GET", "POST")
def create(request: HttpRequest, machine_id: int) -> HttpResponse:
    """Make a token for a service account."""
    principal = principal_for(request)
    machine = service_accounts.found(principal, machine_id)
    context = machines.frame(principal, machine, "New token", title=f"New token for {machine.name}")
    context["intro"] = f"{ONCE} {PERSON_BEHIND}"
    return _made(request, principal, machine, context, back=machines.url_of(machine))


@guards.page("GET", "POST")
def revoke(request: HttpRequest, machine_id: int, api_token_id: int) -> HttpResponse:
    """End a token of a service account at once, after a question."""
    principal = principal_for(request)
    machine = service_accounts.found(principal, machine_id)
    token = _token(api_token_id, service_account=machine)
    form = BaseForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        with guards.errors_on(form):
            api_tokens.revoke(principal=principal, token=token)
            done = f"The token “{token.name}” opens nothing any more."
            return htmx.done(request, machines.url_of(machine), done)
    context = machines.frame(
        principal, machine, "Revoke token", title=f"Revoke the token {token.name} of {machine.name}"
    )
    context |= {
        "submit": "Revoke token",
        "danger": True,
        "intro": "Whatever uses it is refused from the next request on.",
    }
    return htmx.render_form(request, form, "", context)


def _made(
    request: HttpRequest,
    principal: Principal,
    holder: Person | ServiceAccount,
    context: dict[str, Any],
    *,
    back: str,
) -> HttpResponse:
    """The form; once it is filled in, the only answer that ever holds the token."""
    operators = Operator.objects.visible_to(principal).live().order_by("name", "pk")[:MOST]
    form = TokenForm(
        request.POST if request.method == "POST" else None, now=clock.unix(), operators=tuple(operators)
    )
    if form.is_valid():
        with guards.errors_on(form):
            typed = form.cleaned_data
            made = api_tokens.make(
                principal=principal,
                holder=holder,
                name=typed["name"],
                expires_at=clock.at(typed["expires"]),
                read_only=typed["read_only"],
                operator=form.bound_to,
            )
            context |= {"token": tokens_shown.token(made.token), "text": made.text, "back_url": back}
            answer = htmx.render(
                request, MADE, {**context, "title": f"Token {made.token.name}"}, part=MADE_PART
            )
            answer["Cache-Control"] = "no-store"
            return answer
    context = {"submit": "Make token", "intro": ONCE, **context}
    return htmx.render_form(request, form, "", context)


def _token(number: int, **holder: Any) -> ApiToken:
    found = ApiToken.objects.filter(pk=number, **holder).first()
    if found is None:
        raise NotFound("There is no such token.")
    return found


def _frame(title: str, step: str, **more: Any) -> dict[str, Any]:
    crumbs = [shown.Crumb(label="Your account", url=reverse("you"))]
    if step != "API tokens":
        crumbs.append(shown.Crumb(label="API tokens", url=reverse("tokens")))
    crumbs.append(shown.Crumb(label=step))
    return shown.frame(title=title, nav="you", crumbs=crumbs, **more)
