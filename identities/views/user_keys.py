"""Which key a user has, and which key issues it: pages for giving it a new one, and for moving it to another."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from identities import lookup
from identities.forms.users import UserMoveForm, UserRotateForm
from identities.lookup import principal_for
from identities.models import Mode
from identities.policy.actions import Action
from identities.services import changes, moves, user_keys, users
from identities.views import editing, guards, htmx, lockouts, shown, signing_keys_shown, users_shown


@guards.page("GET", "POST")
def rotate(request: HttpRequest, operator_key: str, account_key: str, user_key: str) -> HttpResponse:
    """Give a user a new key; the old one is revoked."""
    principal = principal_for(request)
    user = lookup.user(principal, operator_key, account_key, user_key)
    guards.require(principal, Action.USER_ROTATE, users.scope(user))
    data = request.POST if request.method == "POST" else None
    form = UserRotateForm(data, own=not user.has_seed, initial={"version": user.version})
    form.jwt = "the account's JWT"

    def save() -> HttpResponse:
        saved = user_keys.rotate(
            principal=principal,
            user=user,
            version=form.version,
            public_key=form.cleaned_data["public_key"],
        )
        url = f"{shown.user_url('user', saved)}?revoked=1"
        on = lockouts.then(user.account, url)
        return htmx.done(request, on, f"“{saved.name}” has a new key. Hand out its new creds.")

    def plan() -> changes.Change:
        return user_keys.plan(user, form.cleaned_data["public_key"])

    answer = editing.answer(request, form, user, plan=plan, save=save)
    if answer is not None:
        return answer
    if data is None and user.has_seed:
        editing.preview(form, user, lambda: user_keys.plan(user))
    context = {
        **users_shown.form_frame(user, "Rotate key", f"New key for user {user.name}"),
        "submit": "Rotate key",
        "intro": "The user keeps its name, rights and tags. It gets a new key and a new JWT; the old key is revoked in "
        "the account.",
    }
    return htmx.render_form(request, form, "", context)


@guards.page("GET", "POST")
def move(request: HttpRequest, operator_key: str, account_key: str, user_key: str) -> HttpResponse:
    """Have another key of the account issue the user: its identity key, a plain key, or a role."""
    principal = principal_for(request)
    user = lookup.user(principal, operator_key, account_key, user_key)
    guards.require(principal, Action.USER_MOVE, users.scope(user))
    signers = signing_keys_shown.signers(user.account, without=user.issuer)
    form = UserMoveForm(
        request.POST if request.method == "POST" else None,
        signers=signers,
        by_role=user.pub_mode == Mode.ROLE,
        initial={"version": user.version},
    )

    def save() -> HttpResponse:
        saved = moves.move(principal=principal, user=user, wanted=_move(form), version=form.version)
        on = f"{shown.user_url('user', user)}?changed=1"
        if form.cleaned_data["revoke"]:
            on = lockouts.then(user.account, f"{shown.user_url('user', user)}?revoked=1")
        return htmx.done(request, on, f"Moved user “{saved.name}”.")

    answer = editing.answer(request, form, user, plan=lambda: moves.plan(user, _move(form)), save=save)
    if answer is not None:
        return answer
    entry = signing_keys_shown.entry_of(user.account, user.issuer)
    intro = f"Now it is issued by {signing_keys_shown.issuer_of(user, entry)['issuer']}."
    if not signers:
        intro += " The account has no other key whose seed is here: add a signing key or a role first."
    context = {
        **users_shown.form_frame(user, "Move", f"Move user {user.name} to another key"),
        "submit": "Move",
        "intro": intro,
    }
    return htmx.render_form(request, form, "", context)


def _move(form: UserMoveForm) -> moves.Move:
    typed = form.cleaned_data
    start = typed.get("start")
    return moves.Move(
        signer=typed["signer"], start=moves.Start(start) if start else None, revoke=typed["revoke"]
    )
