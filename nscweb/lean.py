"""The account server's short way: an account's JWT for a nats-server, ahead of sessions and every middleware.

A nats-server with a URL resolver asks for each account that it loads, all of them at once after a restart. Here that
costs one query. The answer is byte for byte what `views.account_server` gives, headers included; whatever is not a
plain hit (another method, a query, an origin, an unknown key, a database in trouble) goes the long way and is answered
there. Counted in the metrics like every request; written to the log at level DEBUG.
"""

from __future__ import annotations

import logging
import re
import secrets as random_text
import time
from collections.abc import Callable, Iterable
from typing import Any, Final

from django.conf import settings
from django.db import DatabaseError, connection

from identities.queries import account_server as queries
from identities.views import account_server as views
from nscweb import metrics, middleware

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]

_PATH: Final = re.compile(r"/(?:o/(O[A-Z2-7]{55})/)?jwt/v1/accounts/(A[A-Z2-7]{55})", re.ASCII)
_NAMES: Final = {True: "o-account-server-account", False: "account-server-account"}
_OBSOLETE_SECONDS: Final = 10.0
"""How often the connection is looked at, as Django does before each request."""

log = logging.getLogger("nscweb.request")


class AccountServer:
    """A WSGI application that answers `GET /jwt/v1/accounts/<key>` itself and hands all else to `application`."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._common = [
            *middleware.headers().items(),
            ("Vary", "Origin"),
            ("X-Frame-Options", settings.X_FRAME_OPTIONS),
        ]
        self._looked_at = float("-inf")

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        if environ["REQUEST_METHOD"] == "GET" and "jwt/v1/accounts/A" in environ["PATH_INFO"]:
            answer = self._answer(environ, start_response)
            if answer is not None:
                return answer
        return self._application(environ, start_response)

    def _answer(self, environ: Environ, start_response: StartResponse) -> list[bytes] | None:
        asked = _PATH.fullmatch(environ["PATH_INFO"])
        if asked is None or environ.get("QUERY_STRING") or "HTTP_ORIGIN" in environ:
            return None
        started = time.perf_counter()
        self._look_at_connection()
        try:
            jwt = queries.served_account(asked[1] or "", asked[2])
        except DatabaseError:
            return None
        if jwt is None:
            return None
        status, headers, body = views.hit(jwt, environ.get("HTTP_IF_NONE_MATCH", ""))
        request_id = random_text.token_hex(8)
        start_response(
            "304 Not Modified" if status == 304 else "200 OK",
            [*headers.items(), *self._common, ("X-Request-ID", request_id)],
        )
        seconds = time.perf_counter() - started
        metrics.observe_view("GET", _NAMES[bool(asked[1])], status, seconds)
        if log.isEnabledFor(logging.DEBUG):
            log.debug("%s %s in %.1f ms (%s)", _NAMES[bool(asked[1])], status, seconds * 1000, request_id)
        return [body]

    def _look_at_connection(self) -> None:
        now = time.monotonic()
        if now - self._looked_at > _OBSOLETE_SECONDS:
            self._looked_at = now
            connection.close_if_unusable_or_obsolete()
