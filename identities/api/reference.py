"""The page that describes the API, rendered from its OpenAPI document: nothing on it is written twice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.template.response import TemplateResponse

from identities.api.document import codes, document

TEMPLATE = "identities/reference/index.html"
LONGEST = 200
ORDER = (
    "Operators",
    "Accounts",
    "Roles and signing keys",
    "Users",
    "Short-lived creds",
    "Exports and imports",
    "Mappings",
    "Revocations",
    "Clusters",
)
"""Nouns from the top down; others follow."""
Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldShown:
    """One field or parameter. `shape` is the name of a schema that stands further down, "" for plain values."""

    name: str
    place: str
    kind: str
    shape: str
    required: bool
    usual: str
    about: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerShown:
    """One status with what it means."""

    status: str
    about: str
    shape: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationShown:
    """One operation."""

    id: str
    method: str
    path: str
    summary: str
    about: str
    action: str
    roles: tuple[str, ...]
    parameters: tuple[FieldShown, ...]
    body: str
    fields: tuple[FieldShown, ...]
    answers: tuple[AnswerShown, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The operations of one noun."""

    name: str
    operations: tuple[OperationShown, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaShown:
    """One shape of a body or answer."""

    name: str
    about: str
    fields: tuple[FieldShown, ...]


def index(request: HttpRequest) -> HttpResponse:
    """Every operation by noun, or those that hold a word."""
    if request.method not in ("GET", "HEAD"):
        return HttpResponseNotAllowed(["GET", "HEAD"])
    word = request.GET.get("q", "").replace("\x00", "").strip()[:LONGEST]
    found = groups(word)
    context = {
        "title": "API",
        "nav": "installation",
        "crumbs": ({"label": "API"},),
        "q": word,
        "groups": found,
        "number": sum(len(group.operations) for group in found),
        "schemas": () if word else schemas(),
        "codes": codes(),
    }
    return TemplateResponse(request, TEMPLATE, context)


def groups(word: str = "") -> tuple[Group, ...]:
    """The operations, by noun; those that hold `word`, ignoring case."""
    found: dict[str, list[OperationShown]] = {}
    for path, methods in document()["paths"].items():
        for method, one in methods.items():
            shown = _operation(method.upper(), path, one)
            text = f"{shown.id} {shown.method} {path} {shown.summary} {shown.about} {shown.action}"
            if word.casefold() in text.casefold():
                found.setdefault(one["tags"][0], []).append(shown)
    nouns = [*(name for name in ORDER if name in found), *(name for name in found if name not in ORDER)]
    return tuple(Group(name=name, operations=tuple(found[name])) for name in nouns)


def schemas() -> tuple[SchemaShown, ...]:
    """Every shape with its fields, by name."""
    held = document()["components"]["schemas"]
    return tuple(
        SchemaShown(name=name, about=held[name].get("description", ""), fields=_fields(held[name]))
        for name in sorted(held)
    )


def _operation(method: str, path: str, one: Mapping[str, Any]) -> OperationShown:
    content = one.get("requestBody", {}).get("content", {})
    body = _content_shape(content)
    summary, about = one["summary"], one.get("description", "")
    return OperationShown(
        id=one["operationId"],
        method=method,
        path=path,
        summary=summary,
        about="" if about == summary else about,
        action=one.get("x-action", ""),
        roles=tuple(one.get("x-roles", ())),
        parameters=tuple(
            _field(each["name"], each["schema"], each["in"], required=each.get("required", False))
            for each in one["parameters"]
        ),
        body=body,
        fields=_fields(document()["components"]["schemas"][body] if body else _schema(content)),
        answers=tuple(
            AnswerShown(
                status=status,
                about=each["description"],
                shape=_content_shape(each.get("content", {})),
            )
            for status, each in sorted(one["responses"].items())
        ),
    )


def _schema(content: Mapping[str, Schema]) -> Schema:
    """What stands there itself, where no shape of its own is named."""
    held: Schema = next((one.get("schema", {}) for one in content.values()), {})
    return held


def _content_shape(content: Mapping[str, Schema]) -> str:
    """The shape of a body or answer, whatever its media type is; "" for none."""
    return next(filter(None, (_shape(one.get("schema", {})) for one in content.values())), "")


def _fields(schema: Schema) -> tuple[FieldShown, ...]:
    needed = schema.get("required", ())
    return tuple(
        _field(name, each, "", required=name in needed) for name, each in schema.get("properties", {}).items()
    )


def _field(name: str, schema: Schema, place: str, *, required: bool) -> FieldShown:
    usual = schema.get("default")
    return FieldShown(
        name=name,
        place=place,
        kind=_kind(schema),
        shape=_shape(schema),
        required=required,
        usual="" if usual is None or isinstance(usual, (dict, list)) else str(usual),
        about=schema.get("description", ""),
    )


def _kind(schema: Schema) -> str:
    """The type in words: `string`, `list of string`, `one of stream, service`."""
    if "enum" in schema:
        return "one of " + ", ".join(str(each) or "“”" for each in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(filter(None, (_kind(each) for each in schema["anyOf"])))
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items']) or _shape(schema['items'])}"
    if "additionalProperties" in schema and schema["additionalProperties"] is not False:
        return "map"
    return str(schema.get("const", schema.get("type", "")))


def _shape(schema: Schema) -> str:
    """The name of the schema that it refers to, anywhere inside; "" for none."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    inner = [*schema.get("anyOf", ()), *schema.get("allOf", ())]
    inner += [schema[key] for key in ("items", "additionalProperties") if isinstance(schema.get(key), dict)]
    return next(filter(None, map(_shape, inner)), "")
