"""Where a field that decides can be edited, or at least looked at."""

from __future__ import annotations

import re
from dataclasses import dataclass

from django.urls import reverse

from identities.claims import handles
from identities.claims.account import AccountBody
from identities.claims.explain_types import Place, Whose
from identities.claims.user import UserBody
from identities.forms.user_rights import UserFields
from identities.models import User
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.services import accounts, changes, users
from identities.views import addresses, guards, shown

_INDEX = re.compile(r"\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class _Editor:
    """A page that edits or shows a field of an account: its route, what to call the link, and who may open it."""

    route: str
    label: str
    action: Action
    more: tuple[str, ...] = ()


_ACCOUNT = _Editor("account-edit", "Edit the account", Action.ACCOUNT_EDIT)
_EDITORS = (
    ("signing_keys", _Editor("signing-keys", "Show the signing keys", Action.VIEW)),
    (
        "default_permissions",
        _Editor("account-default-permissions", "Edit the default permissions", Action.ACCOUNT_EDIT),
    ),
    ("revocations", _Editor("revocations", "Show the revocations", Action.VIEW)),
    ("authorization", _Editor("account-auth-callout", "Edit auth callout", Action.AUTH_CALLOUT_EDIT)),
    ("limits", _Editor("account-limits", "Edit the limits", Action.ACCOUNT_LIMITS_EDIT)),
)


def url_of(place: Place, user: User, principal: Principal) -> tuple[str, str]:
    """The address of the field and what to call the link; ("", "") for nats-server's own rules."""
    if place.whose is Whose.SERVER or not place.key:
        return "", ""
    if place.key == user.public_key:
        return _user_url(place, user, principal)
    if place.key != user.account.public_key:
        return addresses.find(place.key), "Find the account"
    editor = _editor(place, user)
    if guards.may(principal, editor.action, accounts.scope(user.account)):
        keys = [user.account.operator.public_key, user.account.public_key]
        return reverse(editor.route, args=[*keys, *editor.more]), editor.label
    return shown.account_url("account", user.account), "Show the account"


def _user_url(place: Place, user: User, principal: Principal) -> tuple[str, str]:
    body: UserBody = changes.claims_of(user).nats
    scoped = body.issuer_account and place.path == "nats"
    if not scoped and guards.may(principal, Action.USER_EDIT, users.scope(user)):
        field = UserFields.paths.get(_INDEX.sub("", place.path), "")
        return shown.user_url("user-edit", user) + (f"#id_{field}" if field else ""), "Edit this field"
    return shown.user_url("user", user), "Show the user"


def _editor(place: Place, user: User) -> _Editor:
    body: AccountBody = changes.claims_of(user.account).nats
    path = place.path.removeprefix("nats.")
    number = int(found[1]) if (found := _INDEX.search(path)) else -1
    if path.startswith("signing_keys["):
        key = body.signing_keys[number].key
        return _Editor("role-edit", "Edit the role", Action.SIGNING_KEY_EDIT, (key,))
    if path.startswith("mappings."):
        source = re.sub(r"\[\d+\]$", "", path.removeprefix("mappings."))
        return _Editor("mapping-edit", "Edit the mapping", Action.MAPPING_EDIT, (handles.handle(source),))
    if path.startswith("imports[") and (one := body.imports[number]) is not None:
        identity = (one.type, one.account, one.subject, one.local_subject or one.to)
        return _Editor("import", "Show the import", Action.VIEW, (handles.handle(*identity),))
    return next((editor for start, editor in _EDITORS if path.startswith(start)), _ACCOUNT)
