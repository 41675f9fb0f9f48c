"""Short-lived creds of a role: issued as a plain download, and how long they live."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.cache import never_cache

from identities import lookup
from identities.forms.short_lived import ShortLivedForm, TermsForm
from identities.lookup import principal_for
from identities.models import Account, Key
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.services import accounts, issuing_terms, short_lived
from identities.views import guards, handouts_shown, htmx, shown, signing_keys_shown

NAV = "operators"


@never_cache
@guards.page("GET", "POST")
def creds(request: HttpRequest, operator_key: str, account_key: str, signing_key: str) -> HttpResponse:
    """Issue creds of a role and take them away at once: they are in no page, and nothing here keeps them."""
    principal = principal_for(request)
    role = lookup.role(principal, operator_key, account_key, signing_key)
    guards.require(principal, Action.CREDS_ISSUE, short_lived.scope(role))
    data = request.POST if request.method == "POST" else None
    form = ShortLivedForm(data, terms=issuing_terms.of(role))
    if form.is_valid():
        with guards.errors_on(form):
            made = short_lived.issue(principal=principal, role=role, draft=form.to_draft())
            name = handouts_shown.file_name(f"{made.name}.{'creds' if made.creds else 'jwt'}")
            kind = "application/x-nats-creds" if made.creds else "application/jwt"
            return htmx.download(name, made.creds or made.jwt, kind)
    context = {
        **_frame(principal, role, "Issue short-lived creds"),
        "intro": "Creds of this role that end by themselves. No user is kept here; the ledger knows who received them, "
        "and they can be revoked there.",
        "submit": "Issue and download",
        "plain": True,
    }
    return htmx.render_form(request, form, "", context)


@guards.page("GET", "POST")
def terms(request: HttpRequest, operator_key: str, account_key: str, signing_key: str) -> HttpResponse:
    """Set how long short-lived creds of a role live."""
    principal = principal_for(request)
    role = lookup.role(principal, operator_key, account_key, signing_key)
    guards.require(principal, Action.SIGNING_KEY_EDIT, short_lived.scope(role))
    data = request.POST if request.method == "POST" else None
    form = TermsForm(data, terms=issuing_terms.of(role))
    if form.is_valid():
        with guards.errors_on(form):
            issuing_terms.edit(principal=principal, key=role, terms=form.to_terms())
            url = signing_keys_shown.url("signing-key", _account(role), role.public_key)
            return htmx.done(request, url, "Saved how long short-lived creds live.")
    context = {
        **_frame(principal, role, "How long short-lived creds live"),
        "intro": "What was issued before keeps its time.",
    }
    return htmx.render_form(request, form, "", context)


def _account(role: Key) -> Account:
    assert role.account is not None  # noqa: S101 - a role has one, and `lookup.role` loads it
    return role.account


def _frame(principal: Principal, role: Key, step: str) -> dict[str, Any]:
    """Whoever holds something on the role alone is led to no page that they may not see."""
    account = _account(role)
    title = f"{step}: {issuing_terms.called(role)}"
    if not guards.may(principal, Action.VIEW, accounts.scope(account)):
        return shown.frame(title=title, nav="", cancel_url=reverse("dashboard"))
    back = signing_keys_shown.url("signing-key", account, role.public_key)
    return shown.frame(title=title, nav=NAV, crumbs=shown.account_crumbs(account, step), cancel_url=back)
