"""Stub."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse


def activity(request: HttpRequest) -> HttpResponse:
    raise NotImplementedError
