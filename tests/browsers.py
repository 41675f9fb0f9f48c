"""Django's test client, which takes the session's key for the cookie, taught that the cookie is the secret."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.test import client

from nscweb.session_store import SessionStore

_set_login_cookies = client.ClientMixin._set_login_cookies


def _session(self: client.ClientMixin) -> SessionStore:
    """The session of this browser; without a cookie, a new one."""
    cookie = self.cookies.get(settings.SESSION_COOKIE_NAME)
    if cookie:
        return SessionStore.of(cookie.value)
    session = SessionStore()
    session.save()
    self.cookies[settings.SESSION_COOKIE_NAME] = session.secret
    return session


def _hand_secret(self: client.ClientMixin, request: HttpRequest) -> None:
    _set_login_cookies(self, request)
    self.cookies[settings.SESSION_COOKIE_NAME] = request.session.secret


def use_secrets() -> None:
    """From now on every test client holds the secret of its session."""
    mixin: Any = client.ClientMixin
    mixin.session = property(_session)
    mixin._set_login_cookies = _hand_secret
