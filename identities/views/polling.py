"""Parts of pages that ask again by themselves: nothing is sent when nothing changed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse

from identities.views import htmx

SEEN = "seen"
"""What the part sends along: the digest of what it shows."""


def render(
    request: HttpRequest, template: str, context: Mapping[str, Any], *, part: str, live: object
) -> HttpResponse:
    """The page, or its `part`; 204 when htmx asks for it with the digest of what it shows already.

    `live` is everything of the part that may change, as frozen view-models of strings. The part writes its address
    as `{{ url }}?seen={{ seen }}`, with `hx-trigger="every 5s"` and `data-live` (it stops while nobody looks).
    """
    seen = hashlib.sha256(repr(live).encode()).hexdigest()[:16]
    if htmx.wants_part(request) and request.GET.get(SEEN) == seen:
        return HttpResponse(status=204)
    return htmx.render(request, template, {**context, SEEN: seen}, part=part)
