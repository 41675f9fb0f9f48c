"""The permission table of the API: every operation by its id, and the action that it asks for."""

from __future__ import annotations

from collections.abc import Mapping

from identities.policy.actions import Action

OPERATIONS: Mapping[str, Action] = {
    # the installation
    "get-me": Action.VIEW,
    "search": Action.VIEW,
    "list-audit": Action.AUDIT_VIEW,
    # operators
    "list-operators": Action.VIEW,
    "create-operator": Action.OPERATOR_CREATE,
    "get-operator": Action.VIEW,
    "edit-operator": Action.OPERATOR_EDIT,
    "delete-operator": Action.OPERATOR_DELETE,
    "list-ledger": Action.LEDGER_VIEW,
    # proposals, of which no operation approves one
    "list-proposals": Action.VIEW,
    "get-proposal": Action.VIEW,
    "comment-proposal": Action.PROPOSAL_COMMENT,
    "withdraw-proposal": Action.PROPOSAL_COMMENT,
    # manifests
    "get-manifest": Action.VIEW,
    "apply-manifest": Action.VIEW,
    # clusters
    "list-clusters": Action.VIEW,
    "add-cluster": Action.CLUSTER_CREATE,
    "get-cluster": Action.VIEW,
    "replace-cluster": Action.CLUSTER_EDIT,
    "remove-cluster": Action.CLUSTER_DELETE,
    # what was handed out
    "issue-short-lived-creds": Action.CREDS_ISSUE,
    "list-issued-creds": Action.LEDGER_VIEW,
    # accounts
    "list-accounts": Action.VIEW,
    "create-account": Action.ACCOUNT_CREATE,
    "get-account": Action.VIEW,
    "edit-account": Action.ACCOUNT_EDIT,
    "delete-account": Action.ACCOUNT_DELETE,
    "edit-account-limits": Action.ACCOUNT_LIMITS_EDIT,
    "edit-default-permissions": Action.ACCOUNT_EDIT,
    "edit-tracing": Action.ACCOUNT_EDIT,
    "edit-cluster-traffic": Action.ACCOUNT_LIMITS_EDIT,
    "get-delivery": Action.VIEW,
    "deliver-account": Action.ACCOUNT_DELIVER,
    "list-account-ledger": Action.LEDGER_VIEW,
    # signing keys and roles
    "list-signing-keys": Action.VIEW,
    "add-signing-key": Action.SIGNING_KEY_EDIT,
    "get-signing-key": Action.VIEW,
    "edit-role": Action.SIGNING_KEY_EDIT,
    "remove-signing-key": Action.SIGNING_KEY_EDIT,
    # exports, imports, activations
    "list-exports": Action.VIEW,
    "add-export": Action.EXPORT_EDIT,
    "get-export": Action.VIEW,
    "edit-export": Action.EXPORT_EDIT,
    "delete-export": Action.EXPORT_EDIT,
    "list-imports": Action.VIEW,
    "add-import": Action.IMPORT_EDIT,
    "get-import": Action.VIEW,
    "edit-import": Action.IMPORT_EDIT,
    "delete-import": Action.IMPORT_EDIT,
    "list-activations": Action.VIEW,
    "issue-activation": Action.ACTIVATION_ISSUE,
    "get-activation": Action.JWT_DOWNLOAD,
    "revoke-activation": Action.ACTIVATION_REVOKE,
    "list-activation-requests": Action.VIEW,
    "ask-activation": Action.ACTIVATION_ASK,
    "get-activation-request": Action.VIEW,
    "withdraw-activation-request": Action.ACTIVATION_ASK,
    "list-requested-activations": Action.ACTIVATION_ANSWER,
    "get-requested-activation": Action.ACTIVATION_ANSWER,
    "grant-activation": Action.ACTIVATION_ISSUE,
    "decline-activation": Action.ACTIVATION_ANSWER,
    # mappings and revocations
    "list-mappings": Action.VIEW,
    "add-mapping": Action.MAPPING_EDIT,
    "get-mapping": Action.VIEW,
    "replace-mapping": Action.MAPPING_EDIT,
    "delete-mapping": Action.MAPPING_EDIT,
    "list-revocations": Action.VIEW,
    "revoke": Action.USER_REVOKE,
    "clear-revocation": Action.REVOCATION_EDIT,
    "compact-revocations": Action.REVOCATION_EDIT,
    # users
    "list-users": Action.VIEW,
    "create-user": Action.USER_CREATE,
    "get-user": Action.VIEW,
    "edit-user": Action.USER_EDIT,
    "delete-user": Action.USER_DELETE,
    "get-creds": Action.CREDS_DOWNLOAD,
    "get-user-jwt": Action.JWT_DOWNLOAD,
    "rotate-user-key": Action.USER_ROTATE,
    "suspend-user": Action.USER_SUSPEND,
    "lift-suspension": Action.USER_SUSPEND,
}
