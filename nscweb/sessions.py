"""When a session ends: after so long without a request (ASVS 7.3.1), and so many hours after sign-in, however busy it
was meanwhile (7.3.2).
"""

from __future__ import annotations

import time
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from identities.services import sessions as service
from identities.views import proving
from nscweb import addresses

_BEGAN = "signed_in_at"
_SEEN = "seen_at"
_NOTED_EVERY = 60
"""Seconds: a request is noted when the last one noted is older, so that looking around costs a write a minute."""


def begin(sender: object, request: HttpRequest, **kwargs: Any) -> None:
    """Note the time of sign-in (receiver of `user_logged_in`), and list the session among those of the person;
    Django's own expiry moves with every write.
    """
    request.session[_BEGAN] = request.session[_SEEN] = int(time.time())
    proving.prove(request)
    service.began(
        kwargs["user"],
        key=request.session.session_key or "",
        address=addresses.client_address(request),
        browser=request.headers.get("User-Agent", ""),
    )


def is_over(request: HttpRequest) -> bool:
    """True when a signed-in person's session is older than NSCWEB_SESSION_HOURS, or was left alone for longer than
    NSCWEB_SESSION_IDLE_MINUTES.
    """
    began: int = request.session.get(_BEGAN, 0)
    seen: int = request.session.get(_SEEN, began)
    now = time.time()
    return now - began >= settings.SESSION_COOKIE_AGE or now - seen >= settings.SESSION_IDLE_SECONDS


def note(request: HttpRequest) -> None:
    """Note that the person is still there."""
    now = int(time.time())
    if now - request.session.get(_SEEN, 0) >= _NOTED_EVERY:
        request.session[_SEEN] = now
        service.note(request.session.session_key or "", addresses.client_address(request))
