"""Creds for machines that bring a token of their own provider: the one operation that asks for no token of ours."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_variables
from pydantic import Field, ValidationError

from identities.api import bodies, problems
from identities.api.schemas import Line, Taken
from identities.api.short_lived import YEAR, ShortLivedOut
from identities.resolver.oidc_tokens import LONGEST
from identities.services import workload

PATH = "workload/creds"
ID = "exchange-workload-token"


class WorkloadIn(Taken):
    """What a machine sends."""

    token: Annotated[
        str, Field(min_length=1, max_length=LONGEST, description="Its provider's token, `eyJ…`.")
    ]
    role: Annotated[
        str,
        Field(
            pattern=r"^A[A-Z2-7]{55}$",
            description="The public key of the role whose creds are wanted: its rules are asked, and no others.",
        ),
    ]
    rule: Annotated[
        Line, Field(description="The name of the rule that is meant, where several of the role fit.")
    ] = ""
    lifetime: Annotated[
        int | None, Field(ge=1, le=YEAR, description="Seconds; never more than the rule's.")
    ] = None
    public_key: Annotated[
        str,
        Field(
            max_length=56,
            pattern=r"^(U[A-Z2-7]{55})?$",
            description="Your own user key, whose seed stays with you; left out: a key is made, and not kept here.",
        ),
    ] = ""


@sensitive_variables("sent")
@csrf_exempt
def creds(request: HttpRequest) -> HttpResponse:
    """Exchange a token for short-lived creds. Cookies are never looked at."""
    if request.method != "POST":
        told = problems.answer(HTTPStatus.METHOD_NOT_ALLOWED, "method-not-allowed", "Here: POST.")
        told["Allow"] = "POST"
        return told
    try:
        bodies.read(request)
        sent = WorkloadIn.model_validate(getattr(request, "api_body", None))
        made = workload.exchange(
            token=sent.token,
            role=sent.role,
            rule=sent.rule,
            public_key=sent.public_key,
            lifetime=sent.lifetime,
            address=str(request.META.get("REMOTE_ADDR", "")),
        )
    except ValidationError as wrong:
        return problems.of_input([{**each, "loc": ("body", "body", *each["loc"])} for each in wrong.errors()])
    except Exception as error:  # noqa: BLE001 - what is no refusal is raised again
        return problems.of_exception(request, error)
    body = ShortLivedOut(
        name=made.name,
        public_key=made.public_key,
        jwt=made.jwt,
        creds=made.creds,
        expires=made.expires,
        lifetime=made.lifetime,
    )
    answer = JsonResponse(body.model_dump(mode="json"), status=HTTPStatus.CREATED)
    answer["Cache-Control"] = "no-store"
    answer["X-Content-Type-Options"] = "nosniff"
    return answer


def described() -> dict[str, Any]:
    """The operation as the OpenAPI document tells of it, complete."""
    refused = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    words = {
        "400": "The request can't be read",
        "401": "The token proves nothing here, or was exchanged before",
        "409": "It doesn't go together with how things stand",
        "415": "Only JSON is read",
        "422": "Some values can't be; `errors` says which",
        "429": "Too many, too fast",
        "503": "Sealed, or the database is away",
    }
    given = {"schema": {"$ref": "#/components/schemas/ShortLivedOut"}}
    taken = {"schema": WorkloadIn.model_json_schema()}
    return {
        "operationId": ID,
        "summary": "Exchange a machine's own token for short-lived creds",
        "description": "The token is one of an OpenID Connect provider that a rule of a role trusts, such as that of a "
        "CI job; the body names the role. It is exchanged once. No token of nscweb is asked for.",
        "tags": ["Short-lived creds"],
        "security": [],
        "parameters": [],
        "requestBody": {"required": True, "content": {"application/json": taken}},
        "responses": {
            "201": {"description": "Created", "content": {"application/json": given}},
            **{status: {"description": text, "content": refused} for status, text in words.items()},
        },
    }
