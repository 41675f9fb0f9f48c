"""A forgotten password: asking for a link, and setting a new one by it. None of these pages tells who is known."""

from __future__ import annotations

from allauth.core import ratelimit
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters

from identities.forms.people import ForgottenForm, NewPasswordForm
from identities.lookup import principal_for
from identities.services import mails, resets
from identities.views import guards, htmx, proving

ASK = "account/forgotten.html"
SET = "account/new_password.html"


@guards.page("GET", "POST")
def forgotten(request: HttpRequest) -> HttpResponse:
    """Ask for a link; the answer is the same for names that are known and for others."""
    form = ForgottenForm(request.POST if request.method == "POST" else None)
    asked = mails.configured() and form.is_valid()
    if asked and ratelimit.consume(request, action="reset_password", user=None):
        resets.ask(typed=form.cleaned_data["name"], address=proving.address(request))
    htmx.focus(form)
    context = {
        "title": "Forgotten password",
        "form": form,
        "mails": mails.configured(),
        "asked": asked,
        "hours": resets.hours(),
    }
    return TemplateResponse(request, ASK, context, status=form.status)


@sensitive_post_parameters("password", "again")
@guards.page("GET", "POST")
def new_password(request: HttpRequest, person_id: int, token: str) -> HttpResponse:
    """Set a new password by a link. It signs nobody in: a second factor is asked for as ever."""
    person = resets.opens(person_id, token)
    if person is None:
        return TemplateResponse(request, SET, {"title": "This link opens nothing"}, status=404)
    form = NewPasswordForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        with guards.errors_on(form):
            resets.use(
                principal=principal_for(request),
                number=person_id,
                token=token,
                password=form.cleaned_data["password"],
            )
            return redirect(f"{reverse('account_login')}?changed=1")
    htmx.focus(form)
    context = {"title": "New password", "form": form, "username": person.username}
    return TemplateResponse(request, SET, context, status=form.status)
