"""Where a field that decides can be edited, or at least looked at."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from django.urls import NoReverseMatch, reverse

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


def url_of(place: Place, user: User, principal: Principal) -> tuple[str, str]:
    """The address of the field and what to call the link; ("", "") for nats-server's own rules."""
    if place.whose is Whose.SERVER or not place.key:
        return "", ""
    if place.key == user.public_key:
        return _user_url(place, user, principal)
    if place.key != user.account.public_key:
        return addresses.find(place.key), "Find the account"
    if guards.may(principal, Action.ACCOUNT_EDIT, accounts.scope(user.account)):
        for name, more, label in _editors(place, user):
            try:
                return reverse(
                    name, args=[user.account.operator.public_key, user.account.public_key, *more]
                ), label
            except NoReverseMatch:  # no editor for it: the page of the account shows it
                continue
    return shown.account_url("account", user.account), "Show the account"


def _user_url(place: Place, user: User, principal: Principal) -> tuple[str, str]:
    body: UserBody = changes.claims_of(user).nats
    scoped = body.issuer_account and place.path == "nats"
    if not scoped and guards.may(principal, Action.USER_EDIT, users.scope(user)):
        field = UserFields.paths.get(_INDEX.sub("", place.path), "")
        return shown.user_url("user-edit", user) + (f"#id_{field}" if field else ""), "Edit this field"
    return shown.user_url("user", user), "Show the user"


def _editors(place: Place, user: User) -> Iterator[tuple[str, Sequence[str], str]]:
    """Routes that may edit the field, best first, with what their address needs beside the account."""
    body: AccountBody = changes.claims_of(user.account).nats
    path = place.path.removeprefix("nats.")
    number = int(found[1]) if (found := _INDEX.search(path)) else -1
    if path.startswith("signing_keys["):
        yield "role-edit", [body.signing_keys[number].key], "Edit the role"
    elif path.startswith("signing_keys"):
        yield "signing-keys", [], "Show the signing keys"
    elif path.startswith("default_permissions"):
        yield "account-default-permissions", [], "Edit the default permissions"
    elif path.startswith("mappings."):
        source = re.sub(r"\[\d+\]$", "", path.removeprefix("mappings."))
        yield "mapping-edit", [handles.handle(source)], "Edit the mapping"
    elif path.startswith("imports[") and (one := body.imports[number]) is not None:
        identity = (one.type, one.account, one.subject, one.local_subject or one.to)
        yield "import", [handles.handle(*identity)], "Show the import"
    elif path.startswith("revocations"):
        yield "revocations", [], "Show the revocations"
    elif path.startswith("authorization"):
        yield "account-auth-callout", [], "Edit auth callout"
    elif path.startswith("limits"):
        yield "account-limits", [], "Edit the limits"
    else:
        yield "account-edit", [], "Edit the account"
