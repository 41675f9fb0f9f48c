"""When a session ends: so many hours after sign-in, however busy it was meanwhile (ASVS 7.3.2)."""

from __future__ import annotations

import time
from typing import Any

from django.conf import settings
from django.http import HttpRequest

_BEGAN = "signed_in_at"


def begin(sender: object, request: HttpRequest, **kwargs: Any) -> None:
    """Note the time of sign-in (receiver of `user_logged_in`); Django's own expiry moves with every write."""
    request.session[_BEGAN] = int(time.time())


def is_over(request: HttpRequest) -> bool:
    """True when the session of a signed-in person is older than NSCWEB_SESSION_HOURS."""
    began: int = request.session.get(_BEGAN, 0)
    return time.time() - began >= settings.SESSION_COOKIE_AGE
