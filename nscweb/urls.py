"""The project's routes. Of django-allauth only sign-in, sign-out and password change exist here."""

from __future__ import annotations

from allauth.account import views as account_views
from django.urls import include, path

from nscweb import health, metrics

urlpatterns = [
    path("livez", health.livez, name="livez"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", metrics.metrics, name="metrics"),
    path("account/login/", account_views.login, name="account_login"),
    path("account/logout/", account_views.logout, name="account_logout"),
    path("account/password/", account_views.password_change, name="account_change_password"),
    path("", include("identities.urls")),
]

handler400 = "nscweb.errors.bad_request"
handler403 = "nscweb.errors.forbidden"
handler404 = "nscweb.errors.not_found"
handler429 = "nscweb.errors.too_many_requests"
handler500 = "nscweb.errors.server_error"
