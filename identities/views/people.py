"""Stub."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse


def first_admin(request: HttpRequest, token: str) -> HttpResponse:
    raise NotImplementedError
