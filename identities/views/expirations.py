"""Stub."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse


def expirations(request: HttpRequest) -> HttpResponse:
    raise NotImplementedError
