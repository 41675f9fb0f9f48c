"""Every action that a person, a command or the worker can take, by its stable name (audit events carry it)."""

from __future__ import annotations

from enum import StrEnum


class Action(StrEnum):
    """What can be done. The part before the dot is the noun it is done to."""

    VIEW = "installation.view"
    INSTALLATION_EDIT = "installation.edit"
    AUDIT_VIEW = "audit.view"
    TOKEN_INSPECT = "token.inspect"  # noqa: S105 - an action's name, not a secret
    OPERATOR_CREATE = "operator.create"
    OPERATOR_EDIT = "operator.edit"
    OPERATOR_DELETE = "operator.delete"
    OPERATOR_KEY_EDIT = "operator-key.edit"
    CONFIG_DOWNLOAD = "operator.download-config"
    PUSH_DOOR_EDIT = "operator.edit-pushes"
    ACCOUNT_PUSH = "account.push"
    STORE_EXPORT = "operator.export-seeds"
    ACCOUNT_CREATE = "account.create"
    ACCOUNT_EDIT = "account.edit"
    ACCOUNT_DELETE = "account.delete"
    ACCOUNT_DELIVER = "account.deliver"
    SIGNING_KEY_EDIT = "account.edit-signing-keys"
    AUTH_CALLOUT_EDIT = "auth-callout.edit"
    MAPPING_EDIT = "mapping.edit"
    REVOCATION_EDIT = "revocation.edit"
    EXPORT_EDIT = "export.edit"
    IMPORT_EDIT = "import.edit"
    ACTIVATION_ISSUE = "activation.issue"
    ACTIVATION_REVOKE = "activation.revoke"
    USER_CREATE = "user.create"
    USER_EDIT = "user.edit"
    USER_DELETE = "user.delete"
    USER_REVOKE = "user.revoke"
    JWT_ADOPT = "jwt.adopt"
    PRESET_EDIT = "preset.edit"
    USER_SUSPEND = "user.suspend"
    USER_MOVE = "user.move"
    USER_ROTATE = "user.rotate"
    USER_DISCONNECT = "user.disconnect"
    JWT_DOWNLOAD = "jwt.download"
    BEARER_DOWNLOAD = "jwt.download-bearer"
    CREDS_DOWNLOAD = "creds.download"
    KEY_GENERATE = "key.generate"
    KEY_ADD_SEED = "key.add-seed"
    KEY_EXPORT = "key.export-seed"
    KEY_ERASE = "key.erase"
    OPERATOR_REISSUE = "operator.reissue"
    ACCOUNT_REISSUE = "account.reissue"
    CLIENT_TEST = "client-test.run"
    CLUSTER_CREATE = "cluster.create"
    CLUSTER_EDIT = "cluster.edit"
    CLUSTER_DELETE = "cluster.delete"
    CLUSTER_TEST = "cluster.test"
    CLUSTER_COMPARE = "cluster.compare"
    PASSWORD_CHANGE = "person.change-password"  # noqa: S105 - an action's name, not a secret
    SIGN_IN = "person.sign-in"
    SIGN_OUT = "person.sign-out"
    SIGN_IN_FAILED = "person.sign-in-failed"
    FIRST_ADMINISTRATOR = "person.first-administrator"


READING = frozenset(
    {
        Action.VIEW,
        Action.AUDIT_VIEW,
        Action.TOKEN_INSPECT,
        Action.CONFIG_DOWNLOAD,
        Action.JWT_DOWNLOAD,
        Action.PASSWORD_CHANGE,
        Action.SIGN_OUT,
    }
)
"""What a viewer may do: look, and take what holds no secret. A bearer user's JWT is a secret."""
