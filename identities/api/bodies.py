"""Reading what was sent: JSON, of manifests their YAML too; no seed in it, nothing that only half of all programs can
read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, cast

from django.http import HttpRequest
from ninja.parser import Parser
from ninja.types import DictStrAny

from identities.api import problems
from identities.formats import mentions
from identities.nkeys import looks_like_seed

DEEPEST = 60
YAML = "application/yaml"
_YAML = frozenset({YAML, "application/x-yaml", "text/yaml"})
"""The first is of RFC 9512, the others what programs sent before there was one."""


class Sent(Parser):
    """Hands ninja what `read` has read."""

    def parse_body(self, request: HttpRequest) -> DictStrAny:
        """The parsed body."""
        return cast(DictStrAny, request.api_body)  # type: ignore[attr-defined]  # set by `read`


def read(request: HttpRequest) -> None:
    """Parse the body and keep it on the request.

    Raises:
        BadRequest: not JSON, or JSON that is nested too deep. BadMedia: neither JSON nor what is taken there.
        SeedSent: some text in it looks like a seed.
    """
    try:
        raw = request.body
    except ValueError:
        raise problems.BadRequest("`Content-Length` is not a number.") from None
    if not raw:
        return
    if request.content_type in _YAML and _takes_yaml(request):
        body = _manifest(raw)
    elif request.content_type == "application/json":
        body = _json(raw)
    else:
        also = f", or the manifest as it is: Content-Type: {YAML}" if _takes_yaml(request) else ""
        raise problems.BadMedia(f"Send JSON: Content-Type: application/json{also}.")
    for depth, value in _walk(body):
        if depth > DEEPEST:
            raise problems.BadRequest("The body is nested too deep.")
        if isinstance(value, str) and looks_like_seed(mentions.without_jwts(value)):
            raise problems.SeedSent(
                "That is a seed (a private key), which is secret. Nothing was done with it. Give the public key."
            )
    request.api_body = body  # type: ignore[attr-defined]  # for `Sent`


def _takes_yaml(request: HttpRequest) -> bool:
    return request.resolver_match is not None and request.resolver_match.route.endswith("/manifest")


def _manifest(raw: bytes) -> Any:
    try:
        return {"manifest": raw.decode("utf-8")}
    except ValueError:
        raise problems.BadRequest("The body is not UTF-8.") from None


def _json(raw: bytes) -> Any:
    try:
        return json.loads(raw.decode("utf-8"), parse_constant=_no_number, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise problems.BadRequest("The body is not JSON, or nested too deep, or names a key twice.") from None


def _walk(value: Any) -> Iterator[tuple[int, Any]]:
    """Every text (keys too) with its depth, without recursion."""
    stack = [(0, value)]
    while stack:
        depth, here = stack.pop()
        yield depth, here
        if isinstance(here, dict):
            stack += [(depth + 1, part) for pair in here.items() for part in pair]
        elif isinstance(here, list):
            stack += [(depth + 1, part) for part in here]


def _no_number(word: str) -> Any:
    raise ValueError(word)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found
