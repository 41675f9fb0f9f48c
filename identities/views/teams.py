"""Pages of teams: the list, one with members and roles, making, editing, deleting."""

from __future__ import annotations

from typing import Any

from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from identities.forms.access import MemberForm, TeamForm
from identities.forms.base import BaseForm, ConfirmForm
from identities.lookup import NotFound, principal_for
from identities.models import Person, Team, TeamMember
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.queries import access
from identities.services import teams
from identities.views import access_shown, guards, htmx, shown

MOST = 300
FIELDS = "identities/team/member_fields.html"


@guards.page()
def index(request: HttpRequest) -> HttpResponse:
    """Every team."""
    principal = principal_for(request)
    guards.require(principal, Action.VIEW)
    found = Team.objects.order_by("name").annotate(
        people=Count("members", distinct=True), roles=Count("grants", distinct=True)
    )
    rows = [
        {
            "name": team.name,
            "description": team.description,
            "url": reverse("team-detail", args=[team.pk]),
            "people": team.people,
            "roles": team.roles,
        }
        for team in found[:MOST]
    ]
    can = guards.can(principal, None, Action.TEAM_EDIT)
    context = access_shown.frame(principal, "Teams", shown.Crumb(label="Teams"), rows=rows, can=can)
    return htmx.render(request, "identities/team/teams.html", context)


@guards.page()
def detail(request: HttpRequest, team_id: int) -> HttpResponse:
    """One team: who is in it, and what they may by it."""
    principal = principal_for(request)
    guards.require(principal, Action.VIEW)
    team = _team(team_id)
    leading = teams.leading_providers()
    members = TeamMember.objects.filter(team=team).select_related("person").order_by("person__username")
    context = _frame(principal, team, "")
    context |= {
        "description": team.description,
        "members": [
            {
                "name": str(each.person),
                "username": each.person.username,
                "url": reverse("person", args=[each.person_id]),
                "active": each.person.is_active,
                "managed_by": each.managed_by,
                "since": shown.moment(each.created_at),
                "remove_url": ""
                if each.managed_by in leading
                else reverse("team-member-remove", args=[team.pk, each.person_id]),
            }
            for each in members
        ],
        "rows": access_shown.rows(principal, access.grants(principal).filter(team=team)),
        "can": guards.can(principal, None, Action.TEAM_EDIT),
        "urls": {
            name.replace("-", "_"): reverse(f"team-{name}", args=[team.pk])
            for name in ("edit", "delete", "member-add")
        },
    }
    return htmx.render(request, "identities/team/team.html", context)


@guards.page("GET", "POST")
def create(request: HttpRequest) -> HttpResponse:
    """Make a team."""
    principal = principal_for(request)
    guards.require(principal, Action.TEAM_EDIT)
    form = TeamForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        typed = form.cleaned_data
        with guards.errors_on(form):
            team = teams.create(principal=principal, name=typed["name"], description=typed["description"])
            return htmx.done(request, _url(team), f"Made the team “{team}”. Nobody is in it yet.")
    context = access_shown.frame(
        principal,
        "New team",
        shown.Crumb(label="Teams", url=reverse("teams")),
        shown.Crumb(label="New team"),
        cancel_url=reverse("teams"),
        submit="Make team",
    )
    return htmx.render_form(request, form, "", context)


@guards.page("GET", "POST")
def edit(request: HttpRequest, team_id: int) -> HttpResponse:
    """Give a team another name or description."""
    principal = principal_for(request)
    guards.require(principal, Action.TEAM_EDIT)
    team = _team(team_id)
    form = TeamForm(request.POST if request.method == "POST" else None, initial=TeamForm.values_of(team))
    if form.is_valid():
        typed = form.cleaned_data
        with guards.errors_on(form):
            saved = teams.edit(
                principal=principal, team=team, name=typed["name"], description=typed["description"]
            )
            return htmx.done(request, _url(team), f"Saved the team “{saved}”.")
    return htmx.render_form(request, form, "", _frame(principal, team, "Edit"))


@guards.page("GET", "POST")
def delete(request: HttpRequest, team_id: int) -> HttpResponse:
    """Delete a team, after asking for its name."""
    principal = principal_for(request)
    guards.require(principal, Action.TEAM_EDIT)
    team = _team(team_id)
    data = request.POST if request.method == "POST" else None
    form = ConfirmForm(data, name=team.name, initial={"version": 0})
    if form.is_valid():
        with guards.errors_on(form):
            teams.delete(principal=principal, team=team)
            return htmx.done(request, reverse("teams"), f"Deleted the team “{team}”.")
    context = _frame(principal, team, "Delete")
    context |= {
        "name": team.name,
        "submit": "Delete team",
        "intro": "Its roles go with it: members keep only what they hold by themselves or by other teams.",
    }
    return htmx.render_form(request, form, "", context, panel=htmx.CONFIRM)


@guards.page("GET", "POST")
def add_member(request: HttpRequest, team_id: int) -> HttpResponse:
    """Take somebody into a team."""
    principal = principal_for(request)
    guards.require(principal, Action.TEAM_EDIT)
    team = _team(team_id)
    form = MemberForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        person = form.cleaned_data["person"]
        with guards.errors_on(form):
            teams.add_member(principal=principal, team=team, person=person)
            return htmx.done(request, _url(team), f"“{person}” is in “{team}” now.")
    context = _frame(principal, team, "Add a member to")
    known = Person.objects.filter(is_active=True).exclude(memberships__team=team).order_by("username")
    context |= {"submit": "Add", "suggestions": list(known.values_list("username", flat=True)[:MOST])}
    return htmx.render_form(request, form, FIELDS, context)


@guards.page("GET", "POST")
def remove_member(request: HttpRequest, team_id: int, person_id: int) -> HttpResponse:
    """Take somebody out of a team, after a question."""
    principal = principal_for(request)
    guards.require(principal, Action.TEAM_EDIT)
    team = _team(team_id)
    person = Person.objects.filter(pk=person_id, memberships__team=team).first()
    if person is None:
        raise NotFound("Nobody of that number is in this team.")
    form = BaseForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        with guards.errors_on(form):
            teams.remove_member(principal=principal, team=team, person=person)
            return htmx.done(request, _url(team), f"“{person}” is in “{team}” no more.")
    context = _frame(principal, team, f"Take {person} out of")
    context |= {
        "submit": "Take out",
        "danger": True,
        "intro": f"“{person}” keeps only what they hold by themselves or by other teams.",
    }
    return htmx.render_form(request, form, "", context)


def _team(number: int) -> Team:
    found = Team.objects.filter(pk=number).first()
    if found is None:
        raise NotFound("There is no such team.")
    return found


def _url(team: Team) -> str:
    return reverse("team-detail", args=[team.pk])


def _frame(principal: Principal, team: Team, step: str) -> dict[str, Any]:
    here = _url(team)
    steps = [shown.Crumb(label="Teams", url=reverse("teams"))]
    steps += [shown.Crumb(label=team.name, url=here), shown.Crumb(label=step)] if step else []
    steps += [] if step else [shown.Crumb(label=team.name)]
    title = f"{step} {team}" if step else team.name
    return access_shown.frame(principal, title, *steps, cancel_url=here)
