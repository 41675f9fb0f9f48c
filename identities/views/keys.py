"""Pages of keys: every one under an operator; seeds come in and go out here, by plain forms alone."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views.decorators.debug import sensitive_post_parameters

from identities import lookup
from identities.forms.keys import AddSeedForm, EraseSeedForm, GenerateKeyForm, PasswordForm
from identities.lookup import principal_for
from identities.models import Operator
from identities.policy.actions import Action
from identities.policy.principal import Scope
from identities.services import keys
from identities.views import guards, htmx, keys_shown, passwords, shown

NAV = "operators"
TABLE = "identities/keys/table.html"
EXPORT = "identities/keys/export.html"


@guards.page()
def index(request: HttpRequest, operator_key: str) -> HttpResponse:
    """Every key under an operator, those of its accounts and users too."""
    principal = principal_for(request)
    operator = lookup.operator(principal, operator_key)
    context = shown.frame(
        title=f"Keys of {operator.name}",
        nav=NAV,
        crumbs=shown.operator_crumbs(operator, "Keys"),
        can=guards.can(principal, Scope(operator=operator.pk), Action.KEY_GENERATE),
        operator=operator.name,
        new_url=shown.operator_url("key-generate", operator),
        **shown.operator_tabs(principal, operator),
        **keys_shown.table(principal, operator, request.GET),
    )
    return htmx.render(request, "identities/keys/index.html", context, part=TABLE)


@guards.page("GET", "POST")
def generate(request: HttpRequest, operator_key: str) -> HttpResponse:
    """Make a key ahead, whose public half can then be given wherever one is asked."""
    principal = principal_for(request)
    operator = lookup.operator(principal, operator_key)
    guards.require(principal, Action.KEY_GENERATE, Scope(operator=operator.pk))
    form = GenerateKeyForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        with guards.errors_on(form):
            key = keys.generate(principal=principal, operator=operator, kind=form.to_kind())
            url = f"{_list(operator)}?use=unreferenced&sort=-created"
            return htmx.done(request, url, f"Generated a spare {key.kind} key: {key.public_key}.")
    context = {
        **_frame(operator, "New key", "Generate a key"),
        "submit": "Generate",
        "intro": "Its seed is sealed here, and nothing refers to it yet. Give its public key wherever one is asked: "
        "for a new account or user, as a signing key, or as the next own key of an account or operator.",
    }
    return htmx.render_form(request, form, "", context)


@sensitive_post_parameters()
@guards.page("GET", "POST")
def add_seed(request: HttpRequest, operator_key: str, key_key: str) -> HttpResponse:
    """Take in the seed of a key that is known by its public half only."""
    principal = principal_for(request)
    operator = lookup.operator(principal, operator_key)
    key = keys.find(principal, operator, key_key)
    guards.require(principal, Action.KEY_ADD_SEED, keys.scope(key))
    form = AddSeedForm(request.POST, files=request.FILES) if request.method == "POST" else AddSeedForm()
    if form.is_valid():
        with guards.errors_on(form), form.to_seed() as seed:
            keys.add_seed(principal=principal, key=key, seed=seed)
            return htmx.done(request, _list(operator), f"Added the seed of {keys.named(key)}.")
    context = {
        **_frame(operator, "Add seed", "Add a seed"),
        "submit": "Add seed",
        "intro": f"Of {keys.named(key)}, {shown.short(key.public_key)}.",
    }
    return htmx.render_form(request, form.emptied(), "", context)


@sensitive_post_parameters()
@guards.page("GET", "POST")
def export(request: HttpRequest, operator_key: str, key_key: str) -> HttpResponse:
    """Hand out a seed as nsc's `.nk` file: a plain download, for whoever knows their password once more."""
    principal = principal_for(request)
    operator = lookup.operator(principal, operator_key)
    key = keys.find(principal, operator, key_key)
    guards.require(principal, Action.KEY_EXPORT, keys.scope(key))
    form = passwords.form(request, PasswordForm)
    if form.is_valid():
        with guards.errors_on(form):
            handout = keys.export_seed(principal=principal, key=key)
            return htmx.download(handout.filename, handout.text, "application/octet-stream")
    context = {
        **_frame(operator, "Export seed", "Export a seed"),
        "form": form,
        "key": shown.chip(key.public_key),
        "whose": keys.named(key),
        "power": keys_shown.power(key),
        "action": request.path,
    }
    return htmx.render(request, EXPORT, context, status=form.status)


@guards.page("GET", "POST")
def erase(request: HttpRequest, operator_key: str, key_key: str) -> HttpResponse:
    """Erase the seed of a key that no claims name."""
    principal = principal_for(request)
    operator = lookup.operator(principal, operator_key)
    key = keys.find(principal, operator, key_key)
    guards.require(principal, Action.KEY_ERASE, keys.scope(key))
    form = EraseSeedForm(
        request.POST if request.method == "POST" else None,
        ending=key.public_key[-8:],
        initial={"version": 0},
    )
    if form.is_valid():
        with guards.errors_on(form):
            keys.erase(principal=principal, key=key)
            return htmx.done(request, _list(operator), f"Erased the seed of {keys.named(key)}.")
    context = {
        **_frame(operator, "Erase seed", "Erase a seed"),
        "name": form.ending,
        "submit": "Erase seed",
        "intro": f"Of {keys.named(key)}, {shown.short(key.public_key)}.",
        "consequences": ("Nothing can be signed with it from here any more. This can't be undone.",),
    }
    return htmx.render_form(request, form, "", context, panel=htmx.CONFIRM)


def _list(operator: Operator) -> str:
    return shown.operator_url("keys", operator)


def _frame(operator: Operator, step: str, title: str) -> dict[str, object]:
    crumbs = (
        *shown.operator_crumbs(operator, "")[:2],
        shown.Crumb(label="Keys", url=_list(operator)),
        shown.Crumb(label=step),
    )
    return shown.frame(title=title, nav=NAV, crumbs=crumbs, cancel_url=_list(operator))
