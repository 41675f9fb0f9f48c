"""The way to a provider of single sign-on and back, and one's own accounts there."""

from __future__ import annotations

from typing import Any

from allauth.account.internal.flows.login import perform_login, record_authentication
from allauth.account.models import Login
from allauth.core import ratelimit
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse

from identities.errors import IdentityError
from identities.lookup import NotFound, principal_for
from identities.models import SignOnProvider
from identities.resolver.oidc_drafts import Identity
from identities.services import secrets, sign_on, sign_on_people, sign_on_providers
from identities.services.sign_on import Attempt
from identities.views import guards, htmx, proving, shown, sign_on_shown

TEMPLATE = "account/sign_on.html"
MINE = "identities/sign_on/mine.html"
TOO_MANY = "Too many sign-ins were begun from your address. Wait a minute, then start again."
_KEPT = "sign_on"


@guards.page("POST")
def start(request: HttpRequest, provider_id: int) -> HttpResponse:
    """Begin a sign-in, and send the browser to the provider."""
    provider = sign_on_providers.offered(provider_id)
    if not ratelimit.consume(request, action="login", user=None):
        return _refused(request, TOO_MANY, status=429)
    return _leave(request, provider, next_page=proving.safe(request, request.POST.get("next", "")))


@guards.page()
def back(request: HttpRequest, provider_id: int) -> HttpResponse:
    """Take what the provider answers, once; then the person is signed in, or has linked their account."""
    attempt = Attempt.read(request.session.pop(_KEPT, None))
    provider = sign_on_providers.offered(provider_id)
    if attempt is None:
        return _refused(request, sign_on.NOT_UNDER_WAY)
    principal = principal_for(request)
    try:
        identity = sign_on.finish(
            provider, attempt=attempt, answer=request.GET.dict(), back=_back_url(provider)
        )
    except (NotFound, secrets.SealedInstallation):
        raise
    except IdentityError as refused:
        sign_on_people.note_refusal(principal=principal, provider=provider, refused=refused)
        return _refused(request, refused.user_message)
    try:
        if attempt.person is not None:
            if attempt.person != principal.person_id:
                return _refused(request, sign_on.NOT_UNDER_WAY)
            if attempt.proves:
                return _proved(request, provider, identity, attempt)
            sign_on_people.link(principal=principal, provider=provider, identity=identity)
            messages.success(request, f"From now on you can sign in through “{provider.name}”.")
            return redirect("my-sign-on")
        person = sign_on_people.arrive(
            principal=principal, provider=provider, identity=identity, invitation=attempt.invitation
        )
    except (NotFound, secrets.SealedInstallation):
        raise
    except IdentityError as refused:
        return _refused(request, refused.user_message)
    record_authentication(request, person, "socialaccount", provider=provider.name)
    answer: HttpResponse = perform_login(request, Login(user=person, redirect_url=attempt.next or "/"))
    return answer


@guards.page()
def mine(request: HttpRequest) -> HttpResponse:
    """Which accounts at providers one signs in with."""
    crumbs = [shown.Crumb(label="Your account", url=reverse("you")), shown.Crumb(label="Single sign-on")]
    context = shown.frame(
        title="Single sign-on",
        nav="you",
        crumbs=crumbs,
        **sign_on_shown.mine(principal_for(request)),
    )
    return htmx.render(request, MINE, context)


@guards.page("POST")
def link(request: HttpRequest, provider_id: int) -> HttpResponse:
    """Send the browser to the provider, to link the account that somebody has there."""
    provider = sign_on_providers.offered(provider_id)
    principal = principal_for(request)
    if principal.person_id is None:
        raise PermissionDenied("Only a person who is signed in can link an account.")
    return _leave(request, provider, person=principal.person_id)


@guards.page("POST")
def confirm(request: HttpRequest, provider_id: int) -> HttpResponse:
    """Send the browser to the provider, to have it ask again who is there before something sensitive."""
    provider = sign_on_providers.offered(provider_id)
    next_page = proving.safe(request, request.POST.get("next", ""))
    person = principal_for(request).person_id
    return _leave(request, provider, next_page=next_page, person=person, proves=True)


@guards.page("POST")
def unlink(request: HttpRequest, identity_id: int) -> HttpResponse:
    """Sign in with that account no more."""
    try:
        sign_on_people.unlink(principal=principal_for(request), number=identity_id)
    except IdentityError as refused:
        messages.error(request, refused.user_message)
        return redirect("my-sign-on")
    return htmx.done(request, reverse("my-sign-on"), "That account lets you in no more.")


def leave_for_invitation(request: HttpRequest, provider_id: int, invitation: int) -> HttpResponse:
    """Send the browser to the provider; whoever comes back takes the invitation up."""
    return _leave(request, sign_on_providers.offered(provider_id), invitation=invitation)


def _leave(request: HttpRequest, provider: SignOnProvider, **options: Any) -> HttpResponse:
    """A page that goes on by itself: our policy lets no form be sent on to another site."""
    try:
        attempt, url = sign_on.begin(provider, back=_back_url(provider), **options)
    except secrets.SealedInstallation:
        raise
    except IdentityError as refused:
        if not request.user.is_authenticated:
            return _refused(request, refused.user_message)
        messages.error(request, refused.user_message)
        return redirect("confirm" if options.get("proves") else "my-sign-on")
    request.session[_KEPT] = attempt.kept()
    context = {"title": f"On to {provider.name}", "provider": provider.name, "url": url}
    answer = TemplateResponse(request, TEMPLATE, context)
    answer["Refresh"] = f"0; url={url}"
    return answer


def _proved(
    request: HttpRequest, provider: SignOnProvider, identity: Identity, attempt: Attempt
) -> HttpResponse:
    """Go on to what was sensitive, once the provider has named the same person."""
    if not sign_on_people.is_same(principal=principal_for(request), provider=provider, identity=identity):
        refused = sign_on.SignOnRefused(
            f"“{provider.name}” knows you as somebody else than who is signed in here."
        )
        sign_on_people.note_refusal(principal=principal_for(request), provider=provider, refused=refused)
        return _refused(request, refused.user_message)
    proving.prove(request)
    return redirect(attempt.next or "/")


def _refused(request: HttpRequest, reason: str, *, status: int = 403) -> HttpResponse:
    context = {"title": "You were not signed in", "reason": reason}
    return TemplateResponse(request, TEMPLATE, context, status=status)


def _back_url(provider: SignOnProvider) -> str:
    """Where the provider sends the browser; never made of what the browser says of our name."""
    return f"{settings.NSCWEB_URL}{reverse('sign-on-back', args=[provider.pk])}"
