"""How an operation is declared: its id stands in the permission table, its errors are problems, its answer is typed."""

from __future__ import annotations

import hashlib
import inspect
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import wraps
from http import HTTPStatus
from typing import Any, TypeVar, get_args

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.http import content_disposition_header
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError
from ninja.params.models import Query as QueryMark
from pydantic import BaseModel

from identities.api import bodies, door, problems
from identities.api.schemas import Change
from identities.lookup import principal_for
from identities.policy import decisions
from identities.policy.operations import OPERATIONS
from identities.services import idempotency, proposing

Handler = TypeVar("Handler", bound=Callable[..., Any])
HEADERS = ("Content-Type", "Cache-Control", "X-Content-Type-Options", "ETag", "Location")
KEY = re.compile(r"[!-~]{1,200}")
WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})

api = NinjaAPI(
    title="nscweb",
    version="1",
    description="Operators, accounts, users and permissions of NATS, as the pages have them, for machines.",
    docs_url=None,
    openapi_url=None,
    auth=door.Token(),
    parser=bodies.Sent(),
    urls_namespace="api",
)
for _kind in (Exception, ValidationError, HttpError, Http404):  # the others have handlers of ninja's own
    api.add_exception_handler(_kind, problems.of_exception)  # type: ignore[arg-type]  # ninja says too much


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation: `versioned` ones ask for `If-Match`, `secret` ones answer with a secret."""

    id: str
    method: str
    path: str
    tag: str
    status: int = 200
    versioned: bool = False
    dry: bool = False
    text: bool = False
    secret: bool = False
    yaml: bool = False
    query: frozenset[str] = frozenset()

    @property
    def writes(self) -> bool:
        """Whether it changes anything."""
        return self.method in WRITES


DECLARED: dict[str, Operation] = {}
"""Every operation by its id, in the order of their modules."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a handler gives: a body (None: none), its version for the `ETag`, where a new object stands."""

    body: BaseModel | None = None
    version: int | None = None
    location: str = ""
    status: int | None = None
    text: str = ""
    media_type: str = ""
    file_name: str = ""


def operation(
    id: str,  # noqa: A002 - the word of OpenAPI
    method: str,
    path: str,
    gives: Any,
    *,
    tag: str,
    status: int = 200,
    versioned: bool = False,
    dry: bool = True,
    secret: bool = False,
    yaml: bool = False,
) -> Callable[[Handler], Handler]:
    """Declare a handler, which takes the request and what its annotations say, and gives an `Answer`.

    `gives` is the schema of its answer (None: no body). A write can be tried with `dry_run` unless `dry` is false.
    `yaml`: its body may be a manifest as it is (`bodies`).
    """
    if id not in OPERATIONS:
        raise LookupError(f"{id} is missing in the permission table of the API")
    declared = Operation(
        id=id,
        method=method,
        path=path,
        tag=tag,
        status=status,
        versioned=versioned,
        dry=dry and method in WRITES,
        text=gives is str,
        secret=secret,
        yaml=yaml,
    )

    def decorate(handler: Handler) -> Handler:
        known = replace(declared, query=_query_of(handler) | ({"dry_run"} if declared.dry else set()))
        DECLARED[id] = known

        @wraps(handler)
        def run(request: HttpRequest, **values: Any) -> HttpResponse:
            decisions.require_somewhere(principal_for(request), OPERATIONS[id])
            if unknown := set(request.GET) - known.query:
                raise problems.UnknownParameter(
                    f"No such parameter here: {', '.join(sorted(unknown))[:200]}."
                )
            return idempotent(request, known, lambda: rendered(known, handler(request, **values)))

        # Here, since ninja would look for the names of its annotations in this module.
        run.__signature__ = inspect.signature(handler, eval_str=True)  # type: ignore[attr-defined]
        words = (handler.__doc__ or "").strip().partition("\n")
        api.api_operation(
            [method],
            path,
            response=_responses(declared, gives),
            operation_id=id,
            summary=words[0],
            description="\n".join(line.strip() for line in words[2].strip().splitlines()),
            tags=[tag],
            url_name=f"api-{path_name(path)}",
        )(run)
        return handler

    return decorate


def idempotent(request: HttpRequest, declared: Operation, act: Callable[[], HttpResponse]) -> HttpResponse:
    """What `act` answers, or the answer of the time before to a write with the same `Idempotency-Key`.

    Raises:
        BadRequest: a key that is none, or for an answer that holds a secret, which is never kept.
    """
    key = request.headers.get("Idempotency-Key")
    if key is None or not declared.writes:
        return act()
    if declared.secret:
        raise problems.BadRequest(
            "The answer holds a secret, so it isn't kept: leave `Idempotency-Key` away."
        )
    if not KEY.fullmatch(key):
        raise problems.BadRequest("`Idempotency-Key` is 1 to 200 letters, digits and signs without blanks.")

    def run() -> idempotency.Kept:
        try:
            response = act()
        except (
            proposing.Proposed
        ) as proposed:  # which is what was to be done: it stays, and so does the answer
            response = problems.of_refusal(proposed)
        headers = {name: response[name] for name in HEADERS if name in response}
        return idempotency.Kept(status=response.status_code, headers=headers, body=response.content.decode())

    kept = idempotency.once(principal=principal_for(request), key=key, digest=_digest(request), act=run)
    again = HttpResponse(kept.body, status=kept.status, headers=dict(kept.headers))
    if "Content-Type" not in kept.headers:
        del again["Content-Type"]
    return again


def _digest(request: HttpRequest) -> str:
    sent = (request.method or "", request.get_full_path(), request.headers.get("If-Match", ""))
    return hashlib.sha256("\n".join(sent).encode() + b"\n" + request.body).hexdigest()


def _query_of(handler: Callable[..., Any]) -> frozenset[str]:
    """The query parameters that a handler reads: the fields of its `Query[…]` models."""
    found: set[str] = set()
    for parameter in inspect.signature(handler, eval_str=True).parameters.values():
        model, *marks = get_args(parameter.annotation) or (None,)
        if any(isinstance(mark, QueryMark) for mark in marks):
            found |= set(model.model_fields)
    return frozenset(found)


def path_name(path: str) -> str:
    """The name of a path's route: its fixed parts, and `one` where it ends with a key."""
    parts = path.strip("/").split("/")
    fixed = [part for part in parts if not part.startswith("{")]
    return "-".join(fixed if parts[-1] in fixed else [*fixed, "one"])


def rendered(declared: Operation, answer: Answer) -> HttpResponse:
    """An answer as it goes out."""
    status = answer.status or declared.status
    if answer.text:
        response = HttpResponse(answer.text, status=status, content_type=answer.media_type)
        if answer.file_name:
            response["Content-Disposition"] = (
                content_disposition_header(True, answer.file_name) or "attachment"
            )
    elif answer.body is None:
        response = HttpResponse(status=HTTPStatus.NO_CONTENT)
        del response["Content-Type"]
    else:
        text = json.dumps(answer.body.model_dump(mode="json"))
        response = HttpResponse(text, status=status, content_type="application/json")
    response["Cache-Control"] = "no-store"
    response["X-Content-Type-Options"] = "nosniff"
    if answer.version is not None:
        response["ETag"] = f'"{answer.version}"'
    if answer.location:
        response["Location"] = answer.location
    return response


def _responses(declared: Operation, gives: Any) -> dict[int, Any]:
    if gives is None:
        return {204: None, **({200: Change} if declared.dry else {})}
    if not declared.dry:
        return {declared.status: gives}
    if declared.status == HTTPStatus.OK:
        return {200: gives | Change}
    return {declared.status: gives, 200: Change}
