"""What each role may do on its scope: the one table that `decisions` reads and that a page shows."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from identities.policy.actions import Action
from identities.policy.principal import Role, Scope, ScopeKind

OWN = frozenset(
    {
        Action.IDENTITY_LINK,
        Action.PASSWORD_CHANGE,
        Action.SIGN_OUT,
        Action.PROFILE_EDIT,
        Action.SECOND_FACTOR_EDIT,
        Action.RECOVERY_CODE_USE,
        Action.SESSION_END,
        Action.TOKEN_CREATE,
        Action.TOKEN_REVOKE,
    }
)
"""What everybody who holds any role may do to themselves."""

READING = OWN | {
    Action.VIEW,
    Action.AUDIT_VIEW,
    Action.TOKEN_INSPECT,
    Action.CONFIG_DOWNLOAD,
    Action.JWT_DOWNLOAD,
}
"""What a viewer may do: look, and take what holds no secret. A bearer user's JWT is a secret."""

AUDITING = READING | {Action.AUDIT_EXPORT, Action.LEDGER_VIEW}
"""Who received what, and who did what."""

ISSUING = OWN | {Action.VIEW, Action.CREDS_ISSUE}
"""Handing out short-lived creds of one role, and nothing else."""

MANAGING_USERS = AUDITING | {
    Action.PROPOSAL_MAKE,
    Action.PROPOSAL_COMMENT,
    Action.PROPOSAL_DECIDE,
    Action.USER_CREATE,
    Action.USER_EDIT,
    Action.USER_DELETE,
    Action.USER_REVOKE,
    Action.USER_SUSPEND,
    Action.USER_ROTATE,
    Action.USER_DISCONNECT,
    Action.BEARER_DOWNLOAD,
    Action.CREDS_DOWNLOAD,
    Action.CREDS_ISSUE,
    Action.CLIENT_TEST,
}
"""Everything about the users of an account, nothing about the account itself."""

OF_INSTALLATION = frozenset(
    {
        Action.INSTALLATION_EDIT,
        Action.BACKUP,
        Action.RESTORE,
        Action.OPERATOR_CREATE,
        Action.PERSON_EDIT,
        Action.TEAM_EDIT,
        Action.SERVICE_ACCOUNT_EDIT,
        Action.PRESET_EDIT,
        Action.FIRST_ADMINISTRATOR,
        Action.SIGN_IN,
        Action.SIGN_IN_FAILED,
        Action.SIGN_ON_EDIT,
        Action.SIGN_ON,
        Action.JOIN,
        Action.TOKEN_REFUSED,
    }
)
"""What only owners may do."""

OF_OPERATOR = frozenset(
    {
        Action.OPERATOR_EDIT,
        Action.OPERATOR_DELETE,
        Action.OPERATOR_KEY_EDIT,
        Action.OPERATOR_REISSUE,
        Action.PUSH_DOOR_EDIT,
        Action.WEBHOOK_EDIT,
        Action.STORE_EXPORT,
        Action.JWT_ADOPT,
        Action.INVITE,
        Action.ACCOUNT_CREATE,
        Action.ACCOUNT_LIMITS_EDIT,
        Action.ACCOUNT_REISSUE,
        Action.ACCOUNT_DELETE,
        Action.ACCOUNT_PUSH,
        Action.CLUSTER_CREATE,
        Action.CLUSTER_EDIT,
        Action.CLUSTER_DELETE,
        Action.CLUSTER_TEST,
        Action.CLUSTER_COMPARE,
    }
)
"""What an operator grants or refuses its accounts: their admins may not."""

POWERS: Mapping[tuple[ScopeKind, Role], frozenset[Action]] = MappingProxyType(
    {
        (ScopeKind.INSTALLATION, Role.ADMINISTRATOR): frozenset(Action),
        (ScopeKind.INSTALLATION, Role.AUDITOR): AUDITING,
        (ScopeKind.INSTALLATION, Role.VIEWER): READING,
        (ScopeKind.OPERATOR, Role.ADMINISTRATOR): frozenset(Action) - OF_INSTALLATION,
        (ScopeKind.OPERATOR, Role.AUDITOR): AUDITING,
        (ScopeKind.OPERATOR, Role.VIEWER): READING,
        (ScopeKind.ACCOUNT, Role.ADMINISTRATOR): frozenset(Action) - OF_INSTALLATION - OF_OPERATOR,
        (ScopeKind.ACCOUNT, Role.USER_MANAGER): MANAGING_USERS,
        (ScopeKind.ACCOUNT, Role.VIEWER): READING,
        (ScopeKind.ROLE, Role.ISSUER): ISSUING,
    }
)
"""Every grant that there can be, with all that it allows on its scope and below."""

TITLES: Mapping[tuple[ScopeKind, Role], str] = MappingProxyType(
    {
        (ScopeKind.INSTALLATION, Role.ADMINISTRATOR): "Owner",
        (ScopeKind.INSTALLATION, Role.AUDITOR): "Auditor of the installation",
        (ScopeKind.INSTALLATION, Role.VIEWER): "Viewer of the installation",
        (ScopeKind.OPERATOR, Role.ADMINISTRATOR): "Operator admin",
        (ScopeKind.OPERATOR, Role.AUDITOR): "Operator auditor",
        (ScopeKind.OPERATOR, Role.VIEWER): "Operator viewer",
        (ScopeKind.ACCOUNT, Role.ADMINISTRATOR): "Account admin",
        (ScopeKind.ACCOUNT, Role.USER_MANAGER): "User manager",
        (ScopeKind.ACCOUNT, Role.VIEWER): "Account viewer",
        (ScopeKind.ROLE, Role.ISSUER): "Issuer of a role",
    }
)
"""What people call them."""


def holders(action: Action, scope: Scope | None = None) -> tuple[str, ...]:
    """The titles of all roles that may take `action` on `scope` (None: somewhere), the widest first."""
    return tuple(
        TITLES[which]
        for which, allowed in POWERS.items()
        if action in allowed and (scope is None or reaches(which[0], scope))
    )


def reaches(kind: ScopeKind, scope: Scope) -> bool:
    """Whether a role on a scope of this kind can reach as far down as `scope`."""
    return {
        ScopeKind.INSTALLATION: True,
        ScopeKind.OPERATOR: scope.operator is not None,
        ScopeKind.ACCOUNT: scope.account is not None,
        ScopeKind.ROLE: scope.signing_key is not None,
    }[kind]
