"""Routes of people, teams and the roles that they hold."""

from __future__ import annotations

from django.urls import path

from identities.views import access, members, powers, teams
from identities.views.converters import ACCOUNT, OPERATOR, SIGNING_KEY

PATTERNS = [
    path("team/", access.index, name="team"),
    path("team/roles/new", access.new, name="grant-new"),
    path("team/roles/<int:grant_id>/take", access.take, name="grant-take"),
    path("team/people/", members.index, name="people"),
    path("team/people/new", members.create, name="person-create"),
    path("team/people/<int:person_id>/", members.detail, name="person"),
    path("team/people/<int:person_id>/edit", members.edit, name="person-edit"),
    path(
        "team/people/<int:person_id>/second-factors/remove",
        members.remove_factors,
        name="person-factors-remove",
    ),
    path("team/people/<int:person_id>/password-link", members.password_link, name="person-password-link"),
    path("team/people/<int:person_id>/off", members.deactivate, name="person-deactivate"),
    path("team/people/<int:person_id>/on", members.activate, name="person-activate"),
    path("team/teams/", teams.index, name="teams"),
    path("team/teams/new", teams.create, name="team-create"),
    path("team/teams/<int:team_id>/", teams.detail, name="team-detail"),
    path("team/teams/<int:team_id>/edit", teams.edit, name="team-edit"),
    path("team/teams/<int:team_id>/delete", teams.delete, name="team-delete"),
    path("team/teams/<int:team_id>/members/add", teams.add_member, name="team-member-add"),
    path(
        "team/teams/<int:team_id>/members/<int:person_id>/remove",
        teams.remove_member,
        name="team-member-remove",
    ),
    path("team/powers", powers.table, name="powers"),
    path("team/why", powers.why, name="why"),
    path(OPERATOR + "access/", access.operator, name="operator-access"),
    path(OPERATOR + "access/new", access.operator_new, name="operator-access-new"),
    path(ACCOUNT + "access/", access.account, name="account-access"),
    path(ACCOUNT + "access/new", access.account_new, name="account-access-new"),
    path(SIGNING_KEY + "access/", access.role, name="role-access"),
    path(SIGNING_KEY + "access/new", access.role_new, name="role-access-new"),
]
