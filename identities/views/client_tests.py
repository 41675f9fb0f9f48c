"""Stub."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse


def start(request: HttpRequest, operator_key: str, account_key: str, user_key: str) -> HttpResponse:
    raise NotImplementedError


def result(request: HttpRequest, operator_key: str, account_key: str, user_key: str, job_id: int) -> HttpResponse:
    raise NotImplementedError
