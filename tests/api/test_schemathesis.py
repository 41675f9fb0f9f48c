"""Schemathesis sends what the OpenAPI document allows, and what it does not: no fault, every answer as documented.

Each case is undone, so that all of them meet the same things.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import pytest
import schemathesis
from django.db import transaction
from django.test import Client
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.core import NotSet

from identities.api.document import document
from identities.api.urls import OPERATIONS
from tests.api.calls import ROOT, caller, check
from tests.api.samples import SEED, World, world
from tests.conftest import FULL

pytestmark = [pytest.mark.django_db, pytest.mark.slow]
SECOND = os.environ.get("DATABASE_URL", "").startswith("postgres")
"""On PostgreSQL the same is asked again, a quarter as often."""
CASES = (20_400 if FULL else 560) // (4 if SECOND else 1)
EACH = -(-CASES // (len(OPERATIONS) * len(GenerationMode)))
PRINTABLE = re.compile(r"[\x20-\x7e\xa1-\xff]*")


@pytest.fixture(scope="module")
def api() -> Mapping[str, Any]:
    """Schemathesis' operations by their id."""
    loaded = schemathesis.openapi.from_dict(document())
    found = (result.ok() for result in loaded.get_all_operations())
    return {one.definition.raw["operationId"]: one for one in found}


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: str(mode.value))
@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_no_fault_and_every_answer_fits(api: Mapping[str, Any], name: str, mode: GenerationMode) -> None:
    place, called = world(), caller()
    browser = Client(raise_request_exception=False)
    strategy = api[name].as_strategy(generation_mode=mode, path_parameters=arguments(place, name))

    @settings(
        max_examples=EACH,
        deadline=None,
        database=None,
        derandomize=not FULL,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def send(case: Any) -> None:
        path = case.formatted_path + ("?" + urlencode(case.query, doseq=True) if case.query else "")
        content: dict[str, Any] = {}
        if not isinstance(case.body, NotSet):
            data = case.body if isinstance(case.body, bytes) else json.dumps(case.body)
            content = {"data": data, "content_type": "application/json"}
        sent = {key: str(value) for key, value in case.headers.items() if PRINTABLE.fullmatch(str(value))}
        sent["Authorization"] = f"Bearer {called.token}"
        with transaction.atomic():
            answer: Any = browser.generic(case.method, path, headers=sent, **content)
            transaction.set_rollback(True)
        assert answer.status_code < 500, answer.content
        text = answer.content.decode()
        answer.data = json.loads(text) if text[:1] in ("{", "[") else None
        if answer.status_code >= 400:
            assert answer["Content-Type"] == "application/problem+json" and answer.data["code"]
        if not OPERATIONS[name].secret:
            assert not SEED.search(text)
        check(answer, case.method, path.removeprefix(ROOT))

    send()


def arguments(place: World, name: str) -> dict[str, str]:
    """The path parameters of an operation's sample, by name."""
    names = re.findall(r"{(?:\w+:)?(\w+)}", OPERATIONS[name].path)
    pattern = re.sub(r"{(?:\w+:)?(\w+)}", r"(?P<\1>[^/]+)", OPERATIONS[name].path)
    found = re.fullmatch(pattern, place.path(name).partition("?")[0])
    assert found is not None
    return {each: found[each] for each in names}
