"""Stub."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse


def installation(request: HttpRequest) -> HttpResponse:
    raise NotImplementedError


def default_operator(request: HttpRequest) -> HttpResponse:
    raise NotImplementedError
