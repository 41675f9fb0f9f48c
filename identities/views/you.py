"""Your account: who you are, how you sign in, where you are signed in, and what you may do here."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from identities.forms.you import NothingForm, ProfileForm
from identities.lookup import principal_for
from identities.services import people
from identities.services import second_factors as factors
from identities.services import sessions as service
from identities.views import guards, htmx, second_factors_shown, shown, you_shown

INDEX = "identities/you/index.html"
SESSIONS = "identities/you/sessions.html"


@guards.page()
def index(request: HttpRequest) -> HttpResponse:
    """All of it on one page."""
    principal = principal_for(request)
    person = people.of(principal)
    context = _frame(
        "Your account",
        "",
        profile=you_shown.profile(person),
        has_password=person.has_usable_password(),
        grants=you_shown.grants(person),
        open_sessions=len(service.of(principal, _key(request))),
        **second_factors_shown.context(factors.of(person)),
    )
    return htmx.render(request, INDEX, context)


@guards.page("GET", "POST")
def edit(request: HttpRequest) -> HttpResponse:
    """Change one's own name and e-mail address."""
    principal = principal_for(request)
    person = people.of(principal)
    form = ProfileForm(
        request.POST if request.method == "POST" else None,
        initial={"name": person.name, "email": person.email},
    )
    if form.is_valid():
        with guards.errors_on(form):
            people.edit_profile(
                principal=principal, name=form.cleaned_data["name"], email=form.cleaned_data["email"]
            )
            return htmx.done(request, reverse("you"), "Saved.")
    return htmx.render_form(request, form, "", _frame("Edit your profile", "Profile"))


@guards.page()
def sessions(request: HttpRequest) -> HttpResponse:
    """Where one is signed in."""
    rows = you_shown.sessions(service.of(principal_for(request), _key(request)))
    return htmx.render(request, SESSIONS, _frame("Your sessions", "Sessions", rows=rows))


@guards.page("POST")
def end_session(request: HttpRequest, session_id: int) -> HttpResponse:
    """Sign one of them out."""
    service.end(principal=principal_for(request), pk=session_id)
    return htmx.done(request, reverse("sessions"), "That session has ended.")


@guards.page("GET", "POST")
def end_others(request: HttpRequest) -> HttpResponse:
    """Sign out everywhere else."""
    form = NothingForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        ended = service.end_others(principal=principal_for(request), current=_key(request))
        return htmx.done(request, reverse("sessions"), you_shown.ended(ended))
    context = _frame(
        "Sign out everywhere else",
        "Sign out",
        intro="Every other browser in which you are signed in is asked for your password at its next page.",
        submit="Sign out everywhere else",
        danger=True,
    )
    context["cancel_url"] = reverse("sessions")
    return htmx.render_form(request, form, "", context)


def _key(request: HttpRequest) -> str:
    return request.session.session_key or ""


def _frame(title: str, step: str, **more: Any) -> dict[str, Any]:
    url = reverse("you")
    crumbs = [shown.Crumb(label="Your account", url=url if step else "")]
    if step:
        crumbs.append(shown.Crumb(label=step))
    return shown.frame(title=title, nav="you", crumbs=crumbs, cancel_url=url, **more)
