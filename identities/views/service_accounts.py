"""Pages of service accounts: the list, one with its roles and tokens, making, editing, switching off and on."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from identities.forms.base import BaseForm
from identities.forms.tokens import ServiceAccountForm
from identities.lookup import NotFound, principal_for
from identities.models import ServiceAccount
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.queries import access
from identities.services import service_accounts
from identities.views import access_shown, guards, htmx, shown, tokens_shown

MOST = 300
LABEL = "Service accounts"


@guards.page()
def index(request: HttpRequest) -> HttpResponse:
    """Every machine that may come in with a token."""
    principal = principal_for(request)
    guards.require(principal, Action.VIEW)
    found = ServiceAccount.objects.order_by("name").annotate(
        roles=Count("grants", distinct=True),
        open_tokens=Count("tokens", distinct=True, filter=Q(tokens__revoked_at=None)),
    )
    rows = [tokens_shown.machine(row, roles=row.roles, tokens=row.open_tokens) for row in found[:MOST]]
    context = access_shown.frame(
        principal,
        LABEL,
        shown.Crumb(label=LABEL),
        rows=rows,
        more=found.count() - MOST if len(rows) == MOST else 0,
        can=guards.can(principal, None, Action.SERVICE_ACCOUNT_EDIT),
    )
    return htmx.render(request, "identities/team/service_accounts.html", context)


@guards.page()
def detail(request: HttpRequest, machine_id: int) -> HttpResponse:
    """One service account: what it may do, and the tokens that it comes in with."""
    principal = principal_for(request)
    guards.require(principal, Action.VIEW)
    machine = found(machine_id)
    tokens = machine.tokens.select_related("operator").order_by("-created_at", "-pk")[:MOST]
    context = frame(
        principal,
        machine,
        "",
        machine=tokens_shown.machine(machine, roles=0, tokens=0),
        active=machine.is_active,
        made=shown.moment(machine.created_at),
        by=machine.by_name,
        rows=access_shown.rows(principal, access.grants(principal).filter(service_account=machine)),
        tokens=tokens_shown.tokens(tokens),
        can=guards.can(principal, None, Action.SERVICE_ACCOUNT_EDIT),
        urls={
            name: reverse(f"service-account-{name}", args=[machine.pk])
            for name in ("edit", "switch", "token")
        },
    )
    return htmx.render(request, "identities/team/service_account.html", context)


@guards.page("GET", "POST")
def create(request: HttpRequest) -> HttpResponse:
    """Make a service account."""
    principal = principal_for(request)
    guards.require(principal, Action.SERVICE_ACCOUNT_EDIT)
    form = ServiceAccountForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        with guards.errors_on(form):
            machine = service_accounts.create(principal=principal, **form.cleaned_data)
            done = f"Made the service account “{machine}”. Give it a role and a token."
            return htmx.done(request, url_of(machine), done)
    context = access_shown.frame(
        principal,
        "New service account",
        shown.Crumb(label=LABEL, url=reverse("service-accounts")),
        shown.Crumb(label="New service account"),
        cancel_url=reverse("service-accounts"),
        submit="Make service account",
    )
    return htmx.render_form(request, form, "", context)


@guards.page("GET", "POST")
def edit(request: HttpRequest, machine_id: int) -> HttpResponse:
    """Give a service account another name or description."""
    principal = principal_for(request)
    machine = service_accounts.found(principal, machine_id)
    data = request.POST if request.method == "POST" else None
    form = ServiceAccountForm(data, initial=ServiceAccountForm.values_of(machine))
    if form.is_valid():
        with guards.errors_on(form):
            saved = service_accounts.update(
                principal=principal, machine=machine, is_active=machine.is_active, **form.cleaned_data
            )
            return htmx.done(request, url_of(saved), f"Saved the service account “{saved}”.")
    return htmx.render_form(request, form, "", frame(principal, machine, "Edit"))


@guards.page("GET", "POST")
def switch(request: HttpRequest, machine_id: int) -> HttpResponse:
    """Switch a service account off, with all its tokens at once; or on again."""
    principal = principal_for(request)
    machine = service_accounts.found(principal, machine_id)
    form = BaseForm(request.POST if request.method == "POST" else None)
    word = "off" if machine.is_active else "on"
    if form.is_valid():
        with guards.errors_on(form):
            saved = service_accounts.update(
                principal=principal,
                machine=machine,
                name=machine.name,
                description=machine.description,
                is_active=not machine.is_active,
            )
            return htmx.done(request, url_of(saved), f"“{saved}” is switched {word}.")
    context = frame(principal, machine, f"Switch {word}")
    context |= {
        "submit": f"Switch {word}",
        "danger": machine.is_active,
        "intro": "None of its tokens opens anything from then on, until it is switched on again."
        if machine.is_active
        else "Its tokens that have not expired and were not revoked open what its roles allow.",
    }
    return htmx.render_form(request, form, "", context)


def found(number: int) -> ServiceAccount:
    """The service account of that number. Raises: NotFound."""
    row = ServiceAccount.objects.filter(pk=number).first()
    if row is None:
        raise NotFound("There is no such service account.")
    return row


def url_of(machine: ServiceAccount) -> str:
    """Its page."""
    return reverse("service-account", args=[machine.pk])


def frame(
    principal: Principal, row: ServiceAccount, step: str, *, title: str = "", **more: Any
) -> dict[str, Any]:
    """The context of a page about one service account."""
    crumbs = [
        shown.Crumb(label=LABEL, url=reverse("service-accounts")),
        shown.Crumb(label=row.name, url=url_of(row) if step else ""),
    ]
    if step:
        crumbs.append(shown.Crumb(label=step))
    words = title or (f"{step} {row.name}" if step else row.name)
    return access_shown.frame(principal, words, *crumbs, cancel_url=url_of(row), **more)
