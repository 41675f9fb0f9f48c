"""Stub."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse


def index(request: HttpRequest) -> HttpResponse:
    raise NotImplementedError


def create(request: HttpRequest) -> HttpResponse:
    raise NotImplementedError


def detail(request: HttpRequest, operator_key: str) -> HttpResponse:
    raise NotImplementedError


def edit(request: HttpRequest, operator_key: str) -> HttpResponse:
    raise NotImplementedError


def delete(request: HttpRequest, operator_key: str) -> HttpResponse:
    raise NotImplementedError


def add_system_account(request: HttpRequest, operator_key: str) -> HttpResponse:
    raise NotImplementedError


def jwt(request: HttpRequest, operator_key: str) -> HttpResponse:
    raise NotImplementedError


def history(request: HttpRequest, operator_key: str) -> HttpResponse:
    raise NotImplementedError
