"""The OpenAPI document: what ninja knows of the operations, with what is true of all of them."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from django.http import HttpRequest, HttpResponse

from identities.api import bodies, problems, workload
from identities.api.operations import DECLARED, Operation, api
from identities.api.schemas import ErrorGiven, Problem, Waiting
from identities.policy.operations import OPERATIONS
from identities.policy.powers import holders

PREFIX = "/api/v1/"
IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "required": True,
    "description": 'The `ETag` of what you read, such as `"3"`; `*` for whatever it is now.',
    "schema": {"type": "string", "pattern": r'^(\*|"[0-9]{1,9}")$'},
}
DRY_RUN = {
    "name": "dry_run",
    "in": "query",
    "required": False,
    "description": "Save nothing, and answer with what would change.",
    "schema": {"type": "string", "enum": ["true", "false"], "default": "false"},
}
IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Any text of yours: the same request with the same key is carried out once, and answered alike.",
    "schema": {"type": "string", "pattern": "^[!-~]{1,200}$"},
}
LOCATION = {
    "description": "Where the proposal is read (`get-proposal`).",
    "required": True,
    "schema": {"type": "string"},
}
_TEXTS = {
    "400": "The request can't be read",
    "401": "No token, or one that opens nothing",
    "403": "Not allowed; `detail` says which role is missing",
    "404": "Not there, or not to be seen with this token",
    "409": "It doesn't go together with how things stand",
    "412": "Somebody else changed it meanwhile",
    "422": "Some values can't be; `errors` says which",
    "428": "`If-Match` is missing",
    "429": "Too many, too fast",
    "503": "Sealed, or the database is away",
}


@cache
def document() -> dict[str, Any]:
    """The document, made once; nobody changes it."""
    made: dict[str, Any] = json.loads(json.dumps(api.get_openapi_schema(path_prefix=PREFIX), default=str))
    made["info"]["description"] = str(api.description)
    schemas = made["components"]["schemas"]
    schemas["ErrorGiven"] = ErrorGiven.model_json_schema()
    schemas["Waiting"] = Waiting.model_json_schema()
    schemas["Problem"] = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas["Problem"].pop("$defs")
    for methods in made["paths"].values():
        for operation in methods.values():
            _complete(operation, DECLARED[operation["operationId"]])
    made["paths"][f"{PREFIX}{workload.PATH}"] = {"post": workload.described()}
    used = json.dumps(made["paths"]) + json.dumps(schemas)
    for name in [name for name in schemas if f"#/components/schemas/{name}" not in used]:
        del schemas[name]
    return made


def openapi(request: HttpRequest) -> HttpResponse:
    """The document as JSON; it holds no secret, and nothing of this installation."""
    response = HttpResponse(json.dumps(document()), content_type="application/json")
    response["Cache-Control"] = "no-cache"
    return response


def _complete(operation: dict[str, Any], declared: Operation) -> None:
    action = OPERATIONS[declared.id]
    operation["x-action"] = action.value
    operation["x-roles"] = list(holders(action))
    more = [IF_MATCH] if declared.versioned else []
    more += [DRY_RUN] if declared.dry else []
    more += [IDEMPOTENCY_KEY] if declared.writes and not declared.secret else []
    operation["parameters"] = [*operation.get("parameters", []), *more]
    if declared.yaml:
        operation["requestBody"]["content"][bodies.YAML] = {"schema": {"type": "string"}}
    if declared.text:
        operation["responses"]["200"]["content"] = {"text/plain": {"schema": {"type": "string"}}}
    if declared.writes:
        waits = {"application/json": {"schema": {"$ref": "#/components/schemas/Waiting"}}}
        operation["responses"]["202"] = {
            "description": "Proposed: its operator asks for four eyes, so a second person has to approve it",
            "content": waits,
            "headers": {"Location": LOCATION},
        }
    refused = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for status, text in _TEXTS.items():
        if declared.writes or status not in ("409", "412", "428"):
            operation["responses"][status] = {"description": text, "content": refused}


def codes() -> list[tuple[str, str]]:
    """Every code of a problem with its title."""
    return sorted(problems.TITLES.items())
