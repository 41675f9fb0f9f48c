"""Pages of presets: the list, one with whom it filled, and an installation's own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse

from identities.claims.presets import Preset
from identities.forms.base import ConfirmForm
from identities.forms.presets import PresetForm, RenewForm
from identities.lookup import principal_for
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.queries import reach
from identities.services import filling, presets
from identities.views import guards, htmx, presets_shown, shown

NAV = "presets"


@guards.page()
def index(request: HttpRequest) -> HttpResponse:
    """Every preset, built in or own."""
    principal = _allowed(request, Action.VIEW)
    context = shown.frame(
        title="Presets",
        nav=NAV,
        crumbs=[shown.Crumb(label="Presets")],
        can=guards.can(principal, None, Action.PRESET_EDIT),
        rows=presets_shown.rows(presets.known(), principal),
    )
    return htmx.render(request, "identities/presets/index.html", context)


@guards.page()
def detail(request: HttpRequest, preset: str) -> HttpResponse:
    """One preset: its subjects with what each is for, its versions, and whom it filled."""
    principal = _allowed(request, Action.VIEW)
    found = presets.find(preset)
    filled = presets_shown.fillings(found, principal)
    editions = presets_shown.editions(found)
    context = _frame(
        found,
        "",
        can=guards.can(principal, None, Action.PRESET_EDIT),
        preset=found,
        edition=editions[0],
        earlier=editions[1:],
        rows=filled,
        more=filling.rows_of(found, principal).count() - len(filled) if len(filled) == filling.MOST else 0,
        older=sum(row.version != found.newest.number for row in filled),
    )
    return htmx.render(request, "identities/presets/detail.html", context)


@guards.page("GET", "POST")
def create(request: HttpRequest) -> HttpResponse:
    """Make an own preset."""
    principal = principal_for(request)
    guards.require(principal, Action.PRESET_EDIT)
    form = PresetForm(request.POST if request.method == "POST" else None, initial={"version": 0})
    if form.is_valid():
        with guards.errors_on(form):
            made = presets.create(principal=principal, draft=form.to_draft())
            return htmx.done(request, _url(made), f"Made the preset “{made.title}”.")
    context = shown.frame(
        title="New preset",
        nav=NAV,
        crumbs=[shown.Crumb(label="Presets", url=reverse("presets")), shown.Crumb(label="New preset")],
        cancel_url=reverse("presets"),
        submit="Make preset",
    )
    return htmx.render_form(request, form, "", context)


@guards.page("GET", "POST")
def edit(request: HttpRequest, preset: str) -> HttpResponse:
    """Edit an own preset: other subjects are a new version of it."""
    principal = principal_for(request)
    guards.require(principal, Action.PRESET_EDIT)
    found = _own(preset)
    version = presets.row_of(preset).version
    initial = {**PresetForm.values_of(found), "version": version}
    form = PresetForm(request.POST if request.method == "POST" else None, initial=initial)
    if form.is_valid():
        with guards.errors_on(form):
            saved = presets.edit(principal=principal, key=preset, draft=form.to_draft(), version=form.version)
            if saved.newest.number == found.newest.number:
                return htmx.done(request, _url(saved), f"Saved “{saved.title}”; its subjects are the same.")
            done = (
                f"Saved version {saved.newest.number} of “{saved.title}”. Whom it filled has the earlier one."
            )
            return htmx.done(request, _url(saved), done)
    intro = "Versions stay: what was filled from an older one keeps its permissions until you apply the new one to it."
    return htmx.render_form(request, form, "", _frame(found, "Edit", intro=intro))


@guards.page("GET", "POST")
def delete(request: HttpRequest, preset: str) -> HttpResponse:
    """Delete an own preset, after asking for its name."""
    principal = principal_for(request)
    guards.require(principal, Action.PRESET_EDIT)
    found = _own(preset)
    initial = {"version": presets.row_of(preset).version}
    form = ConfirmForm(request.POST if request.method == "POST" else None, name=found.title, initial=initial)
    if form.is_valid():
        with guards.errors_on(form):
            presets.delete(principal=principal, key=preset, version=form.version)
            return htmx.done(request, reverse("presets"), f"Deleted the preset “{found.title}”.")
    context = _frame(
        found,
        "Delete",
        name=found.title,
        submit="Delete preset",
        intro="Whom it filled keeps its permissions. What its versions said is no longer shown.",
    )
    return htmx.render_form(request, form, "", context, panel=htmx.CONFIRM)


@guards.page("GET", "POST")
def renew(request: HttpRequest, preset: str) -> HttpResponse:
    """What the newest version would change on those that an older one filled; and applying it."""
    principal = _allowed(request, Action.USER_EDIT)
    found = presets.find(preset)
    rows = presets_shown.fillings(found, principal, older=True)
    chosen = [(row.pk, row.name) for row in rows if row.may_renew]
    form = RenewForm(
        request.POST if request.method == "POST" else None,
        rows=chosen,
        initial={"number": found.newest.number, "fillings": [str(key) for key, _ in chosen]},
    )
    if form.is_valid():
        with guards.errors_on(form):
            typed = form.cleaned_data
            result = filling.renew(
                principal=principal, preset=found, number=typed["number"], fillings=typed["fillings"]
            )
            return _renewed(request, found, result)
    ticked = {str(key) for key in (form["fillings"].value() or ())}
    rows = tuple(replace(row, ticked=str(row.pk) in ticked) for row in rows)
    context = _frame(found, f"Apply version {found.newest.number}", form=form, rows=rows, preset=found)
    return htmx.render(request, "identities/presets/renew.html", context, status=form.status)


def _renewed(request: HttpRequest, preset: Preset, result: filling.Renewed) -> HttpResponse:
    left = " ".join(f"“{name}” was left: {why}" for name, why in result.left[:5])
    more = len(result.left) - 5
    warning = f"{left} And {more} more." if more > 0 else left
    done = f"Applied version {preset.newest.number} to {shown.plural(result.done, 'user or role', 'users and roles')}."
    return htmx.done(request, _url(preset), done, warning=warning)


def _allowed(request: HttpRequest, action: Action) -> Principal:
    """The principal, who may do so somewhere; what it may not see is not shown."""
    principal = principal_for(request)
    allowed = reach.anywhere(principal, action)
    if isinstance(allowed, decisions.Denied):
        raise decisions.Forbidden(allowed.reason)
    return principal


def _own(key: str) -> Preset:
    found = presets.find(key)
    if not found.own:
        raise Http404("A built-in preset comes with nscweb, and stays as it is.")
    return found


def _url(preset: Preset) -> str:
    return reverse("preset", args=[preset.key])


def _frame(preset: Preset, step: str, /, **more: Any) -> dict[str, Any]:
    crumbs = [shown.Crumb(label="Presets", url=reverse("presets"))]
    crumbs += [shown.Crumb(label=preset.title, url=_url(preset) if step else "")]
    crumbs += [shown.Crumb(label=step)] if step else []
    title = f"{step}: {preset.title}" if step else preset.title
    return shown.frame(title=title, nav=NAV, crumbs=crumbs, cancel_url=_url(preset), **more)
