"""How far a lockout is: revoked, delivered, disconnected, proven; and a mere disconnect."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from identities import lookup
from identities.forms.base import BaseForm
from identities.lookup import principal_for
from identities.models import Account, Job
from identities.policy.actions import Action
from identities.services import accounts, biting, lockouts, users
from identities.views import guards, htmx, lockouts_shown, polling, shown, users_shown

NAV = "operators"
STEPS = "identities/lockouts/steps.html"


@guards.page()
def lockout(request: HttpRequest, operator_key: str, account_key: str, job_id: int) -> HttpResponse:
    """The steps of one lockout, as they fill in."""
    principal = principal_for(request)
    account = lookup.account(principal, operator_key, account_key)
    job = biting.of_account(account, job_id)
    told = lockouts_shown.told(account, job)
    context = {
        **shown.frame(
            title=told.title,
            nav=NAV,
            crumbs=shown.account_crumbs(account, told.heading),
        ),
        "told": told,
        "url": request.path,
        "can_again": guards.may(principal, Action.USER_DISCONNECT, accounts.scope(account)),
        "again_url": reverse("lockout-again", args=[operator_key, account_key, job_id]),
        "account": account.name,
        "account_url": shown.account_url("account", account),
        "live_url": shown.account_url("account-live", account),
    }
    return polling.render(request, "identities/lockouts/detail.html", context, part=STEPS, live=told)


@guards.page("POST")
def again(request: HttpRequest, operator_key: str, account_key: str, job_id: int) -> HttpResponse:
    """Look and disconnect once more."""
    principal = principal_for(request)
    account = lookup.account(principal, operator_key, account_key)
    job = biting.again(principal=principal, account=account, job=biting.of_account(account, job_id))
    return htmx.done(request, url(account, job), "The servers are asked again.")


@guards.page("GET", "POST")
def disconnect(request: HttpRequest, operator_key: str, account_key: str, user_key: str) -> HttpResponse:
    """End a user's live connections, and say that it may come back."""
    principal = principal_for(request)
    user = lookup.user(principal, operator_key, account_key, user_key)
    guards.require(principal, Action.USER_DISCONNECT, users.scope(user))
    form = BaseForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        with guards.errors_on(form):
            job = biting.disconnect(principal=principal, user=user)
            return htmx.done(request, url(user.account, job), f"Disconnecting “{user.name}”.")
    context = {
        **users_shown.form_frame(user, "Disconnect", f"Disconnect user {user.name}"),
        "submit": "Disconnect",
        "intro": "Ends every connection that the user has now. Most clients come back at once with the same creds: to "
        "keep it out, suspend it, give it a new key, or delete it.",
    }
    return htmx.render_form(request, form, "", context)


def url(account: Account, job: Job) -> str:
    """Where the steps of a lockout are shown."""
    return reverse("lockout", args=[account.operator.public_key, account.public_key, job.pk])


def then(account: Account, usual: str) -> str:
    """Where an edit of `account` leads on: to the steps of the lockout that this request began, else where it usually
    does.
    """
    job = lockouts.just_noted(account)
    return usual if job is None else url(account, job)
