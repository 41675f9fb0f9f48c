"""The pages for what went wrong, each with a plain text in reserve when its template can't be rendered."""

from __future__ import annotations

import sys
from typing import Any

import structlog
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.template import loader
from django.template.exceptions import TemplateDoesNotExist

from identities import lookup
from identities.api import problems
from identities.policy.decisions import Forbidden
from identities.queries import access
from identities.services import secrets

log = structlog.get_logger("nscweb.errors")
_CODES = {400: "bad-request", 403: "forbidden", 404: "not-found", 500: "fault", 503: "unavailable"}
"""What the problems of the API are called that no operation answers itself."""


def _page(
    request: HttpRequest | None,
    name: str,
    status: int,
    text: str,
    *,
    api: bool = False,
    **context: Any,
) -> HttpResponse:
    if api:
        code = name if name in problems.TITLES else _CODES[status]
        return problems.answer(status, code, text)
    try:
        content = loader.render_to_string(f"errors/{name}.html", {"message": text, **context}, request)
    except (TemplateDoesNotExist, ValueError) as error:  # ValueError: static files are not collected
        log.error("error page", page=name, error=str(error))
        return HttpResponse(text + "\n", status=status, content_type="text/plain; charset=utf-8")
    return HttpResponse(content, status=status)


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """400: the request itself is malformed, or came under a host name that is not ours."""
    text = "This request can't be understood. Go back and try again."
    return _page(None, "400", 400, text, api=problems.is_api(request))


def seed(request: HttpRequest) -> HttpResponse:
    """400: a seed came where nothing throws it away; rendered without the request, which holds it."""
    text = (
        "That is a seed (a private key), which is secret. Nothing was done with it. If it stands in the address, it is "
        "in your browser's history now: replace that key if others can read it. Give the public key instead."
    )
    return _page(None, "seed", 400, text, api=problems.is_api(request))


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """403: visible, but not permitted; the exception's text is the reason, followed by who can give what is missing."""
    reason = str(exception or "") or "You are not allowed to do this."
    refused = exception if isinstance(exception, Forbidden) else getattr(exception, "__cause__", None)
    if isinstance(refused, Forbidden):
        keys = request.resolver_match.kwargs if request.resolver_match else {}
        reason = access.explained(lookup.principal_for(request), refused, keys)
    return _page(request, "403", 403, reason, api=problems.is_api(request))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403: the form's token is missing or belongs to another session. Nothing was changed."""
    log.warning("form token refused", reason=reason)
    text = "This form is no longer valid, so nothing was changed. Load the page again and send the form once more."
    return _page(request, "403_csrf", 403, text)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """404: there is nothing here, or nothing that this person may see."""
    return _page(request, "404", 404, "There is nothing at this address.", api=problems.is_api(request))


def too_many_requests(request: HttpRequest) -> HttpResponse:
    """429: a rate limit of the sign-in pages."""
    return _page(request, "429", 429, "Too many attempts. Wait a few minutes, then try again.")


def server_error(request: HttpRequest) -> HttpResponse:
    """500: a mistake of ours, or 503: the database is away; rendered without the request, so without the database."""
    if isinstance(sys.exc_info()[1], (OperationalError, InterfaceError)):
        text = "The database can't be reached. Try again in a moment."
        return _page(None, "503", 503, text, api=problems.is_api(request))
    text = "Something went wrong here. The log of the server says what, by the request's id."
    return _page(None, "500", 500, text, api=problems.is_api(request))


def sealed(request: HttpRequest) -> HttpResponse:
    """503: no usable master key; rendered without session or database."""
    reason = secrets.sealed_reason()
    text = f"nscweb is sealed: {reason} Nothing is written or signed until the right master key is given."
    response = _page(None, "sealed", 503, text, api=problems.is_api(request), reason=reason)
    response["Retry-After"] = "30"
    return response
