"""Errors as RFC 9457 problems: the one place where what services refuse becomes a status of the API."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from ninja.errors import HttpError, ValidationError

from identities import lookup
from identities.claims import report
from identities.errors import IdentityError
from identities.formats.yaml_nodes import MOST_TOLD, UnreadableManifest
from identities.policy import decisions
from identities.policy.principal import Principal
from identities.queries import access
from identities.services import (
    activation_requests,
    api_tokens,
    changes,
    four_eyes,
    idempotency,
    kept_out,
    manifest_plans,
    proposals,
    proposing,
    secrets,
    signing,
    unsigned,
    workload,
)

ROOT = "/api/"
MEDIA_TYPE = "application/problem+json"
RETRY_AFTER = 30

STATUSES: tuple[tuple[type[IdentityError], HTTPStatus], ...] = (
    (lookup.NotFound, HTTPStatus.NOT_FOUND),
    (decisions.Forbidden, HTTPStatus.FORBIDDEN),
    (api_tokens.TokenRefused, HTTPStatus.UNAUTHORIZED),
    (api_tokens.SecondFactorMissing, HTTPStatus.FORBIDDEN),
    (workload.WorkloadRefused, HTTPStatus.UNAUTHORIZED),
    (api_tokens.TooManyFailures, HTTPStatus.TOO_MANY_REQUESTS),
    (signing.TooSoon, HTTPStatus.TOO_MANY_REQUESTS),
    (secrets.SealedInstallation, HTTPStatus.SERVICE_UNAVAILABLE),
    (changes.StaleWrite, HTTPStatus.PRECONDITION_FAILED),
    (manifest_plans.ManifestStale, HTTPStatus.PRECONDITION_FAILED),
    (kept_out.Suspended, HTTPStatus.CONFLICT),
    (signing.NoSigner, HTTPStatus.CONFLICT),
    (four_eyes.SecondPersonNeeded, HTTPStatus.CONFLICT),
    (unsigned.Waits, HTTPStatus.CONFLICT),
    (activation_requests.Answered, HTTPStatus.CONFLICT),
    (proposals.Decided, HTTPStatus.CONFLICT),
    (idempotency.StillRunning, HTTPStatus.CONFLICT),
    (idempotency.RightsChanged, HTTPStatus.CONFLICT),
)
"""By class, the first that fits; whatever else a service refuses is wrong in what was sent: 422."""

TITLES: Mapping[str, str] = {
    "identity-error": "This can't be done",
    "not-found": "There is nothing here",
    "forbidden": "Not allowed",
    "token-refused": "The token opens nothing",
    "second-factor-missing": "A second factor has to be set up first",
    "workload-refused": "No creds for this token",
    "provider-failed": "The token's provider can't be used",
    "fetch-failed": "The token's provider can't be reached",
    "too-many-failures": "Too many refused tokens",
    "answered": "The request was answered already",
    "decided": "The proposal was decided already",
    "too-soon": "Signed too often within a second",
    "sealed": "nscweb is sealed",
    "stale": "Somebody else changed it meanwhile",
    "invalid-claims": "NATS would not accept these claims",
    "bad-request": "The request can't be read",
    "unreadable-manifest": "The manifest can't be read",
    "manifest-refused": "The manifest can't be applied",
    "bad-input": "Some values don't fit",
    "seed": "The request holds a seed",
    "unsupported-media-type": "Only JSON is read",
    "unknown-parameter": "No such parameter",
    "method-not-allowed": "No such method here",
    "version-missing": "Say which version you have seen",
    "second-person-needed": "A second person is needed, and this can't be proposed",
    "idempotency-key-reused": "This key was sent before",
    "idempotency-rights-changed": "It was done, and what you may do has changed since",
    "idempotency-running": "It is being carried out",
    "fault": "Something went wrong here",
    "unavailable": "Try again in a moment",
}
"""What is always the same about a kind of problem; `detail` says what it was this time."""


class BadRequest(IdentityError):
    """The request itself can't be read."""

    code = "bad-request"


class BadMedia(IdentityError):
    """The body is of a kind that no operation reads."""

    code = "unsupported-media-type"


class UnknownParameter(IdentityError):
    """A query parameter that the operation does not have: refused, as a misspelt `dry_run` would write."""

    code = "unknown-parameter"


class SeedSent(IdentityError):
    """A seed came where none is asked for. Nothing of it is kept or repeated."""

    code = "seed"


class VersionMissing(IdentityError):
    """A write that does not say which version it was made for."""

    code = "version-missing"


_OWN_STATUSES: tuple[tuple[type[IdentityError], HTTPStatus], ...] = (
    (BadRequest, HTTPStatus.BAD_REQUEST),
    (BadMedia, HTTPStatus.UNSUPPORTED_MEDIA_TYPE),
    (UnknownParameter, HTTPStatus.BAD_REQUEST),
    (SeedSent, HTTPStatus.BAD_REQUEST),
    (VersionMissing, HTTPStatus.PRECONDITION_REQUIRED),
)


def is_api(request: HttpRequest) -> bool:
    """True for requests whose errors are problems, not pages."""
    return request.path.startswith(ROOT)


def answer(
    status: int, code: str, detail: str, errors: Iterable[Mapping[str, str]] = (), **more: Any
) -> HttpResponse:
    """One problem. `errors` are `{path, message}`; `more` are further members."""
    found = list(errors)
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": TITLES.get(code, TITLES["identity-error"]),
        "status": int(status),
        "code": code,
        "detail": detail,
        **({"errors": found} if found else {}),
        **more,
    }
    response = HttpResponse(json.dumps(body, ensure_ascii=False), status=int(status), content_type=MEDIA_TYPE)
    if status == HTTPStatus.UNAUTHORIZED:
        response["WWW-Authenticate"] = 'Bearer realm="nscweb"'
    if status in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS):
        response["Retry-After"] = str(RETRY_AFTER)
    return response


def of_refusal(refused: IdentityError) -> HttpResponse:
    """The problem of what a service refused."""
    if isinstance(refused, proposing.Proposed):
        return _waits(refused)
    if isinstance(refused, changes.InvalidClaims):
        found = [issue for issue in refused.report if issue.grade is not report.Grade.WARNING]
        return answer(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            refused.code,
            refused.user_message,
            [{"path": issue.path, "message": issue.message} for issue in found],
        )
    if isinstance(refused, UnreadableManifest):
        return answer(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            refused.code,
            "The manifest can't be read: see `errors`.",
            [{"path": "manifest", "message": str(problem)} for problem in refused.problems[:MOST_TOLD]],
        )
    detail = refused.user_message
    if isinstance(refused, changes.StaleWrite):
        detail = f"It was changed by {refused.current.updated_by} meanwhile: read it again, then write."
    errors = [{"path": refused.field, "message": refused.user_message}] if refused.field else []
    return answer(status_of(refused), refused.code, detail, errors)


def _waits(made: proposing.Proposed) -> HttpResponse:
    """Not a problem: what was asked for is accepted, and waits for a second person."""
    body = {"code": made.code, "detail": made.user_message, "proposal": made.proposal.pk}
    response = HttpResponse(json.dumps(body), status=HTTPStatus.ACCEPTED, content_type="application/json")
    keys = (made.proposal.operator.public_key, made.proposal.pk)
    response["Location"] = reverse("api-operators-proposals-one", args=keys)
    return response


def status_of(refused: IdentityError) -> HTTPStatus:
    """The status of what a service refused."""
    for kind, status in (*_OWN_STATUSES, *STATUSES):
        if isinstance(refused, kind):
            return status
    return HTTPStatus.UNPROCESSABLE_ENTITY


def of_exception(request: HttpRequest, error: Exception) -> HttpResponse:
    """The problem of anything else that a handler raised; faults go on to the log and the 500 of the project.

    Raises: the error itself, when it is a fault of ours.
    """
    if isinstance(error, decisions.Forbidden):
        return answer(HTTPStatus.FORBIDDEN, error.code, _why_not(request, error))
    if isinstance(error, IdentityError):
        return of_refusal(error)
    if isinstance(error, ValidationError):
        return of_input(error.errors)
    if isinstance(error, Http404):
        return answer(HTTPStatus.NOT_FOUND, "not-found", "There is nothing at this address.")
    if isinstance(error, (RequestDataTooBig, SuspiciousOperation)):
        return answer(HTTPStatus.BAD_REQUEST, "bad-request", "The request is too large or malformed.")
    if isinstance(error, HttpError):
        return answer(error.status_code, "bad-request", str(error))
    if isinstance(error, (OperationalError, InterfaceError)):
        return answer(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", "The database can't be reached.")
    raise error


def _why_not(request: HttpRequest, refused: decisions.Forbidden) -> str:
    """Which role is missing and who can give it, as the page that says no has it; five queries at most."""
    principal: Principal | None = getattr(request, "principal", None)
    if principal is None or refused.action is None:
        return refused.user_message
    keys = request.resolver_match.kwargs if request.resolver_match else {}
    return access.explained(principal, refused, keys)


def of_input(found: Iterable[Mapping[str, Any]]) -> HttpResponse:
    """The problem of values that don't fit the schema; what was sent is never repeated."""
    errors = [{"path": _path(one["loc"]), "message": str(one["msg"])} for one in found]
    return answer(
        HTTPStatus.UNPROCESSABLE_ENTITY, "bad-input", "Some values don't fit: see `errors`.", errors
    )


def _path(place: Iterable[object]) -> str:
    """Where it is: `limits.subs`, `times[0].start`; the argument that holds the whole body is left out."""
    where, *parts = place
    if where == "body" and parts:
        parts = parts[1:]
    text = ""
    for part in parts:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text
