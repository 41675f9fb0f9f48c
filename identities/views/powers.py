"""What each role may do, in plain words; and why somebody may not, with who can change that."""

from __future__ import annotations

from typing import Any

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from identities import lookup
from identities.forms.access import WhyForm
from identities.lookup import principal_for
from identities.models import Account, Operator, Person
from identities.policy import powers, words
from identities.policy.actions import Action
from identities.policy.principal import HeldRole, Principal, Scope, ScopeKind
from identities.queries import access
from identities.services import grants
from identities.views import access_shown, guards, htmx, shown


@guards.page()
def table(request: HttpRequest) -> HttpResponse:
    """The table of what each role may do on its scope and below, as decisions read it."""
    principal = principal_for(request)
    mine = {(held.kind, held.role) for held in principal.roles}
    roles = [
        {"title": title, "mine": which in mine, "scope": _SCOPES[which[0]]}
        for which, title in powers.TITLES.items()
    ]
    context = access_shown.frame(
        principal,
        "What roles may do",
        shown.Crumb(label="What roles may do"),
        roles=roles,
        groups=[{"title": title, "rows": _rows(group)} for group, title in words.GROUPS.items()],
    )
    return htmx.render(request, "identities/team/powers.html", context)


@guards.page()
def why(request: HttpRequest) -> HttpResponse:
    """Whether an action is allowed, by which role; or which role is missing, and who can give it."""
    principal = principal_for(request)
    owner = guards.may(principal, Action.PERSON_EDIT)
    asked = request.GET if request.GET.get("action") else None
    form = WhyForm(asked, actions=_choices(), others=owner, initial=_initial(request))
    context = access_shown.frame(
        principal, "Why can't I?", shown.Crumb(label="Why can't I?"), form=form, answer=None
    )
    if form.is_valid():
        typed = form.cleaned_data
        places = _places(principal, typed["where"])
        place = places[0] if places else None
        whom = access.holder("person", typed.get("person", "")) if typed.get("person") else None
        if typed["where"] and place is None:
            form.add_error(
                "where", "There is no operator or account with this name or key, or none that you may see."
            )
        elif len(places) > 1:
            form.add_error("where", f"Several are called “{typed['where'][:100]}”: give the public key.")
        elif typed.get("person") and not isinstance(whom, Person):
            form.add_error("person", f"Nobody signs in as “{typed['person'][:100]}”.")
        else:
            about = lookup.person_principal(whom) if isinstance(whom, Person) else principal
            context["answer"] = _answer(about, Action(typed["action"]), place, own=about is principal)
    return htmx.render(request, "identities/team/why.html", context, status=form.status)


_SCOPES = {
    ScopeKind.INSTALLATION: "the whole installation",
    ScopeKind.OPERATOR: "an operator and all below it",
    ScopeKind.ACCOUNT: "an account",
    ScopeKind.ROLE: "one role of an account",
}


def _rows(group: str) -> list[dict[str, Any]]:
    return [
        {
            "sentence": words.SENTENCES[action],
            "may": [(title, action in powers.POWERS[which]) for which, title in powers.TITLES.items()],
        }
        for action in Action
        if words.group_of(action) == group and action not in words.NEVER_GRANTED
    ]


def _choices() -> list[tuple[str, list[tuple[str, str]]]]:
    return [
        (
            title,
            [
                (action.value, words.SENTENCES[action])
                for action in Action
                if words.group_of(action) == group and action not in words.NEVER_GRANTED
            ],
        )
        for group, title in words.GROUPS.items()
    ]


def _initial(request: HttpRequest) -> dict[str, str]:
    return {"where": request.GET.get("where", "")[:255]}


def _places(principal: Principal, named: str) -> list[Operator | Account]:
    """The operators and accounts with this name or key, as far as the reader sees them; of several, at least two."""
    if not named:
        return []
    called = Q(public_key=named) | Q(name=named)
    operators = Operator.objects.visible_to(principal).live().filter(called)
    accounts = Account.objects.visible_to(principal).live().filter(called, operator__deleted_at=None)
    return [*operators[:2], *accounts.select_related("operator")[:2]]


def _answer(
    about: Principal, action: Action, place: Operator | Account | None, *, own: bool
) -> dict[str, Any]:
    scope: Scope = grants.scope_of(place)
    found = access.why(about, action, scope)
    return {
        "allowed": bool(found.by),
        "who": "You" if own else about.name,
        "own": own,
        "sentence": words.SENTENCES[action],
        "where": access_shown.place_name(place),
        "by": [_held(held) for held in found.by],
        "would": found.would,
        "givers": [
            {"name": giver.name, "title": giver.title, "members": ", ".join(giver.members)}
            for giver in found.givers
        ],
        "more": found.more,
        "access_url": access_shown.place_url(place) if place is not None else reverse("team"),
    }


def _held(held: HeldRole) -> str:
    title = powers.TITLES[held.kind, held.role]
    return f"{title}, by the team “{held.team}”" if held.team else title
