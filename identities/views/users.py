"""Stub."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse


def index(request: HttpRequest, operator_key: str, account_key: str) -> HttpResponse:
    raise NotImplementedError


def create(request: HttpRequest, operator_key: str, account_key: str) -> HttpResponse:
    raise NotImplementedError


def detail(request: HttpRequest, operator_key: str, account_key: str, user_key: str) -> HttpResponse:
    raise NotImplementedError


def edit(request: HttpRequest, operator_key: str, account_key: str, user_key: str) -> HttpResponse:
    raise NotImplementedError


def delete(request: HttpRequest, operator_key: str, account_key: str, user_key: str) -> HttpResponse:
    raise NotImplementedError


def revoke_earlier(request: HttpRequest, operator_key: str, account_key: str, user_key: str) -> HttpResponse:
    raise NotImplementedError


def history(request: HttpRequest, operator_key: str, account_key: str, user_key: str) -> HttpResponse:
    raise NotImplementedError
