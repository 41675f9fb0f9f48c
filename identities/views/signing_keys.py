"""Pages of an account's signing keys: the list, one key with its users, adding, editing a role, removing."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse

from identities import lookup
from identities.forms.base import ConfirmForm
from identities.forms.signing_keys import RoleForm, SigningKeyForm
from identities.lookup import principal_for
from identities.models import LIVE_FIRST, Account, Key, Purpose, User
from identities.policy.actions import Action
from identities.services import accounts, clock, dependents, filling, signing_keys
from identities.views import (
    delivery,
    describing,
    editing,
    guards,
    htmx,
    lockouts,
    presets_shown,
    roles_shown,
    short_lived_shown,
    shown,
    signing_keys_shown,
    users_shown,
)

NAV = "operators"
ROLE_FIELDS = "identities/signing_keys/role_fields.html"
SUGGESTED = 50


@guards.page()
def index(request: HttpRequest, operator_key: str, account_key: str) -> HttpResponse:
    """Every key that may issue users of the account, and how many each did."""
    principal = principal_for(request)
    account = lookup.account(principal, operator_key, account_key)
    context = shown.frame(
        title=f"Signing keys of {account.name}",
        nav=NAV,
        crumbs=shown.account_crumbs(account, "Signing keys"),
        can=guards.can(principal, accounts.scope(account), Action.SIGNING_KEY_EDIT),
        account=account.name,
        rows=signing_keys_shown.rows(account, clock.unix()),
        new_url=shown.account_url("signing-key-create", account),
        new_role_url=shown.account_url("role-create", account),
        just_changed=request.GET.get("changed") == "1",
        ways=delivery.of_account(principal, account),
        **shown.account_tabs(account),
    )
    return htmx.render(request, "identities/signing_keys/index.html", context)


@guards.page()
def detail(request: HttpRequest, operator_key: str, account_key: str, signing_key: str) -> HttpResponse:
    """One key: what its template gives to whom, and the users that it issued, page by page."""
    principal = principal_for(request)
    account = lookup.account(principal, operator_key, account_key)
    key = _key(account, signing_key)
    entry = signing_keys_shown.entry_of(account, signing_key)
    number = dependents.users_of(account, signing_key).count()
    now = clock.unix()
    title = signing_keys_shown.title(account, signing_key, entry)
    context = shown.frame(
        title=title,
        nav=NAV,
        crumbs=(*shown.account_crumbs(account, "")[:4], *signing_keys_shown.crumbs(account, title)),
        can=guards.can(
            principal,
            accounts.scope(account),
            Action.SIGNING_KEY_EDIT,
            Action.USER_CREATE,
            Action.USER_MOVE,
            Action.CREDS_ISSUE,
            Action.WORKLOAD_EDIT,
        ),
        just_changed=request.GET.get("changed") == "1",
        ways=delivery.of_account(principal, account),
        **shown.account_tabs(account),
        **signing_keys_shown.about(account, key, entry, number, now),
        **users_shown.table(account, request.GET, now, issuer=signing_key, total=number),
    )
    if entry is not None and entry.is_scoped and entry.template is not None:
        users = _names(account, signing_key)
        asked = request.GET.get("user", users[0] if users else "")
        whom = roles_shown.sample(account, asked, "", ())
        context |= {
            "described": describing.scope(entry),
            "origin": presets_shown.origin(filling.of_role(account, signing_key)),
            "preset_url": signing_keys_shown.url("role-preset", account, signing_key),
            "terms": short_lived_shown.terms(key),
            "access_url": ""
            if key.deleted_at
            else signing_keys_shown.url("role-access", account, signing_key),
            "asked": asked,
            "suggested": users,
            "becomes": roles_shown.becomes(account, entry.template, whom),
        }
    return htmx.render(
        request, "identities/signing_keys/detail.html", context, part="identities/users/table.html"
    )


@guards.page("GET", "POST")
def create(request: HttpRequest, operator_key: str, account_key: str) -> HttpResponse:
    """Add a plain signing key."""
    principal = principal_for(request)
    account = lookup.account(principal, operator_key, account_key)
    guards.require(principal, Action.SIGNING_KEY_EDIT, accounts.scope(account))
    data = request.POST if request.method == "POST" else None
    form = SigningKeyForm(data, initial={"version": account.version})

    def save() -> HttpResponse:
        key = signing_keys.add(
            principal=principal, account=account, draft=form.to_draft(), version=form.version
        )
        return _saved(request, account, key.public_key, "Added a signing key.")

    answer = editing.answer(
        request, form, account, plan=lambda: signing_keys.plan_add(account, form.to_draft()), save=save
    )
    if answer is not None:
        return answer
    context = {
        **_frame(account, "New signing key"),
        "intro": "A plain key issues users with permissions of their own. A role issues users that get its template.",
        "submit": "Add signing key",
    }
    return htmx.render_form(request, form, "", context)


@guards.page("GET", "POST")
def create_role(request: HttpRequest, operator_key: str, account_key: str) -> HttpResponse:
    """Add a role; what its template becomes for somebody is shown while it is typed."""
    principal = principal_for(request)
    account = lookup.account(principal, operator_key, account_key)
    guards.require(principal, Action.SIGNING_KEY_EDIT, accounts.scope(account))
    data = request.POST if request.method == "POST" else None
    form = RoleForm(data, now=clock.unix(), account=account)
    filled = _becomes(account, form)

    def save() -> HttpResponse:
        key = signing_keys.add(
            principal=principal, account=account, draft=form.to_draft(), version=form.version
        )
        return _saved(request, account, key.public_key, f"Added the role “{key.role}”.")

    answer = editing.answer(
        request, form, account, plan=lambda: signing_keys.plan_add(account, form.to_draft()), save=save
    )
    if answer is not None:
        return answer
    context = {**_frame(account, "New role"), **filled, "submit": "Add role"}
    context["intro"] = "A signing key with a template: it says what every user that the key issues may do."
    return htmx.render_form(request, form, ROLE_FIELDS, context)


@guards.page("GET", "POST")
def edit(request: HttpRequest, operator_key: str, account_key: str, signing_key: str) -> HttpResponse:
    """Edit a role; whose connections drop is said before it is saved."""
    principal = principal_for(request)
    account = lookup.account(principal, operator_key, account_key)
    guards.require(principal, Action.SIGNING_KEY_EDIT, accounts.scope(account))
    entry = signing_keys_shown.entry_of(account, signing_key)
    if entry is None or not entry.is_scoped:
        raise Http404("There is no such role in this account.")
    form = RoleForm(
        request.POST if request.method == "POST" else None,
        now=clock.unix(),
        account=account,
        key=signing_key,
        users=_names(account, signing_key),
    )
    filled = _becomes(account, form)

    def save() -> HttpResponse:
        saved = signing_keys.edit(
            principal=principal,
            account=account,
            public_key=signing_key,
            draft=form.to_role(),
            version=form.version,
        )
        if saved.version == account.version:
            url = signing_keys_shown.url("signing-key", account, signing_key)
            return htmx.done(request, url, "Nothing was changed, so nothing was signed.")
        url = f"{signing_keys_shown.url('signing-key', account, signing_key)}?changed=1"
        return htmx.done(request, lockouts.then(account, url), "Saved the role.")

    answer = editing.answer(
        request,
        form,
        account,
        plan=lambda: signing_keys.plan_edit(account, signing_key, form.to_role()),
        save=save,
        values_of=lambda row: RoleForm.values_of(row, signing_key),
    )
    if answer is not None:
        return answer
    title = f"Edit {signing_keys_shown.named(entry)}"
    context = {**_frame(account, title, signing_key), **filled}
    return htmx.render_form(request, form, ROLE_FIELDS, context)


@guards.page("GET", "POST")
def remove(request: HttpRequest, operator_key: str, account_key: str, signing_key: str) -> HttpResponse:
    """Remove a signing key, after saying what stops working by it and asking for its name."""
    principal = principal_for(request)
    account = lookup.account(principal, operator_key, account_key)
    guards.require(principal, Action.SIGNING_KEY_EDIT, accounts.scope(account))
    entry = signing_keys_shown.entry_of(account, signing_key)
    if entry is None:
        raise Http404("There is no such signing key in this account.")
    name = entry.role or signing_key[-4:]
    data = request.POST if request.method == "POST" else None
    form = ConfirmForm(data, name=name, initial={"version": account.version})

    def save() -> HttpResponse:
        signing_keys.remove(
            principal=principal, account=account, public_key=signing_key, version=form.version
        )
        url = f"{shown.account_url('signing-keys', account)}?changed=1"
        on = lockouts.then(account, url)
        return htmx.done(request, on, f"Removed {signing_keys_shown.named(entry)}.")

    answer = editing.confirmed(
        request, form, account, plan=lambda: signing_keys.plan_remove(account, signing_key), save=save
    )
    if answer is not None:
        return answer
    context = {
        **_frame(account, f"Remove {signing_keys_shown.named(entry)}", signing_key),
        "name": name,
        "submit": "Remove",
        "intro": "Servers take what this key signed until they have the account's new JWT.",
    }
    return htmx.render_form(request, form, "", context, panel=htmx.CONFIRM)


def _key(account: Account, public_key: str) -> Key:
    """A key that issues users of the account, or once did: its identity key, or a signing key."""
    for key in Key.objects.filter(public_key=public_key).order_by(LIVE_FIRST, "-pk"):
        if key.account_id == account.pk and key.user_id is None and key.purpose != Purpose.CURVE:
            return key
    raise Http404("There is no such signing key in this account.")


def _becomes(account: Account, form: RoleForm) -> dict[str, Any]:
    """What the template becomes as it is typed; asked before the services judge it."""
    if form.is_bound and not form.is_valid():
        return {"becomes": None}
    typed = form.cleaned_data if form.is_bound else form.initial
    template = form.to_role().template if form.is_bound else form.template
    whom = roles_shown.sample(
        account, typed.get("sample_user", ""), typed.get("sample_name", ""), typed.get("sample_tags", ())
    )
    return {"becomes": roles_shown.becomes(account, template, whom)}


def _names(account: Account, public_key: str) -> list[str]:
    """Users that the key issued, to choose one from."""
    users = User.objects.live().filter(account=account, issuer=public_key)
    return list(users.order_by("name").values_list("name", flat=True)[:SUGGESTED])


def _frame(account: Account, step: str, key: str = "") -> dict[str, Any]:
    back = (
        signing_keys_shown.url("signing-key", account, key)
        if key
        else shown.account_url("signing-keys", account)
    )
    return shown.frame(title=step, nav=NAV, crumbs=shown.account_crumbs(account, step), cancel_url=back)


def _saved(request: HttpRequest, account: Account, key: str, message: str) -> HttpResponse:
    return htmx.done(request, f"{signing_keys_shown.url('signing-key', account, key)}?changed=1", message)
