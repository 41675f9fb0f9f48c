"""Stub."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse


def config(request: HttpRequest, operator_key: str) -> HttpResponse:
    raise NotImplementedError


def download(request: HttpRequest, operator_key: str) -> HttpResponse:
    raise NotImplementedError
