"""Every route of the app; who may use which stands in `policy/routes.py`."""

from __future__ import annotations

from django.urls import path, register_converter

from identities.views import (
    account_server,
    accounts,
    activity,
    client_tests,
    configs,
    dashboard,
    expirations,
    handouts,
    importing,
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


register_converter(KeyConverter, "key")
register_converter(HandleConverter, "handle")

OPERATOR = "operators/<key:operator_key>/"
ACCOUNT = OPERATOR + "accounts/<key:account_key>/"
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
    path("import", importing.index, name="import"),
    path("import/<int:job_id>", importing.job, name="import-job"),
    path("import/<int:job_id>/start", importing.start, name="import-start"),
    path("import/<int:job_id>/discard", importing.discard, name="import-discard"),
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
