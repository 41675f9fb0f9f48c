"""One-time links to a user's creds: made and taken back on the user's page, opened by a page of their own."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse

from identities import lookup
from identities.errors import IdentityError
from identities.forms.handover_links import HandoverLinkForm
from identities.lookup import principal_for
from identities.models import HandoverLink
from identities.policy import decisions
from identities.policy.actions import Action
from identities.services import clock, handover_links, secrets, users
from identities.views import guards, handouts_shown, handover_links_shown, htmx, shown, users_shown

NAV = "operators"
PAGE = "identities/users/links.html"
OPEN = "identities/handed_out/take.html"


@guards.page("GET", "POST")
def index(request: HttpRequest, operator_key: str, account_key: str, user_key: str) -> HttpResponse:
    """The links to a user's creds, and the form of a new one, which is shown once."""
    principal = principal_for(request)
    user = lookup.user(principal, operator_key, account_key, user_key)
    guards.require(principal, Action.CREDS_DOWNLOAD, users.scope(user))
    form = HandoverLinkForm(request.POST if request.method == "POST" else None)
    address = ""
    if form.is_valid():
        with guards.errors_on(form):
            made = handover_links.make(principal=principal, user=user, wish=form.to_wish())
            address = settings.NSCWEB_URL + reverse("handover", args=[made.token])
            form = HandoverLinkForm()
    context = {
        **shown.frame(title=f"Links to {user.name}", nav=NAV, crumbs=shown.user_crumbs(user, "Links")),
        **users_shown.page_of(user, clock.unix()),
        "can": users_shown.can(principal, user),
        "tab": "links",
        "form": form,
        "address": address,
        "links": handover_links_shown.rows(user, handover_links.of_user(user)),
    }
    return htmx.render(request, PAGE, context, status=form.status)


@guards.page("POST")
def revoke(
    request: HttpRequest, operator_key: str, account_key: str, user_key: str, link_id: int
) -> HttpResponse:
    """Take a link back."""
    principal = principal_for(request)
    user = lookup.user(principal, operator_key, account_key, user_key)
    url = shown.user_url("user-links", user)
    try:
        handover_links.revoke(principal=principal, user=user, link_id=link_id)
    except (lookup.NotFound, decisions.Forbidden):
        raise
    except IdentityError as refused:
        messages.error(request, refused.user_message)
        return redirect(url)
    return htmx.done(request, url, "The link opens nothing any more.")


@guards.page("GET", "POST")
def take(request: HttpRequest, token: str) -> HttpResponse:
    """Open a link that is bound to nobody; one that is leads to where its person signs in."""
    try:
        link = handover_links.look(token)
    except handover_links.LinkRefused as refused:
        return _refused(request, refused)
    return redirect("handover-mine", token) if link.person_id else _take(request, token, link)


@guards.page("GET", "POST")
def take_mine(request: HttpRequest, token: str) -> HttpResponse:
    """Open a link that is bound to the person who is signed in."""
    try:
        link = handover_links.look(token)
        if link.person_id != principal_for(request).person_id:
            raise handover_links.LinkRefused(
                "This link is for somebody else: it opens only to the person that it was made for."
            )
    except handover_links.LinkRefused as refused:
        return _refused(request, refused)
    return _take(request, token, link)


def _take(request: HttpRequest, token: str, link: HandoverLink) -> HttpResponse:
    """Looking shows a button; only pressing it opens the link."""
    if request.method != "POST":
        context = {"title": "Creds for you", **handover_links_shown.offered(link)}
        return TemplateResponse(request, OPEN, context)
    try:
        handout = handover_links.take(principal=principal_for(request), token=token)
    except secrets.SealedInstallation:
        raise
    except IdentityError as refused:
        return _refused(request, refused)
    return htmx.download(handouts_shown.file_name(handout.filename), handout.text, "application/x-nats-creds")


def _refused(request: HttpRequest, refused: IdentityError) -> HttpResponse:
    context = {"title": "This link opens nothing", "reason": refused.user_message}
    return TemplateResponse(request, OPEN, context, status=404)
