"""What each action is, in a sentence for people: pages of powers and of “why can't I?” show it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from identities.policy.actions import Action

SENTENCES: Mapping[Action, str] = MappingProxyType(
    {
        # the installation
        Action.VIEW: "See what is there: operators, accounts, users, permissions, servers",
        Action.INSTALLATION_EDIT: "Change settings of the installation",
        Action.AUDIT_VIEW: "See the activity: who changed what, and when",
        Action.AUDIT_EXPORT: "Take the activity away as a file",
        Action.LEDGER_VIEW: "See who received which credentials",
        Action.TOKEN_INSPECT: "Look into a JWT in the inspector",
        Action.PERSON_EDIT: "Add people, edit them, switch them off and on",
        Action.TEAM_EDIT: "Make teams and say who is in them",
        Action.GRANT_EDIT: "Give and take roles, up to what one holds",
        Action.INVITE: "Invite people by a link, with roles that one may give",
        Action.SIGN_ON_EDIT: "Choose providers of single sign-on, and which of their groups are teams",
        Action.SERVICE_ACCOUNT_EDIT: "Make service accounts and their tokens",
        Action.TOKEN_CREATE: "Make API tokens for oneself",
        Action.TOKEN_REVOKE: "Revoke one's own API tokens",
        Action.TOKEN_REFUSED: "Come with an API token that opens nothing",
        Action.BACKUP: "Write a backup of everything, sealed",
        Action.RESTORE: "Restore a backup into an empty installation",
        Action.SIGN_ON_EDIT: "Say by which OpenID Connect providers people may sign in",
        Action.WORKLOAD_EDIT: "Say which workloads may exchange their identity for creds of a role",
        Action.WEBHOOK_EDIT: "Say where events are posted to",
        Action.PRESET_EDIT: "Make and edit own presets of permissions",
        # operators
        Action.OPERATOR_CREATE: "Create operators",
        Action.OPERATOR_EDIT: "Edit an operator and choose its system account",
        Action.MANIFEST_APPLY: "Apply a manifest to an operator, whose parts need their own rights too",
        Action.OPERATOR_DELETE: "Delete an operator with all below it",
        Action.OPERATOR_KEY_EDIT: "Add and remove an operator's signing keys",
        Action.OPERATOR_REISSUE: "Reissue an operator under a new key, sign what is below it anew",
        Action.CONFIG_DOWNLOAD: "Take the configuration for servers",
        Action.PUSH_DOOR_EDIT: "Say whether account JWTs may be pushed here over HTTP, and judge those that wait",
        Action.STORE_EXPORT: "Take an operator away as an nsc store with its seeds",
        Action.JWT_ADOPT: "Import JWTs, nsc stores, and what servers hold",
        Action.PROPOSAL_MAKE: "Propose an edit that a second person approves",
        Action.PROPOSAL_COMMENT: "Comment on proposals",
        Action.PROPOSAL_DECIDE: "Approve, decline and withdraw proposals",
        # accounts
        Action.ACCOUNT_CREATE: "Create accounts",
        Action.ACCOUNT_EDIT: "Edit an account's name, texts, tags, default permissions and tracing",
        Action.ACCOUNT_LIMITS_EDIT: (
            "Change what the operator grants an account: limits, JetStream, bearer users, times, cluster traffic, "
            "which key signs it"
        ),
        Action.ACCOUNT_DELETE: "Delete an account, also from servers",
        Action.ACCOUNT_DELIVER: "Deliver an account to servers now, and choose between two JWTs",
        Action.ACCOUNT_PUSH: "Push an account's JWT over HTTP",
        Action.ACCOUNT_REISSUE: "Reissue an account under a new key, with what other accounts say of it",
        Action.ACCOUNT_SIGN_ANEW: "Sign an account's users anew by another of its keys",
        Action.SIGNING_KEY_EDIT: "Add, edit and remove an account's signing keys and roles",
        Action.AUTH_CALLOUT_EDIT: "Edit an account's auth callout",
        Action.MAPPING_EDIT: "Edit an account's subject mappings",
        Action.REVOCATION_EDIT: "Clear and compact an account's revocations",
        Action.EXPORT_EDIT: "Edit what an account exports",
        Action.IMPORT_EDIT: "Edit what an account imports",
        Action.ACTIVATION_ISSUE: "Issue activations, which let an account import a private export",
        Action.ACTIVATION_REVOKE: "Revoke activations",
        Action.ACTIVATION_ASK: "Ask another account for an activation, and take that back",
        Action.ACTIVATION_ANSWER: "Answer what other accounts ask for",
        # users
        Action.USER_CREATE: "Create users",
        Action.USER_EDIT: "Edit users and their permissions",
        Action.USER_DELETE: "Delete users",
        Action.USER_REVOKE: "Revoke users, so that their creds open nothing",
        Action.USER_SUSPEND: "Suspend users and let them in again",
        Action.USER_MOVE: "Move users to another signing key or role",
        Action.USER_ROTATE: "Give users new keys",
        Action.USER_DISCONNECT: "Disconnect users from servers",
        Action.CLIENT_TEST: "Try out with a user's creds whether publishing and subscribing works",
        # secrets that leave
        Action.JWT_DOWNLOAD: "Take JWTs that open nothing by themselves",
        Action.BEARER_DOWNLOAD: "Take the JWT of a bearer user, which alone logs in",
        Action.CREDS_DOWNLOAD: "Take creds of users",
        Action.WORKLOAD_EDIT: "Say which machines get creds of a role for a token of their own provider",
        Action.CREDS_ISSUE: "Hand out short-lived creds of a role",
        Action.KEY_GENERATE: "Generate spare keys",
        Action.KEY_ADD_SEED: "Add the seed of a known key",
        Action.KEY_EXPORT: "Take a seed (a private key)",
        Action.KEY_ERASE: "Erase a seed for good",
        # clusters
        Action.CLUSTER_CREATE: "Add clusters",
        Action.CLUSTER_EDIT: "Edit clusters and whom we log in as there",
        Action.CLUSTER_DELETE: "Remove clusters",
        Action.CLUSTER_TEST: "Test the connection to a cluster",
        Action.CLUSTER_COMPARE: "Compare what servers hold with what stands here",
        # oneself
        Action.PROFILE_EDIT: "Edit one's own name and e-mail address",
        Action.SECOND_FACTOR_EDIT: "Add and remove one's own second factors",
        Action.RECOVERY_CODE_USE: "Use one of one's recovery codes",
        Action.SESSION_END: "End one's own sessions elsewhere",
        Action.SIGN_ON: "Come in through a provider of single sign-on",
        Action.IDENTITY_LINK: "Link one's own accounts at providers, by which one signs in",
        Action.INVITE: "Invite people, to no more than one holds oneself",
        Action.JOIN: "Take an invitation up",
        Action.PASSWORD_RESET: "Set a new password by a link",
        Action.PASSWORD_CHANGE: "Change one's own password",
        Action.SIGN_IN: "Sign in",
        Action.SIGN_OUT: "Sign out",
        Action.SIGN_IN_FAILED: "Fail to sign in",
        Action.FIRST_ADMINISTRATOR: "Make the first owner by the link of the first start",
    }
)
"""Every action has one."""

GROUPS: Mapping[str, str] = MappingProxyType(
    {
        "installation": "Installation",
        "operator": "Operators",
        "account": "Accounts",
        "user": "Users",
        "secret": "Keys and creds",
        "cluster": "Clusters",
        "person": "People and roles",
    }
)
"""Headings of the table of powers."""

_GROUP_OF_NOUN: Mapping[str, str] = MappingProxyType(
    {
        "operator-key": "operator",
        "jwt.adopt": "operator",
        "signing-key": "account",
        "auth-callout": "account",
        "mapping": "account",
        "revocation": "account",
        "export": "account",
        "import": "account",
        "activation": "account",
        "client-test": "user",
        "jwt": "secret",
        "creds": "secret",
        "key": "secret",
        "operator.export-seeds": "secret",
        "team": "person",
        "grant": "person",
        "service-account": "person",
        "api-token": "person",
        "invitation": "person",
        "sign-on": "person",
        "workload": "secret",
    }
)
NEVER_GRANTED = frozenset(
    {
        Action.SIGN_IN,
        Action.SIGN_IN_FAILED,
        Action.FIRST_ADMINISTRATOR,
        Action.TOKEN_REFUSED,
        Action.SIGN_ON,
        Action.JOIN,
    }
)
"""What happens before anybody holds a role: it stands in the activity, not in the table of powers."""


def group_of(action: Action) -> str:
    """The heading under which an action stands."""
    noun = action.value.partition(".")[0]
    group = _GROUP_OF_NOUN.get(action.value) or _GROUP_OF_NOUN.get(noun, noun)
    return group if group in GROUPS else "installation"
