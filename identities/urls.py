"""Every route of the app; who may use which stands in `policy/routes.py`."""

from __future__ import annotations

from django.urls import path, register_converter

from identities.views import (
    account_server,
    account_settings,
    accounts,
    activations,
    activity,
    allowing,
    client_tests,
    clusters,
    comparing,
    configs,
    dashboard,
    deliveries,
    diagrams,
    drift,
    events,
    expirations,
    explaining,
    exporting,
    exports,
    filling,
    findings,
    handouts,
    importing,
    imports,
    inspector,
    installation,
    keys,
    live,
    lockouts,
    mappings,
    operator_keys,
    operators,
    people,
    presets,
    pushes,
    reissuing,
    removals,
    revocations,
    rollouts,
    search,
    signing_keys,
    suspensions,
    unsigned,
    user_keys,
    users,
    validating,
    who_can,
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
CLUSTER = OPERATOR + "clusters/<int:cluster_id>/"
EXPORT = ACCOUNT + "exports/<handle:export_handle>/"
ACTIVATION = ACCOUNT + "exports/activations/<int:token_id>/"
IMPORT = ACCOUNT + "imports/<handle:import_handle>/"
USER = ACCOUNT + "users/<key:user_key>/"
SIGNING_KEY = ACCOUNT + "signing-keys/<key:signing_key>/"

urlpatterns = [
    path("", dashboard.dashboard, name="dashboard"),
    path("search", search.search, name="search"),
    path("search/key", search.whose, name="whose"),
    path("expirations", expirations.expirations, name="expirations"),
    path("activity", activity.activity, name="activity"),
    path("inspector", inspector.inspector, name="inspector"),
    path("denied", explaining.denied, name="denied"),
    path("compare", comparing.compare, name="compare"),
    path("presets/", presets.index, name="presets"),
    path("presets/new", presets.create, name="preset-create"),
    path("presets/<slug:preset>/", presets.detail, name="preset"),
    path("presets/<slug:preset>/edit", presets.edit, name="preset-edit"),
    path("presets/<slug:preset>/delete", presets.delete, name="preset-delete"),
    path("presets/<slug:preset>/apply", presets.renew, name="preset-renew"),
    path("installation", installation.installation, name="installation"),
    path(
        "installation/default-operator", installation.default_operator, name="installation-default-operator"
    ),
    path("import", importing.index, name="importing"),
    path("import/<int:job_id>", importing.job, name="importing-job"),
    path("import/<int:job_id>/start", importing.start, name="importing-start"),
    path("import/<int:job_id>/discard", importing.discard, name="importing-discard"),
    path("first/<str:token>", people.first_admin, name="first-admin"),
    path("operators/", operators.index, name="operators"),
    path("operators/new", operators.create, name="operator-create"),
    path(OPERATOR, operators.detail, name="operator"),
    path(OPERATOR + "edit", operators.edit, name="operator-edit"),
    path(OPERATOR + "delete", operators.delete, name="operator-delete"),
    path(OPERATOR + "system-account", operators.add_system_account, name="operator-system-account"),
    path(
        OPERATOR + "system-account/choose",
        operators.choose_system_account,
        name="operator-system-account-choose",
    ),
    path(OPERATOR + "clusters/", clusters.index, name="clusters"),
    path(OPERATOR + "clusters/new", clusters.create, name="cluster-create"),
    path(CLUSTER, clusters.detail, name="cluster"),
    path(CLUSTER + "drift", drift.index, name="cluster-drift"),
    path(CLUSTER + "drift/compare", drift.compare, name="cluster-compare"),
    path(CLUSTER + "drift/deliver", drift.deliver, name="cluster-deliver"),
    path(CLUSTER + "drift/<key:adopted_key>/adopt", drift.adopt, name="cluster-adopt"),
    path(CLUSTER + "live", live.cluster, name="cluster-live"),
    path(CLUSTER + "events", events.cluster, name="cluster-events"),
    path(CLUSTER + "edit", clusters.edit, name="cluster-edit"),
    path(CLUSTER + "delete", clusters.delete, name="cluster-delete"),
    path(CLUSTER + "user/make", clusters.make_user, name="cluster-user-make"),
    path(CLUSTER + "user/choose", clusters.choose_user, name="cluster-user-choose"),
    path(CLUSTER + "user/renew", clusters.renew_user, name="cluster-user-renew"),
    path(CLUSTER + "test", clusters.test, name="cluster-test"),
    path(CLUSTER + "tests/<int:job_id>", clusters.test_result, name="cluster-test-result"),
    path(CLUSTER + "servers/<int:server_id>/forget", clusters.forget_server, name="cluster-forget-server"),
    path(OPERATOR + "signing-keys/", operator_keys.index, name="operator-keys"),
    path(OPERATOR + "signing-keys/new", operator_keys.create, name="operator-key-create"),
    path(
        OPERATOR + "signing-keys/<handle:operator_signing_key>/stages",
        rollouts.stages,
        name="operator-key-stages",
    ),
    path(
        OPERATOR + "signing-keys/<handle:operator_signing_key>/remove",
        operator_keys.remove,
        name="operator-key-remove",
    ),
    path(OPERATOR + "jwt", operators.jwt, name="operator-jwt"),
    path(OPERATOR + "pushes", pushes.index, name="operator-pushes"),
    path(OPERATOR + "pushes/open", pushes.open_door, name="operator-pushes-open"),
    path(OPERATOR + "pushes/close", pushes.close_door, name="operator-pushes-close"),
    path(OPERATOR + "pushes/<key:offered_key>", pushes.offer, name="operator-offer"),
    path(OPERATOR + "pushes/<key:offered_key>/decline", pushes.decline, name="operator-offer-decline"),
    path(OPERATOR + "take-along", exporting.store, name="operator-store"),
    path(OPERATOR + "unsigned", unsigned.operator, name="operator-unsigned"),
    path(OPERATOR + "unsigned/claims", unsigned.operator_claims, name="operator-unsigned-claims"),
    path(OPERATOR + "unsigned/discard", unsigned.operator_discard, name="operator-unsigned-discard"),
    path(OPERATOR + "history", operators.history, name="operator-history"),
    path(OPERATOR + "validate", validating.index, name="operator-validate"),
    path(OPERATOR + "reissue", reissuing.operator, name="operator-reissue"),
    path(OPERATOR + "reissue/<int:job_id>", reissuing.operator_progress, name="operator-reissue-progress"),
    path(OPERATOR + "sign-anew", reissuing.accounts_over, name="operator-sign-anew"),
    path(OPERATOR + "config", configs.config, name="operator-config"),
    path(OPERATOR + "config/download", configs.download, name="operator-config-download"),
    path(OPERATOR + "config/helm", configs.helm, name="operator-config-helm"),
    path(OPERATOR + "diagram", diagrams.diagram, name="operator-diagram"),
    path(OPERATOR + "diagram/download", diagrams.download, name="operator-diagram-download"),
    path(OPERATOR + "keys/", keys.index, name="keys"),
    path(OPERATOR + "keys/new", keys.generate, name="key-generate"),
    path(OPERATOR + "keys/<key:key_key>/seed", keys.add_seed, name="key-seed"),
    path(OPERATOR + "keys/<key:key_key>/export", keys.export, name="key-export"),
    path(OPERATOR + "keys/<key:key_key>/erase", keys.erase, name="key-erase"),
    path(OPERATOR + "accounts/", accounts.index, name="accounts"),
    path(OPERATOR + "accounts/new", accounts.create, name="account-create"),
    path(ACCOUNT, accounts.detail, name="account"),
    path(ACCOUNT + "edit", accounts.edit, name="account-edit"),
    path(ACCOUNT + "limits", accounts.limits, name="account-limits"),
    path(ACCOUNT + "delete", accounts.delete, name="account-delete"),
    path(ACCOUNT + "reissue", reissuing.account, name="account-reissue"),
    path(ACCOUNT + "reissue/<int:job_id>", reissuing.account_progress, name="account-reissue-progress"),
    path(ACCOUNT + "sign-anew", reissuing.users_over, name="account-sign-anew"),
    path(ACCOUNT + "jwt", accounts.jwt, name="account-jwt"),
    path(ACCOUNT + "creds", exporting.creds, name="account-creds"),
    path(ACCOUNT + "unsigned", unsigned.account, name="account-unsigned"),
    path(ACCOUNT + "unsigned/claims", unsigned.account_claims, name="account-unsigned-claims"),
    path(ACCOUNT + "unsigned/self-signed", unsigned.self_signed, name="account-unsigned-self-signed"),
    path(ACCOUNT + "unsigned/discard", unsigned.account_discard, name="account-unsigned-discard"),
    path(ACCOUNT + "history", accounts.history, name="account-history"),
    path(ACCOUNT + "delivery", deliveries.detail, name="account-delivery"),
    path(ACCOUNT + "delivery/now", deliveries.now, name="account-delivery-now"),
    path(ACCOUNT + "delivery/<int:cluster_id>/choose", deliveries.choose, name="account-delivery-choose"),
    path(OPERATOR + "removals/<key:removed_key>", removals.detail, name="account-removal"),
    path(OPERATOR + "removals/<key:removed_key>/ask", removals.ask, name="account-removal-ask"),
    path(ACCOUNT + "signing-keys/", signing_keys.index, name="signing-keys"),
    path(ACCOUNT + "signing-keys/new", signing_keys.create, name="signing-key-create"),
    path(ACCOUNT + "signing-keys/new-role", signing_keys.create_role, name="role-create"),
    path(SIGNING_KEY, signing_keys.detail, name="signing-key"),
    path(SIGNING_KEY + "edit", signing_keys.edit, name="role-edit"),
    path(SIGNING_KEY + "preset", filling.role, name="role-preset"),
    path(SIGNING_KEY + "remove", signing_keys.remove, name="signing-key-remove"),
    path(
        ACCOUNT + "default-permissions",
        account_settings.default_permissions,
        name="account-default-permissions",
    ),
    path(ACCOUNT + "tracing", account_settings.tracing, name="account-tracing"),
    path(ACCOUNT + "cluster-traffic", account_settings.cluster_traffic, name="account-cluster-traffic"),
    path(ACCOUNT + "auth-callout", account_settings.auth_callout, name="account-auth-callout"),
    path(ACCOUNT + "who-can", who_can.index, name="who-can"),
    path(ACCOUNT + "findings", findings.index, name="findings"),
    path(ACCOUNT + "mappings/", mappings.index, name="mappings"),
    path(ACCOUNT + "mappings/new", mappings.create, name="mapping-create"),
    path(ACCOUNT + "mappings/<handle:mapping>/edit", mappings.edit, name="mapping-edit"),
    path(ACCOUNT + "mappings/<handle:mapping>/delete", mappings.delete, name="mapping-delete"),
    path(ACCOUNT + "revocations/", revocations.index, name="revocations"),
    path(ACCOUNT + "revocations/new", revocations.create, name="revocation-create"),
    path(ACCOUNT + "revocations/<handle:entry>/clear", revocations.clear, name="revocation-clear"),
    path(ACCOUNT + "revocations/compact", revocations.compact, name="revocations-compact"),
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
    path(ACCOUNT + "connections", live.account, name="account-live"),
    path(ACCOUNT + "events", events.account, name="account-events"),
    path(ACCOUNT + "lockouts/<int:job_id>", lockouts.lockout, name="lockout"),
    path(ACCOUNT + "lockouts/<int:job_id>/again", lockouts.again, name="lockout-again"),
    path(ACCOUNT + "users/", users.index, name="users"),
    path(ACCOUNT + "users/new", users.create, name="user-create"),
    path(USER, users.detail, name="user"),
    path(USER + "edit", users.edit, name="user-edit"),
    path(USER + "delete", users.delete, name="user-delete"),
    path(USER + "revoke-earlier", users.revoke_earlier, name="user-revoke-earlier"),
    path(USER + "move", user_keys.move, name="user-move"),
    path(USER + "rotate-key", user_keys.rotate, name="user-rotate"),
    path(USER + "suspend", suspensions.suspend, name="user-suspend"),
    path(USER + "lift-suspension", suspensions.lift, name="user-lift"),
    path(USER + "history", users.history, name="user-history"),
    path(USER + "allow", allowing.allow, name="user-allow"),
    path(USER + "preset", filling.user, name="user-preset"),
    path(USER + "may", explaining.user, name="user-explain"),
    path(USER + "creds", handouts.creds, name="user-creds"),
    path(USER + "jwt", handouts.jwt, name="user-jwt"),
    path(USER + "context", handouts.context, name="user-context"),
    path(USER + "secret", handouts.secret, name="user-secret"),
    path(USER + "connections", live.user, name="user-live"),
    path(USER + "events", events.user, name="user-events"),
    path(USER + "disconnect", lockouts.disconnect, name="user-disconnect"),
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
