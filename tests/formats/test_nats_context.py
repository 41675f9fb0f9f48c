from __future__ import annotations

import json

import pytest

from identities.formats import nats_context
from identities.formats.errors import FormatError


def test_a_context_holds_every_setting_of_the_nats_cli_in_its_order() -> None:
    text = nats_context.render(url="nats://a:4222,nats://b:4222", description="R&D", creds="/home/x/u.creds")
    assert text.startswith('{\n  "description": "R\\u0026D",\n  "url": "nats://a:4222,nats://b:4222",\n')
    assert text.endswith('  "tls_first": false\n}')
    assert json.loads(text)["creds"] == "/home/x/u.creds"


def test_creds_and_an_nsc_lookup_exclude_each_other() -> None:
    with pytest.raises(FormatError):
        nats_context.render(url="", creds="x", nsc="nsc://O/A/U")


def test_names_are_escaped_in_an_nsc_address() -> None:
    assert nats_context.nsc_url("O p", "A/ü", "U") == "nsc://O%20p/A%2F%C3%BC/U"


@pytest.mark.parametrize("name", ["", "a/b", "..", "a\\b", "x..y"])
def test_a_name_that_leaves_its_folder_is_refused(name: str) -> None:
    with pytest.raises(FormatError):
        nats_context.check_name(name)
