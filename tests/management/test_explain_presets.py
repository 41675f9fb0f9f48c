"""`manage.py explain presets`."""

from __future__ import annotations

import io
import json

import pytest
from django.core.management import CommandError, call_command

from identities.claims.presets_built_in import BUILT_IN

pytestmark = pytest.mark.django_db


def said(*arguments: str) -> str:
    output = io.StringIO()
    call_command("explain", "presets", *arguments, stdout=output)
    return output.getvalue()


def test_all_are_listed_with_what_they_ask_for() -> None:
    lines = said().splitlines()
    assert len(lines) == len(BUILT_IN)
    assert any(line.startswith("durable-consumer") and "stream, consumer, [inbox]" in line for line in lines)
    first = json.loads(said("--json"))[0]
    assert (first["key"], first["version"], first["own"]) == ("observer", 1, False)
    assert first["parameters"] == [{"name": "subject", "kind": "subject", "required": False, "default": ">"}]


def test_one_says_its_subjects() -> None:
    lines = said("stream-publisher", "--with", "subject=orders.new").splitlines()
    assert [line.split()[:2] for line in lines] == [["pub", "orders.new"], ["sub", "_INBOX.>"]]
    assert json.loads(said("observer", "--json")) == [
        {"side": "sub", "deny": False, "subject": ">", "why": "What it sees."},
        {"side": "pub", "deny": True, "subject": ">", "why": "It publishes nothing."},
    ]
    device = said("mqtt-device", "--with", "outgoing=a", "--with", "incoming=b")
    assert "It connects as MQTT, MQTT_WS alone." in device and "Its JWT alone logs in." in device


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nothing",), "no preset nothing"),
        (("requester",), "Give the subject"),
        (("requester", "--with", "subject"), "name=value"),
        (("requester", "--with", "subject=a", "--with", "colour=b"), "no parameter colour"),
        (("requester", "--with", "subject=a..b"), "no subject"),
    ],
)
def test_what_is_missing_is_said(arguments: tuple[str, ...], words: str) -> None:
    with pytest.raises(CommandError, match=words):
        said(*arguments)
