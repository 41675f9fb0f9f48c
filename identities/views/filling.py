"""Filling a user or a role from a preset: chosen, its parameters given, its subjects shown, then signed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse

from identities import lookup
from identities.claims import presets as filled_in
from identities.claims.presets import Filled, Preset
from identities.errors import IdentityError
from identities.forms.presets import FillForm
from identities.lookup import principal_for
from identities.models import Account, Filling, Mode, User
from identities.policy.actions import Action
from identities.services import accounts, changes, filling, presets, users
from identities.views import editing, guards, htmx, shown, signing_keys_shown

PICK = "identities/presets/pick.html"


@guards.page("GET", "POST")
def user(request: HttpRequest, operator_key: str, account_key: str, user_key: str) -> HttpResponse:
    """Fill a user's permissions; `?preset=` names the preset."""
    principal = principal_for(request)
    found = lookup.user(principal, operator_key, account_key, user_key)
    guards.require(principal, Action.USER_EDIT, users.scope(found))
    title, url = f"Fill {found.name} from a preset", shown.user_url("user", found)
    context = shown.frame(
        title=title, nav="operators", crumbs=shown.user_crumbs(found, "Preset"), cancel_url=url
    )
    preset = _chosen(request)
    if preset is None:
        return _pick(request, context, by_role=found.pub_mode == Mode.ROLE)
    form = _form(request, preset, filling.of_user(found), found.version)

    def save() -> HttpResponse:
        saved = filling.fill_user(
            principal=principal, user=found, preset=preset, values=form.to_values(), version=form.version
        )
        if saved.version == found.version:
            return htmx.done(request, url, "It has these permissions already, so nothing was signed.")
        return htmx.done(request, f"{url}?changed=1", f"Filled user “{saved.name}” from “{preset.title}”.")

    return _answered(request, form, found, context, lambda filled: filling.plan_user(found, filled), save)


@guards.page("GET", "POST")
def role(request: HttpRequest, operator_key: str, account_key: str, signing_key: str) -> HttpResponse:
    """Fill a role's template; `?preset=` names the preset."""
    principal = principal_for(request)
    account = lookup.account(principal, operator_key, account_key)
    guards.require(principal, Action.SIGNING_KEY_EDIT, accounts.scope(account))
    entry = signing_keys_shown.entry_of(account, signing_key)
    if entry is None or not entry.is_scoped:
        raise Http404("There is no such role in this account.")
    name = signing_keys_shown.named(entry)
    url = signing_keys_shown.url("signing-key", account, signing_key)
    context = shown.frame(
        title=f"Fill {name} from a preset",
        nav="operators",
        crumbs=shown.account_crumbs(account, f"Preset of {name}"),
        cancel_url=url,
    )
    preset = _chosen(request)
    if preset is None:
        return _pick(request, context)
    form = _form(request, preset, filling.of_role(account, signing_key), account.version)

    def save() -> HttpResponse:
        saved = filling.fill_role(
            principal=principal,
            account=account,
            role=signing_key,
            preset=preset,
            values=form.to_values(),
            version=form.version,
        )
        if saved.version == account.version:
            return htmx.done(request, url, "It has these permissions already, so nothing was signed.")
        return htmx.done(request, f"{url}?changed=1", f"Filled {name} from “{preset.title}”.")

    return _answered(
        request, form, account, context, lambda filled: filling.plan_role(account, signing_key, filled), save
    )


def _chosen(request: HttpRequest) -> Preset | None:
    key = request.GET.get("preset", "")
    if not key:
        return None
    return presets.find(key)


def _pick(request: HttpRequest, context: dict[str, Any], *, by_role: bool = False) -> HttpResponse:
    """The list to choose from."""
    more = {"presets": presets.known(), "by_role": by_role}
    return htmx.render(request, PICK, {**context, **more})


def _form(request: HttpRequest, preset: Preset, held: Filling | None, version: int) -> FillForm:
    """The form, with what was given the last time."""
    given = json.loads(held.given) if held is not None and held.preset == preset.key else {}
    data = request.POST if request.method == "POST" else None
    return FillForm(data, preset=preset, given=given, initial={"version": version})


def _answered(
    request: HttpRequest,
    form: FillForm,
    row: Account | User,
    context: dict[str, Any],
    plan_of: Callable[[Filled], changes.Change],
    save: Callable[[], HttpResponse],
) -> HttpResponse:
    def plan() -> changes.Change:
        filled = filled_in.fill(form.preset.newest, form.to_values())
        form.lines = filled.lines
        return plan_of(filled)

    answer = editing.answer(request, form, row, plan=plan, save=save)
    if answer is not None:
        return answer
    if not form.is_bound:
        form.lines = _written(form)
    context |= {
        "intro": f"{form.preset.title}: {form.preset.about} It replaces what is listed now: subjects to publish and "
        "subscribe to, and answers to requests. Limits, and connection types that it does not name, stay as they are.",
        "submit": "Fill it in",
    }
    return htmx.render_form(request, form, "", context)


def _written(form: FillForm) -> tuple[filled_in.Line, ...]:
    """The lines before anything was given: as the preset has them, or with what was given the last time."""
    edition = form.preset.newest
    given = {
        one.name: form.fields[f"with_{one.name}"].initial or f"${{{one.name}}}" for one in edition.parameters
    }
    try:
        return filled_in.fill(edition, given).lines
    except IdentityError:
        return ()
