"""Calls of the API in tests: a caller with a token of its own, and answers that are checked against the document."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import jsonschema_rs
from django.test import Client
from django.urls import Resolver404, resolve

from identities.api import document
from identities.models import Operator, ServiceAccount
from identities.policy.principal import Principal, Role
from identities.services import api_tokens, clock, service_accounts
from tests import make

ROOT = "/api/v1/"


@dataclass(frozen=True)
class Caller:
    """Somebody with a token."""

    token: str
    machine: ServiceAccount

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Send a request; the answer has `data`, its JSON, and every problem is checked to be one."""
        content = {} if body is None else {"data": json.dumps(body), "content_type": "application/json"}
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = Client(raise_request_exception=False).generic(
            method,
            f"{ROOT}{path}",
            headers={"Authorization": f"Bearer {self.token}", **sent},
            **content,
        )
        answer.data = json.loads(answer.content) if answer.content[:1] in (b"{", b"[") else None
        if answer.status_code >= 400:
            assert answer["Content-Type"] == "application/problem+json", answer.content
            assert answer.data["status"] == answer.status_code and answer.data["code"]
        check(answer, method, path)
        return answer

    def get(self, path: str, **headers: str) -> Any:
        """Read."""
        return self("GET", path, **headers)


def check(answer: Any, method: str, path: str) -> None:
    """Every answer is one that the document tells of."""
    try:
        route = resolve(f"{ROOT}{path.partition('?')[0]}").route
    except Resolver404:
        return
    told = document.document()
    methods = told["paths"]["/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route)]
    if answer.status_code == 405:
        assert method.lower() not in methods
        return
    responses = methods[method.lower()]["responses"]
    assert str(answer.status_code) in responses, (answer.status_code, answer.content)
    content = responses[str(answer.status_code)].get("content", {})
    kind = answer.headers.get("Content-Type", "").partition(";")[0]
    if not content:
        assert not answer.content
        return
    schema = {**content[kind]["schema"], "components": told["components"]}
    if kind.endswith("json"):
        jsonschema_rs.validator_for(schema).validate(answer.data)


def caller(
    role: Role | None = Role.ADMINISTRATOR,
    *,
    read_only: bool = False,
    narrowed: Operator | None = None,
    by: Principal = make.COMMAND,
    **scope: Any,
) -> Caller:
    """A fresh service account that holds `role` on a scope, with a token that `by` made."""
    make.installation()
    machine = service_accounts.create(
        principal=make.COMMAND, name=f"machine-{ServiceAccount.objects.count()}"
    )
    if role is not None:
        make.grant(machine, role, **scope)
    made = api_tokens.make(
        principal=by,
        holder=machine,
        name="test",
        expires_at=clock.now() + timedelta(days=1),
        read_only=read_only,
        operator=narrowed,
    )
    return Caller(made.text, machine)
