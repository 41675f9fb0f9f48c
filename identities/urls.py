"""Every route of the app; who may use which stands in `policy/routes.py`."""

from __future__ import annotations

from django.urls import path, register_converter

from identities.views import (
    account_server,
    accounts,
    activations,
    activity,
    client_tests,
    configs,
    dashboard,
    expirations,
    exports,
    handouts,
    imports,
    inspector,
    installation,
    operators,
    people,
    search,
    users,
)


class KeyConverter:
    """A public nkey in a URL: 56 characters of base32; any other text is no such page."""

    regex = "[A-Z2-7]{56}"

    def to_python(self, value: str) -> str:
        """The text itself."""
        return value

    def to_url(self, value: str) -> str:
        """The text itself."""
        return value


class HandleConverter:
    """An entry of a list in claims, as `claims.handles` names it."""

    regex = "[0-9a-f]{12}"

    def to_python(self, value: str) -> str:
        """The text itself."""
        return value

    def to_url(self, value: str) -> str:
        """The text itself."""
        return value


class RevokedConverter:
    """Whose tokens a revocation refuses: whatever key stands there, or `*`."""

    regex = r"[A-Za-z0-9]{1,200}|\*"

    def to_python(self, value: str) -> str:
        """The text itself."""
        return value

    def to_url(self, value: str) -> str:
        """The text itself."""
        return value


register_converter(KeyConverter, "key")
register_converter(RevokedConverter, "revoked")
register_converter(HandleConverter, "handle")

OPERATOR = "operators/<key:operator_key>/"
ACCOUNT = OPERATOR + "accounts/<key:account_key>/"
EXPORT = ACCOUNT + "exports/<handle:export_handle>/"
ACTIVATION = ACCOUNT + "exports/activations/<int:token_id>/"
IMPORT = ACCOUNT + "imports/<handle:import_handle>/"
USER = ACCOUNT + "users/<key:user_key>/"

urlpatterns = [
    path("", dashboard.dashboard, name="dashboard"),
    path("search", search.search, name="search"),
    path("expirations", expirations.expirations, name="expirations"),
    path("activity", activity.activity, name="activity"),
    path("inspector", inspector.inspector, name="inspector"),
    path("installation", installation.installation, name="installation"),
    path(
        "installation/default-operator", installation.default_operator, name="installation-default-operator"
    ),
    path("first/<str:token>", people.first_admin, name="first-admin"),
    path("operators/", operators.index, name="operators"),
    path("operators/new", operators.create, name="operator-create"),
    path(OPERATOR, operators.detail, name="operator"),
    path(OPERATOR + "edit", operators.edit, name="operator-edit"),
    path(OPERATOR + "delete", operators.delete, name="operator-delete"),
    path(OPERATOR + "system-account", operators.add_system_account, name="operator-system-account"),
    path(OPERATOR + "jwt", operators.jwt, name="operator-jwt"),
    path(OPERATOR + "history", operators.history, name="operator-history"),
    path(OPERATOR + "config", configs.config, name="operator-config"),
    path(OPERATOR + "config/download", configs.download, name="operator-config-download"),
    path(OPERATOR + "accounts/", accounts.index, name="accounts"),
    path(OPERATOR + "accounts/new", accounts.create, name="account-create"),
    path(ACCOUNT, accounts.detail, name="account"),
    path(ACCOUNT + "edit", accounts.edit, name="account-edit"),
    path(ACCOUNT + "limits", accounts.limits, name="account-limits"),
    path(ACCOUNT + "delete", accounts.delete, name="account-delete"),
    path(ACCOUNT + "jwt", accounts.jwt, name="account-jwt"),
    path(ACCOUNT + "history", accounts.history, name="account-history"),
    path(ACCOUNT + "exports/", exports.index, name="exports"),
    path(ACCOUNT + "exports/new", exports.create, name="export-create"),
    path(ACCOUNT + "exports/activations/", activations.index, name="activations"),
    path(ACTIVATION + "jwt", activations.jwt, name="activation-jwt"),
    path(ACTIVATION + "revoke", activations.revoke, name="activation-revoke"),
    path(EXPORT, exports.detail, name="export"),
    path(EXPORT + "edit", exports.edit, name="export-edit"),
    path(EXPORT + "delete", exports.delete, name="export-delete"),
    path(EXPORT + "revoke", exports.revoke, name="export-revoke"),
    path(EXPORT + "revocations/<revoked:revoked>/clear", exports.clear, name="export-clear"),
    path(EXPORT + "activations/new", activations.create, name="activation-create"),
    path(ACCOUNT + "imports/", imports.index, name="imports"),
    path(ACCOUNT + "imports/available", imports.available, name="imports-available"),
    path(ACCOUNT + "imports/new", imports.create, name="import-create"),
    path(IMPORT, imports.detail, name="import"),
    path(IMPORT + "edit", imports.edit, name="import-edit"),
    path(IMPORT + "renew", imports.renew, name="import-renew"),
    path(IMPORT + "delete", imports.delete, name="import-delete"),
    path(ACCOUNT + "users/", users.index, name="users"),
    path(ACCOUNT + "users/new", users.create, name="user-create"),
    path(USER, users.detail, name="user"),
    path(USER + "edit", users.edit, name="user-edit"),
    path(USER + "delete", users.delete, name="user-delete"),
    path(USER + "revoke-earlier", users.revoke_earlier, name="user-revoke-earlier"),
    path(USER + "history", users.history, name="user-history"),
    path(USER + "creds", handouts.creds, name="user-creds"),
    path(USER + "jwt", handouts.jwt, name="user-jwt"),
    path(USER + "context", handouts.context, name="user-context"),
    path(USER + "test", client_tests.start, name="user-test"),
    path(USER + "test/<int:job_id>", client_tests.result, name="user-test-result"),
    path("jwt/v1/operator", account_server.operator, name="account-server-operator"),
    path("jwt/v1/accounts/", account_server.accounts, name="account-server-accounts"),
    path("jwt/v1/accounts/<str:key>", account_server.account, name="account-server-account"),
    path("jwt/v1/help", account_server.help_text, name="account-server-help"),
    path("jwt/v1/<path:rest>", account_server.other, name="account-server-other"),
    path("o/<key:operator_key>/jwt/v1/operator", account_server.operator, name="o-account-server-operator"),
    path("o/<key:operator_key>/jwt/v1/accounts/", account_server.accounts, name="o-account-server-accounts"),
    path(
        "o/<key:operator_key>/jwt/v1/accounts/<str:key>",
        account_server.account,
        name="o-account-server-account",
    ),
    path("o/<key:operator_key>/jwt/v1/help", account_server.help_text, name="o-account-server-help"),
    path("o/<key:operator_key>/jwt/v1/<path:rest>", account_server.other, name="o-account-server-other"),
]
