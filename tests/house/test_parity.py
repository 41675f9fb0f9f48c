"""`docs/nsc-parity.md` answers for every command and flag of nsc, and names only what exists."""

from __future__ import annotations

import json
import re
from pathlib import Path

from django.core.management import get_commands
from django.urls import get_resolver

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "nsc-parity.md").read_text(encoding="utf-8")
COMMANDS = json.loads((ROOT / "tests/golden/nsc-commands.json").read_text(encoding="utf-8"))
_HEADING = re.compile(r"^## (nsc[^(\n]*?)(?: \(hidden\))?$", re.MULTILINE)
_ROW = re.compile(r"^\| `--([a-z0-9A-Z-]+)` \| (.*) \|$", re.MULTILINE)
_NAMED = re.compile(r"`([a-z][a-z-]+)`")
_COMMAND = re.compile(r"`manage\.py ([a-z_]+)")
_OF_NSC = {"code", "identities"}


def sections() -> dict[str, str]:
    """What stands under the heading of each command."""
    parts = _HEADING.split(PAGE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def test_every_command_and_flag_has_an_answer() -> None:
    told = sections()
    assert list(told) == [one["command"] for one in COMMANDS]
    for one in COMMANDS:
        section = told[one["command"]]
        assert section.split("|")[0].strip(), f"{one['command']} has no answer"
        rows = dict(_ROW.findall(section))
        assert set(rows) == set(one["flags"]), one["command"]
        assert all(answer.strip() for answer in rows.values()), one["command"]


def test_every_page_and_command_that_is_named_exists() -> None:
    routes = {name for name in get_resolver().reverse_dict if isinstance(name, str)}
    body = PAGE.partition("\n## ")[2]
    named = {name for name in _NAMED.findall(body) if not name.startswith("--")}
    assert named - _OF_NSC <= routes, sorted(named - _OF_NSC - routes)
    commands = set(_COMMAND.findall(PAGE))
    assert commands <= set(get_commands()), sorted(commands - set(get_commands()))
    assert len(named) > 80
