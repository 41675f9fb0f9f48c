"""Pages of users."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from identities import lookup
from identities.forms.base import VersionForm
from identities.forms.users import UserCreateForm, UserDeleteForm, UserEditForm
from identities.lookup import principal_for
from identities.models import User
from identities.policy.actions import Action
from identities.services import accounts, clock, users
from identities.views import delivery, editing, guards, htmx, lockouts, shown, signing_keys_shown, users_shown
from identities.views import history as histories

NAV = "operators"
TABLE = "identities/users/table.html"
FIELDS = "identities/users/fields.html"


@guards.page()
def index(request: HttpRequest, operator_key: str, account_key: str) -> HttpResponse:
    """The users of an account."""
    principal = principal_for(request)
    account = lookup.account(principal, operator_key, account_key)
    context = shown.frame(
        title=f"Users of {account.name}",
        nav=NAV,
        crumbs=shown.account_crumbs(account, "Users"),
        can=guards.can(principal, accounts.scope(account), Action.USER_CREATE, Action.CREDS_DOWNLOAD),
        account=account.name,
        **shown.account_tabs(account),
        just_changed=request.GET.get("revoked") == "1",
        ways=delivery.of_account(principal, account),
        urls={
            "new_user": shown.account_url("user-create", account),
            "creds": shown.account_url("account-creds", account),
        },
        has_users=account.user_count > 0,
        **users_shown.table(account, request.GET, clock.unix()),
    )
    return htmx.render(request, "identities/users/index.html", context, part=TABLE)


@guards.page("GET", "POST")
def create(request: HttpRequest, operator_key: str, account_key: str) -> HttpResponse:
    """Add a user, with the options of `nsc add user`."""
    principal = principal_for(request)
    account = lookup.account(principal, operator_key, account_key)
    guards.require(principal, Action.USER_CREATE, accounts.scope(account))
    data = request.POST if request.method == "POST" else None
    form = UserCreateForm(
        data,
        now=clock.unix(),
        signers=signing_keys_shown.signers(account),
        initial={"signer": request.GET.get("signer", "")},
    )
    if form.is_valid():
        with guards.errors_on(form):
            draft = form.to_draft()
            user = users.create(principal=principal, account=account, draft=draft)
            warning = users_shown.warned(draft.name, draft.tags)
            url = f"{shown.user_url('user', user)}?created=1"
            return htmx.done(request, url, f"Created user “{user.name}”.", warning=warning)
    context = shown.frame(
        title="New user",
        nav=NAV,
        crumbs=shown.account_crumbs(account, "New user"),
        intro=f"In the account {account.name}.",
        cancel_url=shown.account_url("users", account),
        submit="Create user",
    )
    return htmx.render_form(request, form, FIELDS, context)


@guards.page()
def detail(request: HttpRequest, operator_key: str, account_key: str, user_key: str) -> HttpResponse:
    """Everything that `nsc describe user` prints, what can be handed out, and what was."""
    principal = principal_for(request)
    user = lookup.user(principal, operator_key, account_key, user_key)
    context = shown.frame(
        title=user.name,
        nav=NAV,
        crumbs=shown.user_crumbs(user),
        can=users_shown.can(principal, user),
        tab="overview",
        **users_shown.described(user, request, clock.unix()),
    )
    return htmx.render(request, "identities/users/detail.html", context)


@guards.page("GET", "POST")
def edit(request: HttpRequest, operator_key: str, account_key: str, user_key: str) -> HttpResponse:
    """Edit a user; creds already handed out keep their old rights, and the page after it says so."""
    principal = principal_for(request)
    user = lookup.user(principal, operator_key, account_key, user_key)
    guards.require(principal, Action.USER_EDIT, users.scope(user))
    form = UserEditForm(request.POST if request.method == "POST" else None, now=clock.unix(), user=user)

    def save() -> HttpResponse:
        saved = users.update(principal=principal, user=user, edit=form.to_edit(), version=form.version)
        url = shown.user_url("user", user)
        if saved.version == user.version:
            return htmx.done(request, url, "Nothing was changed, so nothing was signed.")
        return htmx.done(request, f"{url}?changed=1", f"Saved user “{saved.name}”.")

    answer = editing.answer(
        request,
        form,
        user,
        plan=lambda: users.plan_edit(user, form.to_edit()),
        save=save,
        values_of=UserEditForm.values_of,
    )
    if answer is not None:
        return answer
    context = _frame(user, "Edit", f"Edit user {user.name}")
    context["intro"] = "Creds already handed out keep their old rights until you revoke them."
    return htmx.render_form(request, form, FIELDS, context)


@guards.page("GET", "POST")
def delete(request: HttpRequest, operator_key: str, account_key: str, user_key: str) -> HttpResponse:
    """Ask for the name, then delete the user, and revoke its key unless that is unticked."""
    principal = principal_for(request)
    user = lookup.user(principal, operator_key, account_key, user_key)
    guards.require(principal, Action.USER_DELETE, users.scope(user))
    data = request.POST if request.method == "POST" else None
    form = UserDeleteForm(
        data,
        name=user.name,
        suspended=user.suspended_at is not None,
        initial={"version": user.version, "revoke": True},
    )
    if form.is_valid():
        revoke = form.revokes
        with guards.errors_on(form):
            users.delete(principal=principal, user=user, version=form.version, revoke=revoke)
            url = shown.account_url("users", user.account)
            if not revoke:
                return htmx.done(request, url, f"Deleted user “{user.name}”. Creds handed out still work.")
            on = lockouts.then(user.account, f"{url}?revoked=1")
            return htmx.done(request, on, f"Deleted and revoked user “{user.name}”.")
    context = {**_frame(user, "Delete", f"Delete user {user.name}"), **users_shown.what_goes(user)}
    return htmx.render_form(request, form, "", context, panel=htmx.CONFIRM)


@guards.page("GET", "POST")
def revoke_earlier(request: HttpRequest, operator_key: str, account_key: str, user_key: str) -> HttpResponse:
    """Revoke every JWT of the user before its current one."""
    principal = principal_for(request)
    user = lookup.user(principal, operator_key, account_key, user_key)
    guards.require(principal, Action.USER_REVOKE, users.scope(user))
    data = request.POST if request.method == "POST" else None
    form = VersionForm(data, initial={"version": user.version})
    if form.is_valid():
        with guards.errors_on(form):
            users.revoke_earlier(principal=principal, user=user)
            url = f"{shown.user_url('user', user)}?revoked=1"
            on = lockouts.then(user.account, url)
            return htmx.done(request, on, f"Revoked earlier versions of “{user.name}”.")
    context = {
        **_frame(user, "Revoke earlier versions", f"Revoke earlier versions of {user.name}"),
        "submit": "Revoke earlier versions",
        "intro": "Whoever uses creds of this user from before its last change is refused as soon as the servers have "
        "the account's new JWT. The current creds stay valid: hand those out anew.",
    }
    return htmx.render_form(request, form, "", context)


@guards.page()
def history(request: HttpRequest, operator_key: str, account_key: str, user_key: str) -> HttpResponse:
    """Every JWT of the user, what changed in each, and who did what."""
    principal = principal_for(request)
    user = lookup.user(principal, operator_key, account_key, user_key)
    context = {
        **_frame(user, "History", f"History of user {user.name}"),
        **shown.user_tabs(user, client_test=guards.may(principal, Action.CLIENT_TEST, users.scope(user))),
        **histories.context(request, principal=principal, row=user, scope=users.scope(user)),
    }
    return htmx.render(request, "identities/shared/history.html", context)


def _frame(user: User, step: str, title: str) -> dict[str, object]:
    return shown.frame(
        title=title,
        nav=NAV,
        crumbs=shown.user_crumbs(user, step),
        cancel_url=shown.user_url("user", user),
    )
