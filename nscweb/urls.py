"""The project's routes. Of django-allauth only sign-in, sign-out and password change exist here;
the second step of signing in, second factors and sessions are pages of ours."""

from __future__ import annotations

from allauth.account import views as account_views
from django.urls import include, path

from identities.views import proving, resets, second_factors, second_step, you
from nscweb import health, metrics, sign_in

urlpatterns = [
    path("livez", health.livez, name="livez"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", metrics.metrics, name="metrics"),
    path("account/login/", sign_in.sign_in, name="account_login"),
    path("account/logout/", account_views.logout, name="account_logout"),
    path("account/password/", account_views.password_change, name="account_change_password"),
    path("account/second-step/", second_step.second_step, name="mfa_authenticate"),
    path("account/passkey/", second_step.passkey, name="passkey"),
    path("account/forgotten/", resets.forgotten, name="forgotten"),
    path("account/new-password/<int:person_id>/<str:token>/", resets.new_password, name="password-reset"),
    path("account/confirm/", proving.confirm, name="confirm"),
    path("account/", you.index, name="you"),
    path("account/edit/", you.edit, name="you-edit"),
    path("account/sessions/", you.sessions, name="sessions"),
    path("account/sessions/<int:session_id>/end/", you.end_session, name="session-end"),
    path("account/sessions/end-others/", you.end_others, name="sessions-end-others"),
    path("account/second-factors/", second_factors.index, name="second-factors"),
    path("account/second-factors/app/", second_factors.add_app, name="second-factor-app"),
    path("account/second-factors/app/qr.svg", second_factors.app_qr, name="second-factor-app-qr"),
    path("account/second-factors/app/key.txt", second_factors.app_key, name="second-factor-app-key"),
    path("account/second-factors/passkey/", second_factors.add_passkey, name="second-factor-passkey"),
    path("account/second-factors/recovery-codes/", second_factors.recovery_codes, name="recovery-codes"),
    path(
        "account/second-factors/<int:factor_id>/remove/", second_factors.remove, name="second-factor-remove"
    ),
    path("", include("identities.urls")),
]

handler400 = "nscweb.errors.bad_request"
handler403 = "nscweb.errors.forbidden"
handler404 = "nscweb.errors.not_found"
handler429 = "nscweb.errors.too_many_requests"
handler500 = "nscweb.errors.server_error"
