"""The door of the API: who comes in with a token, and what is refused before any operation runs."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt
from ninja.security import HttpBearer

from identities.api import bodies, problems
from identities.errors import IdentityError
from identities.policy.principal import Principal, Way
from identities.services import api_tokens

View = Callable[..., HttpResponseBase]


class Token(HttpBearer):
    """How the OpenAPI document names it; who came in stands on the request already."""

    openapi_description = "A token of a service account or a person: `nscweb_…`"

    def __call__(self, request: HttpRequest) -> Principal | None:
        """The principal that `enter` found, if it came in with a token."""
        return _came_in(request)

    def authenticate(self, request: HttpRequest, token: str) -> Principal | None:
        """Never called: `enter` has looked at the token."""
        return None


def enter(request: HttpRequest) -> HttpResponse | None:
    """Find who comes with the request's token and keep them on it; a problem for whoever stays outside.

    Cookies are never looked at, so no other site's page can act through somebody's browser.
    """
    address = str(request.META.get("REMOTE_ADDR", ""))
    try:
        principal = api_tokens.principal_of(request.headers.get("Authorization", ""), address=address)
    except IdentityError as refused:
        return problems.of_refusal(refused)
    request.principal = principal  # type: ignore[attr-defined]  # as `lookup.principal_for` keeps it
    return None


def guarded(view: View) -> View:
    """A view of the API that answers every refusal with a problem, and nobody without a token."""

    @csrf_exempt
    @wraps(view)
    def inside(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if _came_in(request) is None and (refusal := enter(request)) is not None:
            return refusal
        if request.method != "HEAD":
            return answered(request, *args, **kwargs)
        request.method = "GET"  # which is what no operation has to say of itself
        try:
            return _bare(answered(request, *args, **kwargs))
        finally:
            request.method = "HEAD"

    def answered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            bodies.read(request)
            response = view(request, *args, **kwargs)
        except Exception as error:  # noqa: BLE001 - what is no refusal is raised again
            return problems.of_exception(request, error)
        return _not_allowed(response["Allow"]) if isinstance(response, HttpResponseNotAllowed) else response

    return inside


def _bare(response: HttpResponseBase) -> HttpResponseBase:
    """An answer to GET as HEAD has it: the same headers, no body."""
    if isinstance(response, HttpResponse):
        response["Content-Length"] = str(len(response.content))
        response.content = b""
    return response


def _not_allowed(methods: str) -> HttpResponse:
    methods = methods.replace("GET", "GET, HEAD")
    told = problems.answer(HTTPStatus.METHOD_NOT_ALLOWED, "method-not-allowed", f"Here: {methods}.")
    told["Allow"] = methods
    return told


def _came_in(request: HttpRequest) -> Principal | None:
    principal: Principal | None = getattr(request, "principal", None)
    return principal if principal is not None and principal.way is Way.TOKEN else None
