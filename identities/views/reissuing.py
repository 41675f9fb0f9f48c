"""Pages of a reissue: its plan, before anything is signed, and how far the worker is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse

from identities import lookup
from identities.forms.reissuing import ReissueAccountForm, ReissueOperatorForm, SignOverForm
from identities.lookup import principal_for
from identities.models import Account, Operator
from identities.policy.actions import Action
from identities.policy.principal import Scope
from identities.services import (
    accounts,
    reissue_plans,
    reissuing,
    reissuing_accounts,
    reissuing_operators,
    signing_over,
)
from identities.services.reissuing import Followed, Plan
from identities.views import guards, htmx, reissuing_shown, shown
from identities.views.editing import PREVIEW

NAV = "operators"
PANEL = "identities/reissue/panel.html"
PROGRESS = "identities/reissue/progress.html"
OUTCOME = "identities/reissue/outcome.html"
_Done = Followed | reissuing_accounts.Reissued | reissuing_operators.Reissued


@guards.page("GET", "POST")
def operator(request: HttpRequest, operator_key: str) -> HttpResponse:
    """Give an operator another key."""
    principal = principal_for(request)
    row = lookup.operator(principal, operator_key)
    guards.require(principal, Action.OPERATOR_REISSUE, Scope(operator=row.pk))
    spare = [key.public_key for key in reissuing_operators.spare_keys(row)]
    kind = {"name": row.name, "spare": spare, "initial": {"version": row.version}}
    form: ReissueOperatorForm = _form(request, ReissueOperatorForm, **kind)
    if form.is_valid():
        with guards.errors_on(form):
            done = reissuing_operators.reissue(
                principal=principal,
                operator=row,
                public_key=form.cleaned_data["public_key"],
                convert=form.cleaned_data["convert"],
                version=form.version,
            )
            said = f"Reissued operator “{row.name}”."
            return _after(request, done.operator, done, said)
    convert = bool(_asked(request).get("convert"))
    context = {
        **_frame(row, "Reissue", f"Reissue operator {row.name}"),
        **reissuing_shown.plan(row, lambda: reissue_plans.of_operator(operator=row, convert=convert)),
        "submit": "Reissue operator",
        "name": row.name,
    }
    return htmx.render_form(request, form, "", context, panel=PANEL)


@guards.page("GET", "POST")
def account(request: HttpRequest, operator_key: str, account_key: str) -> HttpResponse:
    """Give an account another key."""
    principal = principal_for(request)
    row = lookup.account(principal, operator_key, account_key)
    guards.require(principal, Action.ACCOUNT_REISSUE, reissuing_accounts.scope(row))
    form: ReissueAccountForm = _form(
        request, ReissueAccountForm, name=row.name, initial={"version": row.version}
    )
    if form.is_valid():
        with guards.errors_on(form):
            done = reissuing_accounts.reissue(
                principal=principal,
                account=row,
                public_key=form.cleaned_data["public_key"],
                version=form.version,
            )
            return _after(request, done.account, done, f"Reissued account “{row.name}”.")
    given = _asked(request).get("public_key", "").strip()

    def planned() -> Plan:
        return reissue_plans.of_account(principal=principal, account=row, public_key=given)

    context = {
        **_frame(row, "Reissue", f"Reissue account {row.name}"),
        **reissuing_shown.plan(row.operator, planned),
        "submit": "Reissue account",
        "name": row.name,
    }
    return htmx.render_form(request, form, "", context, panel=PANEL)


@guards.page("GET", "POST")
def accounts_over(request: HttpRequest, operator_key: str) -> HttpResponse:
    """Sign anew, by another key, the accounts that one key signed."""
    principal = principal_for(request)
    row = lookup.operator(principal, operator_key)
    guards.require(principal, Action.OPERATOR_REISSUE, Scope(operator=row.pk))
    choices = reissuing_shown.operator_choices(principal_for(request), row)
    form: SignOverForm = _form(request, SignOverForm, **choices)
    if form.is_valid():
        with guards.errors_on(form):
            done = signing_over.accounts_of(principal=principal, operator=row, **form.cleaned_data)
            return _after(
                request, row, done, reissuing_shown.signed(done, row.name, "account"), changed=False
            )
    keys = reissuing_shown.chosen(form, choices)
    context = {
        **_frame(row, "Sign anew", f"Sign accounts of {row.name} anew"),
        **reissuing_shown.plan(row, lambda: signing_over.plan_accounts(row, **keys), fits=bool(keys)),
        "submit": "Sign anew",
        "intro": "After a signing key was replaced, or before one is taken away.",
    }
    return htmx.render_form(request, form, "", context, panel=PANEL)


@guards.page("GET", "POST")
def users_over(request: HttpRequest, operator_key: str, account_key: str) -> HttpResponse:
    """Sign anew, by another key, the users that one key signed."""
    principal = principal_for(request)
    row = lookup.account(principal, operator_key, account_key)
    guards.require(principal, Action.ACCOUNT_SIGN_ANEW, accounts.scope(row))
    choices = reissuing_shown.account_choices(principal_for(request), row)
    form: SignOverForm = _form(request, SignOverForm, **choices)
    if form.is_valid():
        with guards.errors_on(form):
            done = signing_over.users(principal=principal, account=row, **form.cleaned_data)
            version = row.version
            row.refresh_from_db(fields=["version"])  # who is revoked may need an entry in the account
            said = reissuing_shown.signed(done, row.name, "user")
            return _after(request, row, done, said, changed=row.version != version)
    keys = reissuing_shown.chosen(form, choices)
    context = {
        **_frame(row, "Sign anew", f"Sign users of {row.name} anew"),
        **reissuing_shown.plan(row.operator, lambda: signing_over.plan_users(row, **keys), fits=bool(keys)),
        "submit": "Sign anew",
        "intro": "After a signing key was replaced, or before one is taken away: users keep their rights.",
    }
    return htmx.render_form(request, form, "", context, panel=PANEL)


@guards.page()
def operator_progress(request: HttpRequest, operator_key: str, job_id: int) -> HttpResponse:
    """How far the accounts of a reissued operator are signed."""
    principal = principal_for(request)
    row = lookup.operator(principal, operator_key)
    guards.require(principal, Action.OPERATOR_REISSUE, Scope(operator=row.pk))
    return _progress(request, row, job_id, "accounts")


@guards.page()
def account_progress(request: HttpRequest, operator_key: str, account_key: str, job_id: int) -> HttpResponse:
    """How far the users of a reissued account are signed."""
    principal = principal_for(request)
    row = lookup.account(principal, operator_key, account_key)
    guards.require(principal, Action.ACCOUNT_SIGN_ANEW, accounts.scope(row))
    return _progress(request, row, job_id, "users")


def _progress(request: HttpRequest, row: Operator | Account, job_id: int, what: str) -> HttpResponse:
    context = {
        **_frame(row, "Signing anew", f"{row.name}: signing {what} anew"),
        **reissuing_shown.progress(reissuing.job_of(row, job_id), what),
        "url": request.path,
        "back_url": _url(row),
        "back": row.name,
    }
    return htmx.render(request, PROGRESS, context, part=OUTCOME)


def _form(request: HttpRequest, form: Callable[..., Any], **options: Any) -> Any:
    """Bound to what was sent; “Show the plan” sends the same and fills it in again, without a complaint."""
    if request.method != "POST":
        return form(None, **options)
    sent = form(request.POST, **options)
    if PREVIEW not in request.POST:
        return sent
    typed: QueryDict = sent.data  # a seed that was typed in is gone from it
    kept = {name: value for name, value in typed.items() if name not in ("version", "csrfmiddlewaretoken")}
    return form(None, **{**options, "initial": {**kept, **options.get("initial", {})}})


def _asked(request: HttpRequest) -> QueryDict:
    return request.POST if request.method == "POST" else QueryDict()


def _after(
    request: HttpRequest, row: Operator | Account, done: _Done, message: str, *, changed: bool = True
) -> HttpResponse:
    """On to the page under the new key; where many follow by the worker, to how far it is.

    `changed`: the row itself has a new JWT, which servers have to learn of.
    """
    job = done.job
    if job is None:
        left = reissuing_shown.left(done.left)
        return htmx.done(request, f"{_url(row)}?changed=1" if changed else _url(row), message, warning=left)
    if isinstance(row, Operator):
        url = reverse("operator-reissue-progress", args=[row.public_key, job.pk])
    else:
        url = reverse("account-reissue-progress", args=[row.operator.public_key, row.public_key, job.pk])
    return htmx.done(request, url, message)


def _url(row: Operator | Account) -> str:
    if isinstance(row, Operator):
        return shown.operator_url("operator", row)
    return shown.account_url("account", row)


def _frame(row: Operator | Account, step: str, title: str) -> dict[str, object]:
    crumbs = (
        shown.operator_crumbs(row, step) if isinstance(row, Operator) else shown.account_crumbs(row, step)
    )
    return shown.frame(title=title, nav=NAV, crumbs=crumbs, cancel_url=_url(row))
