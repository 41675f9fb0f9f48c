"""Who may do what: roles on the installation, an operator, an account or a role, given and taken."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse

from identities import lookup
from identities.forms.access import GrantForm
from identities.forms.base import BaseForm
from identities.lookup import principal_for
from identities.models import Account, Key, Purpose
from identities.policy.actions import Action
from identities.policy.principal import Principal, Role
from identities.queries import access
from identities.services import grants
from identities.views import access_shown, guards, htmx, shown, signing_keys_shown

FIELDS = "identities/team/grant_fields.html"
NAV = "operators"


@guards.page()
def index(request: HttpRequest) -> HttpResponse:
    """Every role that somebody holds on what the reader may see."""
    principal = principal_for(request)
    text = request.GET.get("q", "").replace("\x00", "").strip()[:200]
    found = access_shown.search(access.grants(principal), text)
    rows = access_shown.rows(principal, found)
    context = access_shown.frame(
        principal,
        "Team & access",
        rows=rows,
        more=found.count() - len(rows) if len(rows) == access_shown.MOST else 0,
        q=text,
        new_url=reverse("grant-new") if grants.roles_for(principal, None) else "",
    )
    context["crumbs"] = (shown.Crumb(label="Team & access"),)
    return htmx.render(request, "identities/team/index.html", context)


@guards.page()
def operator(request: HttpRequest, operator_key: str) -> HttpResponse:
    """Who may do what on an operator and below it."""
    principal = principal_for(request)
    row = lookup.operator(principal, operator_key)
    context = shown.frame(
        title=f"Access to {row.name}",
        nav=NAV,
        crumbs=shown.operator_crumbs(row, "Access"),
        **shown.operator_tabs(principal, row),
        **access_shown.here(principal, row, shown.operator_url("operator-access-new", row)),
    )
    return htmx.render(request, "identities/team/access.html", context)


@guards.page()
def account(request: HttpRequest, operator_key: str, account_key: str) -> HttpResponse:
    """Who may do what on an account and its roles."""
    principal = principal_for(request)
    row = lookup.account(principal, operator_key, account_key)
    context = shown.frame(
        title=f"Access to {row.name}",
        nav=NAV,
        crumbs=shown.account_crumbs(row, "Access"),
        **shown.account_tabs(row),
        **access_shown.here(principal, row, shown.account_url("account-access-new", row)),
    )
    return htmx.render(request, "identities/team/access.html", context)


@guards.page()
def role(request: HttpRequest, operator_key: str, account_key: str, signing_key: str) -> HttpResponse:
    """Who may hand out creds of a role."""
    principal = principal_for(request)
    row = lookup.account(principal, operator_key, account_key)
    key = _role(row, signing_key)
    context = shown.frame(
        title=f"Access to the role {key.role}",
        nav=NAV,
        crumbs=(*shown.account_crumbs(row, "")[:4], *signing_keys_shown.crumbs(row, f"Access to {key.role}")),
        **shown.account_tabs(row),
        **access_shown.here(principal, key, shown.account_url("role-access-new", row, key.public_key)),
    )
    context["tab_here"] = "Signing keys"
    return htmx.render(request, "identities/team/access.html", context)


@guards.page("GET", "POST")
def new(request: HttpRequest) -> HttpResponse:
    """Give a role on the whole installation."""
    principal = principal_for(request)
    guards.require(principal, Action.GRANT_EDIT)
    return _give(request, principal, None)


@guards.page("GET", "POST")
def operator_new(request: HttpRequest, operator_key: str) -> HttpResponse:
    """Give a role on an operator."""
    principal = principal_for(request)
    row = lookup.operator(principal, operator_key)
    guards.require(principal, Action.GRANT_EDIT, grants.scope_of(row))
    return _give(request, principal, row)


@guards.page("GET", "POST")
def account_new(request: HttpRequest, operator_key: str, account_key: str) -> HttpResponse:
    """Give a role on an account."""
    principal = principal_for(request)
    row = lookup.account(principal, operator_key, account_key)
    guards.require(principal, Action.GRANT_EDIT, grants.scope_of(row))
    return _give(request, principal, row)


@guards.page("GET", "POST")
def role_new(request: HttpRequest, operator_key: str, account_key: str, signing_key: str) -> HttpResponse:
    """Make somebody an issuer of a role."""
    principal = principal_for(request)
    row = lookup.account(principal, operator_key, account_key)
    guards.require(principal, Action.GRANT_EDIT, grants.scope_of(row))
    return _give(request, principal, _role(row, signing_key))


@guards.page("GET", "POST")
def take(request: HttpRequest, grant_id: int) -> HttpResponse:
    """Take a role away, after a question."""
    principal = principal_for(request)
    grant = access.grants(principal).filter(pk=grant_id).first()
    if grant is None:
        raise Http404("Nobody holds this role.")
    guards.require(principal, Action.GRANT_EDIT, grants.scope_of_grant(grant))
    holder, place = grants.holder_of(grant), grants.place_of(grant)
    title = grants.title(Role(grant.role), place)
    back = access_shown.place_url(place)
    form = BaseForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        with guards.errors_on(form):
            grants.take(principal=principal, grant=grant)
            return htmx.done(request, back, f"“{holder}” is {title} no more.")
    context = access_shown.form_frame(
        place,
        shown.Crumb(label="Take a role away"),
        title="Take a role away",
        cancel_url=back,
        submit="Take it away",
        danger=True,
        intro=f"“{holder}” is {title}. What they may by other roles, also those of their teams, stays.",
    )
    return htmx.render_form(request, form, "", context)


def _give(request: HttpRequest, principal: Principal, place: grants.Place) -> HttpResponse:
    back = access_shown.place_url(place)
    form = GrantForm(
        request.POST if request.method == "POST" else None,
        roles=access_shown.choices(principal, place),
        bounded=isinstance(place, Key),
    )
    if form.is_valid():
        typed = form.cleaned_data
        with guards.errors_on(form):
            wanted = Role(typed["role"])
            grants.give(
                principal=principal,
                holder=form.found,
                role=wanted,
                place=place,
                names=typed.get("names", "*"),
                tags=typed.get("tags", ()),
            )
            return htmx.done(request, back, f"“{form.found}” is {grants.title(wanted, place)} now.")
    context = access_shown.form_frame(
        place,
        shown.Crumb(label="Give a role"),
        title=f"Give a role on {access_shown.place_name(place)}",
        cancel_url=back,
        submit="Give it",
        intro="You can give what you hold yourself. It holds at once, and below: on an operator, for all its accounts.",
        suggestions=access_shown.suggestions(access.grants(principal)[: access_shown.MOST]),
    )
    return htmx.render_form(request, form, FIELDS, context)


def _role(account: Account, public_key: str) -> Key:
    """A live role of the account."""
    found = Key.objects.filter(
        account=account, public_key=public_key, purpose=Purpose.ROLE, deleted_at=None
    ).select_related("account__operator")
    key = found.first()
    if key is None:
        raise lookup.NotFound("There is no such role in this account.")
    return key
