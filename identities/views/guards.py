"""Turns what the services refuse into pages and form errors; the one place where an error becomes a status."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template import loader
from django.template.exceptions import TemplateDoesNotExist
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from identities import lookup
from identities.claims import codec
from identities.errors import IdentityError
from identities.forms.base import BaseForm
from identities.models import (
    Account,
    Cluster,
    IssuedToken,
    Operator,
    SignOnProvider,
    User,
    WorkloadRule,
)
from identities.policy import decisions
from identities.policy.actions import Action
from identities.policy.principal import Principal, Scope
from identities.services import changes, columns, lockouts, proposing, secrets
from identities.views import htmx

MOST_BEHIND = 1000
"""How many versions behind a stale page is still compared with what it was made from."""

Parameters = ParamSpec("Parameters")
Answer = TypeVar("Answer", bound=HttpResponseBase)
View = Callable[Concatenate[HttpRequest, Parameters], Answer]


def page(*methods: str) -> Callable[[View[Parameters, Answer]], View[Parameters, Answer]]:
    """A page that answers to `methods` (default GET): invisible → 404, not permitted → 403, sealed → 503, proposed →
    the proposal.

    A page of something under a key that it had before leads to the one under the key that it has.
    """

    def decorate(view: View[Parameters, Answer]) -> View[Parameters, Answer]:
        @require_http_methods(
            [*(methods or ("GET",)), *(("HEAD",) if not methods or "GET" in methods else ())]
        )
        @wraps(view)
        def guarded(
            request: HttpRequest, *args: Parameters.args, **kwargs: Parameters.kwargs
        ) -> HttpResponseBase:
            try:
                with lockouts.watched():
                    return view(request, *args, **kwargs)
            except lookup.NotFound as missing:
                if (address := _moved_to(request, kwargs)) is not None:
                    return redirect(address)
                raise Http404(missing.user_message) from None
            except proposing.Proposed as made:
                return _proposed(request, made)
            except decisions.Forbidden as refused:
                raise PermissionDenied(refused.user_message) from refused
            except secrets.SealedInstallation as sealed:
                return _sealed(request, sealed.user_message)

        return cast("View[Parameters, Answer]", guarded)

    return decorate


@contextmanager
def errors_on(form: BaseForm, values_of: Callable[[Any], dict[str, Any]] | None = None) -> Iterator[None]:
    """Run a service: what it refuses is placed on `form`, whose page then says so (422, or 409 when stale).

    `values_of` gives a row's current values by field, for showing both versions of a stale edit.
    """
    try:
        yield
    except (lookup.NotFound, decisions.Forbidden, secrets.SealedInstallation, proposing.Proposed):
        raise
    except changes.StaleWrite as stale:
        _mark_stale(form, stale, values_of)
    except changes.InvalidClaims as invalid:
        form.place_issues(invalid.report)
    except IdentityError as refused:
        form.place_error(refused)


def require(principal: Principal, action: Action, scope: Scope | None = None) -> None:
    """Refuse a page (403) before its form is shown to somebody who could not send it."""
    decisions.require(principal, action, scope)


def may(principal: Principal, action: Action, scope: Scope | None = None) -> bool:
    """Whether to show a button; the service decides again."""
    return isinstance(decisions.decide(principal, action, scope), decisions.Allowed)


def can(principal: Principal, scope: Scope | None, *actions: Action) -> dict[str, bool]:
    """What to show: `{"account_edit": True, …}` by the names of `actions`."""
    return {action.name.lower(): may(principal, action, scope) for action in actions}


def _mark_stale(
    form: BaseForm, stale: changes.StaleWrite, values_of: Callable[[Any], dict[str, Any]] | None
) -> None:
    current = stale.current
    if current.deleted_at is not None:
        message = (
            f"“{current.name}” was deleted by {current.updated_by} meanwhile: there is nothing left to save."
        )
        form.mark_stale(by=current.updated_by, version=current.version, current={}, message=message)
        return
    form.mark_stale(
        by=current.updated_by,
        version=current.version,
        current=values_of(current) if values_of is not None else {},
        base=_base(form, current, values_of) if values_of is not None else None,
        message=stale.user_message,
    )


def _base(
    form: BaseForm,
    current: Operator | Account | User | Cluster | SignOnProvider | WorkloadRule,
    values_of: Callable[[Any], dict[str, Any]],
) -> dict[str, Any] | None:
    """What a stale page was made from: each version has one JWT in the ledger. None when it can't be read."""
    if isinstance(current, Cluster | SignOnProvider | WorkloadRule):  # which have no JWT
        return None
    behind = current.version - form.version
    if not 0 < behind <= MOST_BEHIND:
        return None
    older = IssuedToken.objects.of([current.public_key]).order_by("-iat", "-pk")[behind : behind + 1]
    for token in older:
        if token.sealed is None:
            then, read = copy(current), codec.decode(token.text)
            then.claims, then.name = read.payload, columns.name_of(read.claims)
            return values_of(then)
    return None


def _moved_to(request: HttpRequest, arguments: Mapping[str, Any]) -> str | None:
    """Where the page is since its operator, account or user was reissued under another key; only for looking."""
    at = request.resolver_match
    if at is None or request.method not in ("GET", "HEAD"):
        return None
    moved = lookup.moved(lookup.principal_for(request), arguments)
    if moved is None:
        return None
    query = request.META.get("QUERY_STRING", "")
    return reverse(at.view_name, kwargs=moved) + (f"?{query}" if query else "")


def _proposed(request: HttpRequest, made: proposing.Proposed) -> HttpResponse:
    """On to the proposal that was made instead of the edit."""
    address = reverse("proposal", args=[made.proposal.operator.public_key, made.proposal.pk])
    return htmx.done(request, address, made.user_message)


def _sealed(request: HttpRequest, reason: str) -> HttpResponse:
    try:
        content = str(
            loader.render_to_string("errors/sealed.html", {"reason": reason, "message": reason}, request)
        )
    except TemplateDoesNotExist:
        content = f"nscweb is sealed: {reason}\n"
    response = HttpResponse(content, status=503)
    response["Retry-After"] = "30"
    return response
