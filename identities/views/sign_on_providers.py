"""Pages of owners: the providers of single sign-on, and which of their groups are which teams."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from identities.errors import IdentityError
from identities.forms.base import ConfirmForm, VersionForm
from identities.forms.sign_on import GroupForm, NewProviderForm, ProviderForm
from identities.lookup import NotFound, principal_for
from identities.models import SignOnGroup, SignOnProvider, Team
from identities.policy import decisions
from identities.policy.actions import Action
from identities.services import sign_on_providers as service
from identities.views import access_shown, guards, htmx, shown, sign_on_shown

INDEX = "identities/sign_on/index.html"
DETAIL = "identities/sign_on/detail.html"


@guards.page()
def index(request: HttpRequest) -> HttpResponse:
    """All providers."""
    principal = principal_for(request)
    guards.require(principal, Action.SIGN_ON_EDIT)
    crumb = shown.Crumb(label="Single sign-on")
    context = access_shown.frame(principal, "Single sign-on", crumb, rows=sign_on_shown.rows())
    return htmx.render(request, INDEX, context)


@guards.page("GET", "POST")
def create(request: HttpRequest) -> HttpResponse:
    """Add a provider."""
    principal = principal_for(request)
    guards.require(principal, Action.SIGN_ON_EDIT)
    form = NewProviderForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        with guards.errors_on(form):
            made = service.create(principal=principal, draft=form.to_draft())
            done = f"Added “{made.name}”. Register the address below there, then try it."
            return htmx.done(request, _url(made), done)
    context = access_shown.frame(
        principal,
        "New provider",
        _home(),
        shown.Crumb(label="New provider"),
        cancel_url=reverse("sign-on-providers"),
        submit="Add provider",
        intro="Any provider of OpenID Connect: Keycloak, Entra ID, Okta, Google, GitLab, Dex … Make nscweb a client "
        "there first, of the kind “web application”.",
    )
    return htmx.render_form(request, form, "", context)


@guards.page("GET", "POST")
def detail(request: HttpRequest, provider_id: int) -> HttpResponse:
    """One provider; POST tries it: what it says of itself, or what is wrong."""
    principal = principal_for(request)
    provider = service.find(principal=principal, number=provider_id)
    tried: dict[str, Any] | None = None
    if request.method == "POST":
        try:
            tried = sign_on_shown.tried(service.try_out(principal=principal, provider=provider))
        except decisions.Forbidden:
            raise
        except IdentityError as refused:
            tried = sign_on_shown.not_tried(refused.user_message)
    context = {**_frame(request, provider, ""), **sign_on_shown.page(provider), "tried": tried}
    return htmx.render(request, DETAIL, context)


@guards.page("GET", "POST")
def edit(request: HttpRequest, provider_id: int) -> HttpResponse:
    """Edit a provider."""
    principal = principal_for(request)
    provider = service.find(principal=principal, number=provider_id)
    form = ProviderForm(
        request.POST if request.method == "POST" else None,
        has_secret=provider.client_secret is not None,
        initial={**ProviderForm.values_of(provider), "version": provider.version},
    )
    if form.is_valid():
        with guards.errors_on(form, ProviderForm.values_of):
            saved = service.update(
                principal=principal, provider=provider, draft=form.to_draft(), version=form.version
            )
            return htmx.done(request, _url(saved), f"Saved “{saved.name}”.")
    return htmx.render_form(request, form, "", _frame(request, provider, "Edit"))


@guards.page("GET", "POST")
def delete(request: HttpRequest, provider_id: int) -> HttpResponse:
    """Ask for the name, then remove a provider."""
    principal = principal_for(request)
    provider = service.find(principal=principal, number=provider_id)
    data = request.POST if request.method == "POST" else None
    form = ConfirmForm(data, name=provider.name, initial={"version": provider.version})
    if form.is_valid():
        with guards.errors_on(form):
            service.delete(principal=principal, provider=provider, version=form.version)
            return htmx.done(request, reverse("sign-on-providers"), f"Removed “{provider.name}”.")
    context = _frame(
        request,
        provider,
        "Remove",
        name=provider.name,
        submit="Remove provider",
        intro="Nobody comes in through it any more, and whom it put into teams leaves them. Who has neither a password "
        "nor another provider can't sign in until an owner helps. Open sessions go on until they end.",
    )
    return htmx.render_form(request, form, "", context, panel=htmx.CONFIRM)


@guards.page("GET", "POST")
def map_group(request: HttpRequest, provider_id: int) -> HttpResponse:
    """Say that a group of the provider is a team here."""
    principal = principal_for(request)
    provider = service.find(principal=principal, number=provider_id)
    teams = list(Team.objects.order_by("name"))
    data = request.POST if request.method == "POST" else None
    form = GroupForm(data, teams=teams, initial={"version": provider.version})
    if not teams:
        form.warnings.append("There is no team yet: make one first.")
    if form.is_valid():
        with guards.errors_on(form):
            team = form.to_team()
            service.map_group(
                principal=principal,
                provider=provider,
                group=form.cleaned_data["group"],
                team=team,
                version=form.version,
            )
            return htmx.done(
                request, _url(provider), f"Its members join team “{team.name}” when they sign in."
            )
    intro = (
        "At each sign-in, whoever is in the group there joins the team here; whoever left it there leaves it."
    )
    return htmx.render_form(request, form, "", _frame(request, provider, "Group and team", intro=intro))


@guards.page("GET", "POST")
def unmap_group(request: HttpRequest, provider_id: int, group_id: int) -> HttpResponse:
    """Take that back."""
    principal = principal_for(request)
    provider = service.find(principal=principal, number=provider_id)
    mapped = SignOnGroup.objects.filter(provider=provider, pk=group_id).select_related("team").first()
    if mapped is None:
        raise NotFound("There is no such group (any more).")
    data = request.POST if request.method == "POST" else None
    form = VersionForm(data, initial={"version": provider.version})
    if form.is_valid():
        with guards.errors_on(form):
            service.unmap_group(
                principal=principal, provider=provider, number=mapped.pk, version=form.version
            )
            return htmx.done(
                request, _url(provider), f"“{mapped.group}” leads into no team by that any more."
            )
    intro = f"Whom “{provider.name}” put into team “{mapped.team.name}” leaves it, unless another group leads there."
    context = _frame(
        request, provider, f"Group {mapped.group}", intro=intro, submit="Take it back", danger=True
    )
    return htmx.render_form(request, form, "", context)


def _home() -> shown.Crumb:
    return shown.Crumb(label="Single sign-on", url=reverse("sign-on-providers"))


def _url(provider: SignOnProvider) -> str:
    return reverse("sign-on-provider", args=[provider.pk])


def _frame(request: HttpRequest, provider: SignOnProvider, step: str, /, **more: Any) -> dict[str, Any]:
    crumbs = [_home(), shown.Crumb(label=provider.name, url=_url(provider) if step else "")]
    crumbs += [shown.Crumb(label=step)] if step else []
    title = f"{step}: {provider.name}" if step else provider.name
    return access_shown.frame(principal_for(request), title, *crumbs, cancel_url=_url(provider), **more)
