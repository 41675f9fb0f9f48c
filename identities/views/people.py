"""Pages about people: the one-time link that makes the first administrator."""

from __future__ import annotations

from allauth.account.adapter import get_adapter
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.views.decorators.debug import sensitive_post_parameters

from identities.forms.people import FirstAdminForm
from identities.lookup import principal_for
from identities.services import people
from identities.views import guards

TEMPLATE = "identities/people/first_admin.html"


@sensitive_post_parameters("password", "again")
@guards.page("GET", "POST")
def first_admin(request: HttpRequest, token: str) -> HttpResponse:
    """Make the first administrator by the link that was printed at the first start, and sign them in."""
    if not people.first_admin_link_opens(token):
        context = {"title": "This link opens nothing", "signed_up": not people.needs_first_administrator()}
        return TemplateResponse(request, TEMPLATE, context, status=404)
    form = FirstAdminForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        with guards.errors_on(form):
            person = people.make_first_administrator(
                principal=principal_for(request),
                token=token,
                username=form.cleaned_data["username"],
                password=form.cleaned_data["password"],
            )
            get_adapter(request).login(request, person)
            messages.success(
                request, f"Welcome, {person.name or person.username}. You administer this installation."
            )
            return redirect("dashboard")
    context = {"title": "First administrator", "form": form}
    return TemplateResponse(request, TEMPLATE, context, status=form.status)
