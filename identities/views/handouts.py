"""Stub."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse


def creds(request: HttpRequest, operator_key: str, account_key: str, user_key: str) -> HttpResponse:
    raise NotImplementedError


def jwt(request: HttpRequest, operator_key: str, account_key: str, user_key: str) -> HttpResponse:
    raise NotImplementedError


def context(request: HttpRequest, operator_key: str, account_key: str, user_key: str) -> HttpResponse:
    raise NotImplementedError
