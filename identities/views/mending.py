"""Where a finding of the validation is mended: the page that edits what stands at its JSON path."""

from __future__ import annotations

from collections.abc import Sequence

from django.urls import reverse

from identities.policy.principal import Principal, Scope
from identities.policy.routes import ROUTES
from identities.views import guards

_OPERATOR = (
    ("nats.signing_keys", "operator-keys", "Signing keys"),
    ("nats.system_account", "operator-system-account-choose", "System account"),
    ("", "operator-edit", "Edit"),
)
_ACCOUNT = (
    ("iss", "operator-sign-anew", "Sign accounts anew"),
    ("nats.limits", "account-limits", "Limits"),
    ("nats.exports", "exports", "Exports"),
    ("nats.imports", "imports", "Imports"),
    ("nats.signing_keys", "signing-keys", "Signing keys"),
    ("nats.mappings", "mappings", "Mappings"),
    ("nats.revocations", "revocations", "Revocations"),
    ("nats.default_permissions", "account-default-permissions", "Default permissions"),
    ("nats.authorization", "account-auth-callout", "Auth callout"),
    ("nats.trace", "account-tracing", "Message tracing"),
    ("nats.cluster_traffic", "account-cluster-traffic", "Cluster traffic"),
    ("", "account-edit", "Edit"),
)
_USERS = (
    ("iss", "account-sign-anew", "Sign users anew"),
    ("iat", "revocations", "Revocations"),
)
"""By the beginning of the path: the route, and what the link is called."""


def of_operator(principal: Principal, scope: Scope, key: str, path: str) -> tuple[str, str]:
    """Address and words of the page that mends an operator; two "" for who may not."""
    return _first(principal, scope, [key], path, _OPERATOR)


def of_account(principal: Principal, scope: Scope, operator: str, key: str, path: str) -> tuple[str, str]:
    """Likewise of an account; what another key must sign is its operator's page."""
    return _first(principal, scope, [operator, key], path, _ACCOUNT)


def of_users(principal: Principal, scope: Scope, operator: str, account: str, path: str) -> tuple[str, str]:
    """Likewise of users of an account about whom the same is to be said."""
    return _first(principal, scope, [operator, account], path, _USERS)


def _first(
    principal: Principal,
    scope: Scope,
    keys: Sequence[str],
    path: str,
    places: Sequence[tuple[str, str, str]],
) -> tuple[str, str]:
    for begin, name, words in places:
        if begin and path != begin and not path.startswith((f"{begin}.", f"{begin}[")):
            continue
        action = ROUTES[name].action
        if action is not None and not guards.may(principal, action, scope):
            return "", ""
        own = keys[:1] if name.startswith("operator") else keys
        return reverse(name, args=list(own)), words
    return "", ""
