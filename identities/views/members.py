"""Pages of people: the list, one with their teams and roles, adding, editing, switching off and on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters

from identities.forms.access import NewPersonForm, PersonForm
from identities.forms.base import BaseForm
from identities.lookup import NotFound, principal_for
from identities.models import Grant, Person, TeamMember
from identities.policy.actions import Action
from identities.queries import access
from identities.services import members, resets, second_factors
from identities.views import access_shown, guards, htmx, shown

MOST = 300
HERE = shown.Crumb(label="People")


@guards.page()
def index(request: HttpRequest) -> HttpResponse:
    """Everybody who may sign in, or once did."""
    principal = principal_for(request)
    guards.require(principal, Action.VIEW)
    text = request.GET.get("q", "").replace("\x00", "").strip()[:200]
    found = Person.objects.order_by("-is_active", "username")
    if text:
        found = found.filter(Q(username__icontains=text) | Q(name__icontains=text) | Q(email__icontains=text))
    found = found.annotate(roles=Count("grants", distinct=True), teams=Count("memberships", distinct=True))
    rows = [_row(person) for person in found[:MOST]]
    context = access_shown.frame(
        principal,
        "People",
        HERE,
        rows=rows,
        more=found.count() - MOST if len(rows) == MOST else 0,
        q=text,
        can=guards.can(principal, None, Action.PERSON_EDIT),
    )
    return htmx.render(request, "identities/team/people.html", context)


@guards.page()
def detail(request: HttpRequest, person_id: int) -> HttpResponse:
    """One person: how they sign in, their teams, and what they may by themselves and by teams."""
    principal = principal_for(request)
    guards.require(principal, Action.VIEW)
    person = _person(person_id)
    own = access.grants(principal).filter(pk__in=Grant.objects.of_person(person.pk).values("pk"))
    teams = TeamMember.objects.filter(person=person).select_related("team").order_by("team__name")
    context = _frame(request, person, "")
    context |= {
        "person": _row(person),
        "rows": access_shown.rows(principal, own),
        "teams": [
            {
                "name": each.team.name,
                "url": reverse("team-detail", args=[each.team_id]),
                "managed_by": each.managed_by,
            }
            for each in teams
        ],
        "can": guards.can(principal, None, Action.PERSON_EDIT),
        "is_self": principal.person_id == person.pk,
        "has_factor": second_factors.has_one(person),
        "urls": {
            name.replace("-", "_"): reverse(f"person-{name}", args=[person.pk])
            for name in ("edit", "deactivate", "activate", "factors-remove", "password-link")
        },
    }
    return htmx.render(request, "identities/team/person.html", context)


@sensitive_post_parameters("password", "again")
@guards.page("GET", "POST")
def create(request: HttpRequest) -> HttpResponse:
    """Add somebody, with the password that they sign in with at first."""
    principal = principal_for(request)
    guards.require(principal, Action.PERSON_EDIT)
    form = NewPersonForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        typed = form.cleaned_data
        with guards.errors_on(form):
            person = members.add(
                principal=principal,
                username=typed["username"],
                password=typed["password"],
                name=typed["name"],
                email=typed["email"],
            )
            done = f"Added “{person}”. They hold no role yet: give one, or take them into a team."
            return htmx.done(request, reverse("person", args=[person.pk]), done)
    context = access_shown.frame(
        principal,
        "Add a person",
        shown.Crumb(label="People", url=reverse("people")),
        shown.Crumb(label="Add a person"),
        cancel_url=reverse("people"),
        submit="Add",
    )
    return htmx.render_form(request, form, "", context)


@guards.page("GET", "POST")
def edit(request: HttpRequest, person_id: int) -> HttpResponse:
    """Change what somebody is called and where they are written to."""
    principal = principal_for(request)
    guards.require(principal, Action.PERSON_EDIT)
    person = _person(person_id)
    data = request.POST if request.method == "POST" else None
    form = PersonForm(data, initial=PersonForm.values_of(person))
    if form.is_valid():
        typed = form.cleaned_data
        with guards.errors_on(form):
            saved = members.edit(principal=principal, person=person, name=typed["name"], email=typed["email"])
            return htmx.done(request, reverse("person", args=[person.pk]), f"Saved “{saved}”.")
    return htmx.render_form(request, form, "", _frame(request, person, "Edit"))


@guards.page("GET", "POST")
def deactivate(request: HttpRequest, person_id: int) -> HttpResponse:
    """Let somebody sign in no more, after a question."""
    return _asked(
        request,
        person_id,
        members.deactivate,
        "Switched “{}” off.",
        title="Switch off",
        danger=True,
        intro="Sessions and API tokens end at once. Teams and roles stay for the day they are switched on again. "
        "Creds that they took away go on working: revoke those.",
    )


@guards.page("GET", "POST")
def activate(request: HttpRequest, person_id: int) -> HttpResponse:
    """Let somebody sign in again, after a question."""
    return _asked(
        request,
        person_id,
        members.activate,
        "“{}” may sign in again.",
        title="Switch on",
        intro="They may sign in again, with the roles and teams that they had.",
    )


@guards.page("GET", "POST")
def remove_factors(request: HttpRequest, person_id: int) -> HttpResponse:
    """Remove the second factors of somebody who lost them, after a question."""
    return _asked(
        request,
        person_id,
        second_factors.take_all,
        "Removed all second factors of “{}”.",
        title="Remove second factors",
        word="of",
        submit="Remove",
        danger=True,
        intro="For somebody who lost phone, key and recovery codes. Be sure that it is they who ask: from now on "
        "their password alone is asked for. Their sessions end.",
    )


def _asked(
    request: HttpRequest,
    person_id: int,
    work: Callable[..., object],
    done: str,
    *,
    title: str,
    intro: str,
    word: str = "",
    submit: str = "",
    danger: bool = False,
) -> HttpResponse:
    """A question before `work` is done to somebody; `done` says that it was, with their name."""
    principal = principal_for(request)
    guards.require(principal, Action.PERSON_EDIT)
    person = _person(person_id)
    form = BaseForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        with guards.errors_on(form):
            work(principal=principal, person=person)
            return htmx.done(request, reverse("person", args=[person.pk]), done.format(person))
    context = _frame(request, person, title, word)
    context |= {"submit": submit or title, "danger": danger, "intro": intro}
    return htmx.render_form(request, form, "", context)


@guards.page("GET", "POST")
def password_link(request: HttpRequest, person_id: int) -> HttpResponse:
    """Make a link for somebody who forgot their password and whom no mail reaches; it is shown once."""
    principal = principal_for(request)
    guards.require(principal, Action.PERSON_EDIT)
    person = _person(person_id)
    form = BaseForm(request.POST if request.method == "POST" else None)
    context = _frame(request, person, "New password", "for")
    if form.is_valid():
        with guards.errors_on(form):
            link = resets.link_for(principal=principal, person=person)
            shown_once = {**context, "link": link, "hours": resets.hours(), "person": person.username}
            return TemplateResponse(request, "identities/team/password_link.html", shown_once)
    context |= {
        "submit": "Make a link",
        "plain": True,
        "intro": f"“{person}” sets a new password by it. Hand it over so that nobody else reads it: it works once, for "
        f"{resets.hours()} hours. A second factor is asked for as ever.",
    }
    return htmx.render_form(request, form, "", context)


def _person(number: int) -> Person:
    found = Person.objects.filter(pk=number).first()
    if found is None:
        raise NotFound("There is no such person.")
    return found


def _row(person: Person) -> dict[str, Any]:
    return {
        "name": str(person),
        "username": person.username,
        "email": person.email,
        "url": reverse("person", args=[person.pk]),
        "roles": getattr(person, "roles", 0),
        "teams": getattr(person, "teams", 0),
        "last": shown.moment(person.last_login),
        "since": shown.moment(person.created_at),
        "active": person.is_active,
        "state": shown.State(word="May sign in", tone="ok", icon="circle-check")
        if person.is_active
        else shown.State(word="Switched off", tone="muted", icon="ban"),
    }


def _frame(request: HttpRequest, person: Person, step: str, word: str = "") -> dict[str, Any]:
    """`word` joins the step and the name in the title: "New password for alice"."""
    here = reverse("person", args=[person.pk])
    steps = [shown.Crumb(label="People", url=reverse("people"))]
    steps += [shown.Crumb(label=str(person), url=here), shown.Crumb(label=step)] if step else []
    steps += [] if step else [shown.Crumb(label=str(person))]
    title = " ".join(part for part in (step, word, str(person)) if part)
    return access_shown.frame(principal_for(request), title, *steps, cancel_url=here)
