"""Routes by which people come in: single sign-on there and back, its providers, invitations; and machines."""

from __future__ import annotations

from django.urls import path

from identities.views import invitations, sign_on, sign_on_providers, workload
from identities.views.converters import ACCOUNT, OPERATOR, SIGNING_KEY

PROVIDER = "team/sign-on/<int:provider_id>/"

PATTERNS = [
    path("sign-on/<int:provider_id>/", sign_on.start, name="sign-on"),
    path("sign-on/<int:provider_id>/back", sign_on.back, name="sign-on-back"),
    path("account/sign-on/", sign_on.mine, name="my-sign-on"),
    path("account/sign-on/<int:provider_id>/link", sign_on.link, name="my-sign-on-link"),
    path("account/sign-on/<int:provider_id>/confirm", sign_on.confirm, name="confirm-sign-on"),
    path("account/sign-on/<int:identity_id>/unlink", sign_on.unlink, name="my-sign-on-unlink"),
    path("team/sign-on/", sign_on_providers.index, name="sign-on-providers"),
    path("team/sign-on/new", sign_on_providers.create, name="sign-on-provider-create"),
    path(PROVIDER, sign_on_providers.detail, name="sign-on-provider"),
    path(PROVIDER + "edit", sign_on_providers.edit, name="sign-on-provider-edit"),
    path(PROVIDER + "delete", sign_on_providers.delete, name="sign-on-provider-delete"),
    path(PROVIDER + "groups/new", sign_on_providers.map_group, name="sign-on-group-create"),
    path(
        PROVIDER + "groups/<int:group_id>/remove", sign_on_providers.unmap_group, name="sign-on-group-remove"
    ),
    path("team/invitations/", invitations.index, name="invitations"),
    path("team/invitations/new", invitations.create, name="invitation-create"),
    path("team/invitations/<int:invitation_id>/revoke", invitations.revoke, name="invitation-revoke"),
    path(OPERATOR + "access/invite", invitations.operator, name="operator-invite"),
    path(ACCOUNT + "access/invite", invitations.account, name="account-invite"),
    path(SIGNING_KEY + "machines/", workload.index, name="workload-rules"),
    path(SIGNING_KEY + "machines/new", workload.create, name="workload-rule-create"),
    path(SIGNING_KEY + "machines/<int:rule_id>/edit", workload.edit, name="workload-rule-edit"),
    path(SIGNING_KEY + "machines/<int:rule_id>/delete", workload.delete, name="workload-rule-delete"),
    path("join/<str:token>", invitations.join, name="join"),
    path("join/<str:token>/with/<int:provider_id>", invitations.join_with, name="join-with"),
]
