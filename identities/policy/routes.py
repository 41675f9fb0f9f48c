"""The permission table: every route, who may knock, and the action a knock asks for. What is not here is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from identities.policy.actions import Action


class Access(StrEnum):
    """Who may knock at all."""

    PUBLIC = "public"
    SESSION = "session"
    TOKEN = "token"  # noqa: S105 - a class of access, not a secret


@dataclass(frozen=True, slots=True)
class Route:
    """One row: the class, and the action that its visitor must be granted somewhere (None: just being signed in)."""

    access: Access
    action: Action | None = None


def _public() -> Route:
    return Route(Access.PUBLIC)


def _session(action: Action) -> Route:
    return Route(Access.SESSION, action)


ROUTES: Mapping[str, Route] = {
    # health, metrics, account server, sign-in
    "livez": _public(),
    "readyz": _public(),
    "metrics": _public(),
    "account_inactive": _public(),
    "account_login": _public(),
    "account_logout": Route(Access.SESSION),  # also for somebody who holds no role (any more)
    "account_change_password": Route(Access.SESSION),
    "first-admin": _public(),
    "account-server-operator": _public(),
    "account-server-accounts": _public(),
    "account-server-account": _public(),
    "account-server-help": _public(),
    "account-server-other": _public(),
    "o-account-server-operator": _public(),
    "o-account-server-accounts": _public(),
    "o-account-server-account": _public(),
    "o-account-server-help": _public(),
    "o-account-server-other": _public(),
    # the installation
    "dashboard": _session(Action.VIEW),
    "search": _session(Action.VIEW),
    "expirations": _session(Action.VIEW),
    "activity": _session(Action.AUDIT_VIEW),
    "inspector": _session(Action.TOKEN_INSPECT),
    "installation": _session(Action.VIEW),
    "installation-default-operator": _session(Action.INSTALLATION_EDIT),
    # imports
    "import": _session(Action.JWT_ADOPT),
    "import-job": _session(Action.JWT_ADOPT),
    "import-start": _session(Action.JWT_ADOPT),
    "import-discard": _session(Action.JWT_ADOPT),
    # operators
    "operators": _session(Action.VIEW),
    "operator-create": _session(Action.OPERATOR_CREATE),
    "operator": _session(Action.VIEW),
    "operator-edit": _session(Action.OPERATOR_EDIT),
    "operator-delete": _session(Action.OPERATOR_DELETE),
    "operator-system-account": _session(Action.OPERATOR_EDIT),
    "operator-jwt": _session(Action.JWT_DOWNLOAD),
    "operator-history": _session(Action.VIEW),
    "operator-config": _session(Action.CONFIG_DOWNLOAD),
    "operator-config-download": _session(Action.CONFIG_DOWNLOAD),
    # accounts
    "accounts": _session(Action.VIEW),
    "account-create": _session(Action.ACCOUNT_CREATE),
    "account": _session(Action.VIEW),
    "account-edit": _session(Action.ACCOUNT_EDIT),
    "account-limits": _session(Action.ACCOUNT_EDIT),
    "account-delete": _session(Action.ACCOUNT_DELETE),
    "account-jwt": _session(Action.JWT_DOWNLOAD),
    "account-history": _session(Action.VIEW),
    # users
    "users": _session(Action.VIEW),
    "user-create": _session(Action.USER_CREATE),
    "user": _session(Action.VIEW),
    "user-edit": _session(Action.USER_EDIT),
    "user-delete": _session(Action.USER_DELETE),
    "user-revoke-earlier": _session(Action.USER_REVOKE),
    "user-creds": _session(Action.CREDS_DOWNLOAD),
    "user-jwt": _session(Action.JWT_DOWNLOAD),
    "user-context": _session(Action.JWT_DOWNLOAD),
    "user-history": _session(Action.VIEW),
    "user-test": _session(Action.CLIENT_TEST),
    "user-test-result": _session(Action.CLIENT_TEST),
}
