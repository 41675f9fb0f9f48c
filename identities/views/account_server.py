"""Stub."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse


def operator(request: HttpRequest, operator_key: str = "") -> HttpResponse:
    raise NotImplementedError


def accounts(request: HttpRequest, operator_key: str = "") -> HttpResponse:
    raise NotImplementedError


def account(request: HttpRequest, operator_key: str = "", key: str = "") -> HttpResponse:
    raise NotImplementedError


def help_text(request: HttpRequest, operator_key: str = "") -> HttpResponse:
    raise NotImplementedError


def other(request: HttpRequest, operator_key: str = "", rest: str = "") -> HttpResponse:
    raise NotImplementedError
