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
    "whose": _session(Action.VIEW),
    "expirations": _session(Action.VIEW),
    "activity": _session(Action.AUDIT_VIEW),
    "inspector": _session(Action.TOKEN_INSPECT),
    "denied": _session(Action.VIEW),
    "compare": _session(Action.VIEW),
    # presets
    "presets": _session(Action.VIEW),
    "preset-create": _session(Action.PRESET_EDIT),
    "preset": _session(Action.VIEW),
    "preset-edit": _session(Action.PRESET_EDIT),
    "preset-delete": _session(Action.PRESET_EDIT),
    "preset-renew": _session(Action.USER_EDIT),
    "installation": _session(Action.VIEW),
    "installation-default-operator": _session(Action.INSTALLATION_EDIT),
    # imports
    "importing": _session(Action.JWT_ADOPT),
    "importing-job": _session(Action.JWT_ADOPT),
    "importing-start": _session(Action.JWT_ADOPT),
    "importing-discard": _session(Action.JWT_ADOPT),
    # operators
    "operators": _session(Action.VIEW),
    "operator-create": _session(Action.OPERATOR_CREATE),
    "operator": _session(Action.VIEW),
    "operator-edit": _session(Action.OPERATOR_EDIT),
    "operator-delete": _session(Action.OPERATOR_DELETE),
    "operator-system-account": _session(Action.OPERATOR_EDIT),
    "operator-system-account-choose": _session(Action.OPERATOR_EDIT),
    "operator-keys": _session(Action.VIEW),
    "operator-key-create": _session(Action.OPERATOR_KEY_EDIT),
    "operator-key-stages": _session(Action.VIEW),
    "operator-key-remove": _session(Action.OPERATOR_KEY_EDIT),
    "operator-jwt": _session(Action.JWT_DOWNLOAD),
    "operator-pushes": _session(Action.PUSH_DOOR_EDIT),
    "operator-pushes-open": _session(Action.PUSH_DOOR_EDIT),
    "operator-pushes-close": _session(Action.PUSH_DOOR_EDIT),
    "operator-offer": _session(Action.PUSH_DOOR_EDIT),
    "operator-offer-decline": _session(Action.PUSH_DOOR_EDIT),
    "operator-store": _session(Action.JWT_DOWNLOAD),
    "operator-unsigned": _session(Action.OPERATOR_EDIT),
    "operator-unsigned-claims": _session(Action.OPERATOR_EDIT),
    "operator-unsigned-discard": _session(Action.OPERATOR_EDIT),
    "operator-history": _session(Action.VIEW),
    "operator-config": _session(Action.CONFIG_DOWNLOAD),
    "operator-config-download": _session(Action.CONFIG_DOWNLOAD),
    "operator-config-helm": _session(Action.CONFIG_DOWNLOAD),
    "operator-diagram": _session(Action.VIEW),
    "operator-diagram-download": _session(Action.VIEW),
    "keys": _session(Action.VIEW),
    "key-generate": _session(Action.KEY_GENERATE),
    "key-seed": _session(Action.KEY_ADD_SEED),
    "key-export": _session(Action.KEY_EXPORT),
    "key-erase": _session(Action.KEY_ERASE),
    "operator-validate": _session(Action.VIEW),
    "operator-reissue": _session(Action.OPERATOR_REISSUE),
    "operator-reissue-progress": _session(Action.OPERATOR_REISSUE),
    "operator-sign-anew": _session(Action.OPERATOR_REISSUE),
    # clusters of an operator
    "clusters": _session(Action.VIEW),
    "cluster-create": _session(Action.CLUSTER_CREATE),
    "cluster": _session(Action.VIEW),
    "cluster-drift": _session(Action.VIEW),
    "cluster-compare": _session(Action.CLUSTER_COMPARE),
    "cluster-deliver": _session(Action.ACCOUNT_EDIT),
    "cluster-adopt": _session(Action.JWT_ADOPT),
    "cluster-live": _session(Action.VIEW),
    "cluster-events": _session(Action.VIEW),
    "cluster-edit": _session(Action.CLUSTER_EDIT),
    "cluster-delete": _session(Action.CLUSTER_DELETE),
    "cluster-user-make": _session(Action.CLUSTER_EDIT),
    "cluster-user-choose": _session(Action.CLUSTER_EDIT),
    "cluster-user-renew": _session(Action.CLUSTER_EDIT),
    "cluster-forget-server": _session(Action.CLUSTER_EDIT),
    "cluster-test": _session(Action.CLUSTER_TEST),
    "cluster-test-result": _session(Action.CLUSTER_TEST),
    # accounts
    "accounts": _session(Action.VIEW),
    "account-create": _session(Action.ACCOUNT_CREATE),
    "account": _session(Action.VIEW),
    "account-edit": _session(Action.ACCOUNT_EDIT),
    "account-limits": _session(Action.ACCOUNT_LIMITS_EDIT),
    "account-delete": _session(Action.ACCOUNT_DELETE),
    "account-reissue": _session(Action.ACCOUNT_REISSUE),
    "account-reissue-progress": _session(Action.ACCOUNT_REISSUE),
    "account-sign-anew": _session(Action.ACCOUNT_REISSUE),
    "account-jwt": _session(Action.JWT_DOWNLOAD),
    "account-creds": _session(Action.CREDS_DOWNLOAD),
    "account-unsigned": _session(Action.ACCOUNT_EDIT),
    "account-unsigned-claims": _session(Action.ACCOUNT_EDIT),
    "account-unsigned-self-signed": _session(Action.ACCOUNT_EDIT),
    "account-unsigned-discard": _session(Action.ACCOUNT_EDIT),
    "account-history": _session(Action.VIEW),
    "account-delivery": _session(Action.VIEW),
    "account-delivery-now": _session(Action.ACCOUNT_DELIVER),
    "account-delivery-choose": _session(Action.ACCOUNT_DELIVER),
    "account-removal": _session(Action.ACCOUNT_DELETE),
    "account-removal-ask": _session(Action.ACCOUNT_DELETE),
    "signing-keys": _session(Action.VIEW),
    "signing-key-create": _session(Action.SIGNING_KEY_EDIT),
    "role-create": _session(Action.SIGNING_KEY_EDIT),
    "signing-key": _session(Action.VIEW),
    "role-edit": _session(Action.SIGNING_KEY_EDIT),
    "role-preset": _session(Action.SIGNING_KEY_EDIT),
    "signing-key-remove": _session(Action.SIGNING_KEY_EDIT),
    "account-default-permissions": _session(Action.ACCOUNT_EDIT),
    "account-tracing": _session(Action.ACCOUNT_EDIT),
    "account-cluster-traffic": _session(Action.ACCOUNT_LIMITS_EDIT),
    "account-auth-callout": _session(Action.AUTH_CALLOUT_EDIT),
    "findings": _session(Action.VIEW),
    "who-can": _session(Action.VIEW),
    # mappings of an account
    "mappings": _session(Action.VIEW),
    "mapping-create": _session(Action.MAPPING_EDIT),
    "mapping-edit": _session(Action.MAPPING_EDIT),
    "mapping-delete": _session(Action.MAPPING_EDIT),
    # revocations of an account
    "revocations": _session(Action.VIEW),
    "revocation-create": _session(Action.USER_REVOKE),
    "revocation-clear": _session(Action.REVOCATION_EDIT),
    "revocations-compact": _session(Action.REVOCATION_EDIT),
    # what accounts share
    "exports": _session(Action.VIEW),
    "export-create": _session(Action.EXPORT_EDIT),
    "export": _session(Action.VIEW),
    "export-edit": _session(Action.EXPORT_EDIT),
    "export-delete": _session(Action.EXPORT_EDIT),
    "export-revoke": _session(Action.ACTIVATION_REVOKE),
    "export-clear": _session(Action.ACTIVATION_REVOKE),
    "activations": _session(Action.VIEW),
    "activation-create": _session(Action.ACTIVATION_ISSUE),
    "activation-jwt": _session(Action.JWT_DOWNLOAD),
    "activation-revoke": _session(Action.ACTIVATION_REVOKE),
    "imports": _session(Action.VIEW),
    "imports-available": _session(Action.VIEW),
    "import-create": _session(Action.IMPORT_EDIT),
    "import": _session(Action.VIEW),
    "import-edit": _session(Action.IMPORT_EDIT),
    "import-renew": _session(Action.IMPORT_EDIT),
    "import-delete": _session(Action.IMPORT_EDIT),
    # who is connected, and who is locked out
    "account-live": _session(Action.VIEW),
    "account-events": _session(Action.VIEW),
    "user-live": _session(Action.VIEW),
    "user-events": _session(Action.VIEW),
    "user-disconnect": _session(Action.USER_DISCONNECT),
    "lockout": _session(Action.VIEW),
    "lockout-again": _session(Action.USER_DISCONNECT),
    # users
    "users": _session(Action.VIEW),
    "user-create": _session(Action.USER_CREATE),
    "user": _session(Action.VIEW),
    "user-edit": _session(Action.USER_EDIT),
    "user-delete": _session(Action.USER_DELETE),
    "user-revoke-earlier": _session(Action.USER_REVOKE),
    "user-move": _session(Action.USER_MOVE),
    "user-rotate": _session(Action.USER_ROTATE),
    "user-suspend": _session(Action.USER_SUSPEND),
    "user-lift": _session(Action.USER_SUSPEND),
    "user-creds": _session(Action.CREDS_DOWNLOAD),
    "user-secret": _session(Action.CREDS_DOWNLOAD),
    "user-jwt": _session(Action.JWT_DOWNLOAD),
    "user-context": _session(Action.JWT_DOWNLOAD),
    "user-history": _session(Action.VIEW),
    "user-explain": _session(Action.VIEW),
    "user-allow": _session(Action.USER_EDIT),
    "user-preset": _session(Action.USER_EDIT),
    "user-test": _session(Action.CLIENT_TEST),
    "user-test-result": _session(Action.CLIENT_TEST),
}
