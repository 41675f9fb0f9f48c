"""Pages of invitations: the list, making one, its link, and taking one up."""

from __future__ import annotations

from allauth.account.adapter import get_adapter
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters

from identities import lookup
from identities.errors import IdentityError
from identities.forms.invitations import InvitationForm, JoinForm
from identities.lookup import principal_for
from identities.models import Team
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal, Role
from identities.services import grants, mails
from identities.services import invitations as service
from identities.views import access_shown, guards, htmx, invitations_shown, shown, sign_on, sign_on_shown

INDEX = "identities/invitations/index.html"
MADE = "identities/invitations/made.html"
JOIN = "identities/invitations/join.html"


@guards.page()
def index(request: HttpRequest) -> HttpResponse:
    """The invitations that one may see: owners all, others their own."""
    principal = principal_for(request)
    _require(service.may_invite(principal))
    context = access_shown.frame(
        principal,
        "Invitations",
        shown.Crumb(label="Invitations"),
        rows=invitations_shown.rows(service.visible_to(principal)),
        can=guards.can(principal, None, Action.INVITE),
    )
    return htmx.render(request, INDEX, context)


@guards.page("GET", "POST")
def create(request: HttpRequest) -> HttpResponse:
    """Invite somebody to the installation: with a role on all of it, into teams, or with nothing yet."""
    principal = principal_for(request)
    guards.require(principal, Action.INVITE)
    return _invite(request, principal, None)


@guards.page("GET", "POST")
def operator(request: HttpRequest, operator_key: str) -> HttpResponse:
    """Invite somebody with a role on an operator."""
    principal = principal_for(request)
    row = lookup.operator(principal, operator_key)
    guards.require(principal, Action.INVITE, grants.scope_of(row))
    return _invite(request, principal, row)


@guards.page("GET", "POST")
def account(request: HttpRequest, operator_key: str, account_key: str) -> HttpResponse:
    """Invite somebody with a role on an account."""
    principal = principal_for(request)
    row = lookup.account(principal, operator_key, account_key)
    guards.require(principal, Action.INVITE, grants.scope_of(row))
    return _invite(request, principal, row)


@guards.page("POST")
def revoke(request: HttpRequest, invitation_id: int) -> HttpResponse:
    """Have a link let nobody in any more."""
    try:
        row = service.revoke(principal=principal_for(request), number=invitation_id)
    except lookup.NotFound:
        raise
    except IdentityError as refused:
        messages.error(request, refused.user_message)
        return redirect("invitations")
    return htmx.done(request, reverse("invitations"), f"The link of “{row.name}” opens nothing any more.")


@sensitive_post_parameters("password", "again")
@guards.page("GET", "POST")
def join(request: HttpRequest, token: str) -> HttpResponse:
    """Take an invitation up: choose a name and password, or an account at a provider."""
    row = service.opened(token)
    if row is None:
        return TemplateResponse(request, JOIN, {"title": "This link opens nothing"}, status=404)
    form = JoinForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        with guards.errors_on(form):
            person = service.accept(
                principal=_visitor(request),
                token=token,
                username=form.cleaned_data["username"],
                password=form.cleaned_data["password"],
            )
            get_adapter(request).login(request, person)
            messages.success(request, f"Welcome, {person.name or person.username}.")
            return redirect("dashboard")
    context = {
        "title": f"Welcome, {row.name}",
        "form": form,
        "by": row.by_name,
        "waits": service.waits(row),
        "providers": [
            {**each, "url": reverse("join-with", args=[token, each["id"]])}
            for each in sign_on_shown.choices()
        ],
    }
    return TemplateResponse(request, JOIN, context, status=form.status)


@guards.page("POST")
def join_with(request: HttpRequest, token: str, provider_id: int) -> HttpResponse:
    """Take it up by an account at a provider."""
    row = service.opened(token)
    if row is None:
        return TemplateResponse(request, JOIN, {"title": "This link opens nothing"}, status=404)
    return sign_on.leave_for_invitation(request, provider_id, row.pk)


def _invite(request: HttpRequest, principal: Principal, place: grants.Place) -> HttpResponse:
    _require(service.may_invite(principal))
    whole = guards.may(principal, Action.TEAM_EDIT)
    form = InvitationForm(
        request.POST if request.method == "POST" else None,
        roles=access_shown.choices(principal, place),
        teams=list(Team.objects.order_by("name")) if whole and place is None else [],
        mails=mails.configured(),
    )
    if form.is_valid():
        typed = form.cleaned_data
        with guards.errors_on(form):
            draft = service.InvitationDraft(
                name=typed["name"],
                email=typed["email"],
                roles=((Role(typed["role"]), place),) if typed["role"] else (),
                teams=form.to_teams(),
            )
            row, token = service.invite(principal=principal, draft=draft)
            link = f"{settings.NSCWEB_URL}{reverse('join', args=[token])}"
            context = access_shown.frame(
                principal,
                f"The link for {row.name}",
                _home(),
                shown.Crumb(label=row.name),
                link=link,
                expires=shown.moment(row.expires_at),
                waits=service.waits(row),
                mailed=service.send(row, link),
                email=row.email,
            )
            return TemplateResponse(request, MADE, context)
    steps = (_home(), shown.Crumb(label="New")) if place is None else (shown.Crumb(label="Invite"),)
    context = access_shown.form_frame(
        place,
        *steps,
        title=f"Invite somebody to {access_shown.place_name(place)}",
        cancel_url=access_shown.place_url(place) if place is not None else reverse("invitations"),
        submit="Make the link",
        plain=True,
        intro=f"A link that works once within {service.DAYS} days. You can give what you hold yourself; it is asked "
        "again whether you may when the link is used.",
    )
    return htmx.render_form(request, form, "", context)


def _home() -> shown.Crumb:
    return shown.Crumb(label="Invitations", url=reverse("invitations"))


def _visitor(request: HttpRequest) -> Principal:
    return Principal.nobody(str(request.META.get("REMOTE_ADDR", "")))


def _require(decision: decisions.Decision) -> None:
    if isinstance(decision, decisions.Denied):
        raise decisions.Forbidden(decision.reason)
