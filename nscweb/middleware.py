"""What happens to every request, from the outside in: context, metrics, headers, host, seal, seeds, sessions,
sign-in.
"""

from __future__ import annotations

import re
import secrets as random_text
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote_plus, urlencode, urlsplit

import structlog
from django.conf import settings
from django.contrib import auth
from django.contrib.auth.views import redirect_to_login
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, resolve_url
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django_htmx.http import HttpResponseClientRedirect

from identities import lookup
from identities.api import door
from identities.nkeys import looks_like_seed
from identities.policy import decisions, routes
from identities.policy.actions import Action
from identities.policy.principal import Principal
from identities.services import second_factors, secrets
from identities.views import proving
from nscweb import addresses, errors, metrics, session_store, sessions

GetResponse = Callable[[HttpRequest], HttpResponseBase]

ACCOUNT_SERVER = re.compile(r"^/(?:o/[^/]+/)?jwt/v1(?:/|$)")
"""Paths that nats-servers read: any host name, never https only, also while sealed."""
_SEARCH = "/search"
_ANSWER = re.compile(r"^/sign-on/[0-9]+/back$")
"""What a provider's random letters come to, which no page shows."""
_SIGN_IN_PAGES = "/account/"
_RANDOM = frozenset({"csrfmiddlewaretoken", "credential"})  # random letters: one in 150 looks like a seed
_PROBES = frozenset({"/livez", "/readyz"})
_QUIET = frozenset({"livez", "readyz", "metrics", "static"})

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}

log = structlog.get_logger("nscweb.request")


class _Middleware:
    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response


class RequestContext(_Middleware):
    """Give every request an id, in its log lines and in `X-Request-ID`, and write one line when it is done."""

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer the request inside a log context of its own."""
        request_id = random_text.token_hex(8)
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        request.META["REMOTE_ADDR"] = addresses.client_address(
            request
        )  # behind trusted proxies: who asked them
        started = time.perf_counter()
        response = self.get_response(request)
        response["X-Request-ID"] = request_id
        # The view's name, not the path: a path may hold a one-time link.
        view = metrics.view_name(request)
        (log.debug if view in _QUIET else log.info)(
            "request",
            method=request.method,
            view=view,
            status=response.status_code,
            milliseconds=round((time.perf_counter() - started) * 1000, 1),
        )
        structlog.contextvars.clear_contextvars()
        return response


class Metrics(_Middleware):
    """Count and time every request by the name of its view."""

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer the request and observe it."""
        started = time.perf_counter()
        response = self.get_response(request)
        metrics.observe(request, response.status_code, time.perf_counter() - started)
        return response


class SecurityHeaders(_Middleware):
    """The constant headers of every answer; pages are never kept by browsers or proxies."""

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer the request and add the headers."""
        response = self.get_response(request)
        for name, value in headers().items():
            response[name] = value
        if request.path.startswith(settings.STATIC_URL) or ACCOUNT_SERVER.match(request.path):
            return response
        response["Cache-Control"] = "no-store"
        patch_vary_headers(response, ["HX-Request"])
        if metrics.view_name(request) == "account_logout" and request.method == "POST":
            response["Clear-Site-Data"] = '"cache"'
        return response


def headers() -> dict[str, str]:
    """The headers that every answer carries."""
    return _HEADERS


class AnyHost(_Middleware):
    """Answer nats-servers and probes under whatever name they reach us by; every other page checks the name."""

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer the request, with our own host name in the place of the client's."""
        if ACCOUNT_SERVER.match(request.path) or request.path in _PROBES or request.path == "/metrics":
            request.META["HTTP_HOST"] = urlsplit(settings.NSCWEB_URL).netloc
        return self.get_response(request)


class Sealed(_Middleware):
    """Without a usable master key answer 503 and touch nothing; stands ahead of sessions."""

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer the request, or say that nscweb is sealed and why."""
        reading_tokens = request.method in {"GET", "HEAD"} and ACCOUNT_SERVER.match(request.path)
        if request.path in _PROBES or reading_tokens or not secrets.is_sealed():
            return self.get_response(request)
        return errors.sealed(request)


class NoSeeds(_Middleware):
    """Refuse a seed in an address, or in a form of the sign-in pages: their answers would show it again.

    Our own forms throw seeds away and say so at the field (`forms.base`); so does the search box.
    """

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer the request, unless it brings a seed."""
        return errors.seed(request) if brings_seed(request) else self.get_response(request)


def brings_seed(request: HttpRequest) -> bool:
    """Whether a seed stands where no form of ours would throw it away; passwords are never shown again."""
    found: list[str] = []
    if request.META.get("QUERY_STRING") and not _ANSWER.match(request.path):
        searching = request.path == _SEARCH
        for name, values in request.GET.lists():
            found += [name] if searching and name == "q" else [name, *values]
    if request.method == "POST" and request.path.startswith(_SIGN_IN_PAGES):
        for name, values in request.POST.lists():
            found += [] if name in _RANDOM or "password" in name else values
    return any(looks_like_seed(text) for text in found)


class Sessions(SessionMiddleware):
    """Django's sessions, but for the cookie: it holds the secret of which the session's key is the hash."""

    def process_request(self, request: HttpRequest) -> None:
        """Find the session by the hash of the cookie."""
        request.session = session_store.SessionStore.of(request.COOKIES.get(settings.SESSION_COOKIE_NAME, ""))

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        """Save the session; where Django gives the browser its key, give the secret in its place."""
        response = super().process_response(request, response)
        cookie = response.cookies.get(settings.SESSION_COOKIE_NAME)
        if cookie is not None and cookie.value:
            secret = request.session.secret  # type: ignore[attr-defined]  # our own store, not just any
            response.cookies[settings.SESSION_COOKIE_NAME] = secret
        return response


class RequireLogin(_Middleware):
    """Default deny: the permission table says of each route what it asks for; a route not in it does not exist."""

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer the request; the decision falls in `process_view`, once the route is known."""
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., HttpResponse], args: Any, kwargs: Any
    ) -> HttpResponse | None:
        """None to go on, or the answer instead of the view's."""
        name = metrics.view_name(request)
        route = routes.ROUTES.get(name)
        if route is None:
            log.error("route missing in the permission table", view=name)
            return errors.not_found(request)
        if route.access is routes.Access.TOKEN:
            return self._by_token(request)
        if route.access is not routes.Access.SESSION:
            return None
        if not request.user.is_authenticated:
            return sign_in_first(request)
        if sessions.is_over(request):
            auth.logout(request)
            return sign_in_first(request)
        sessions.note(request)
        structlog.contextvars.bind_contextvars(actor=request.user.get_username())
        principal = lookup.principal_for(request)
        if name not in routes.WITHOUT_FACTOR and second_factors.is_missing(request.user, principal):
            return second_factor_first(request)
        refusal = refused(principal, route.action)
        if refusal:
            return errors.forbidden(request, refusal)
        return proving.ask(request) if route.fresh and not proving.is_fresh(request) else None

    def _by_token(self, request: HttpRequest) -> HttpResponse | None:
        """The API: nobody without a token, and no cookie counts; each operation asks for its own action."""
        refusal = door.enter(request)
        if refusal is None:
            structlog.contextvars.bind_contextvars(actor=lookup.principal_for(request).name)
        return refusal


def refused(principal: Principal, action: Action | None) -> decisions.Forbidden | None:
    """Why nothing that `principal` holds allows `action` anywhere; services decide again, on the object itself."""
    if action is None:
        return None
    try:
        decisions.require_somewhere(principal, action)
    except decisions.Forbidden as refusal:
        return refusal
    return None


def second_factor_first(request: HttpRequest) -> HttpResponse:
    """Lead somebody who must have a second factor to where it is set up."""
    url = reverse("second-factors")
    return HttpResponseClientRedirect(url) if getattr(request, "htmx", None) else redirect(url)


def sign_in_first(request: HttpRequest) -> HttpResponse:
    """Send an anonymous request to the sign-in page and from there back; htmx is told to load it as a page."""
    htmx = getattr(request, "htmx", None)
    if htmx:
        back = _without_seed(htmx.current_url_abs_path or "/")
        return HttpResponseClientRedirect(f"{resolve_url(settings.LOGIN_URL)}?{urlencode({'next': back})}")
    if request.method not in {"GET", "HEAD"}:
        return redirect_to_login("/")
    return redirect_to_login(_without_seed(request.get_full_path()))


def _without_seed(address: str) -> str:
    """An address without its query when that holds a seed (somebody searched for one)."""
    return urlsplit(address).path if looks_like_seed(unquote_plus(address)) else address
