"""`manage.py manifest` and `manage.py apply`: what they print, and their exit codes."""

from __future__ import annotations

import io
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from identities.models import Account, AuditEvent, IssuedToken
from tests import make

pytestmark = pytest.mark.django_db

TEXT = """\
operator: {name: acme}
accounts:
  - name: orders
    limits: {conn: 10}
    users: [{name: alice, pub: {allow: [orders.>]}}]
"""


def run(name: str, *args: str) -> tuple[int, str]:
    out = io.StringIO()
    try:
        call_command(name, *args, stdout=out)
    except SystemExit as ended:
        return int(str(ended.code)), out.getvalue()
    return 0, out.getvalue()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    make.operator("acme")
    path = tmp_path / "acme.yaml"
    path.write_text(TEXT)
    return path


def test_a_dry_run_shows_the_plan_and_says_by_its_code_whether_anything_differs(file: Path) -> None:
    tokens = IssuedToken.objects.count()
    code, said = run("apply", str(file), "--dry-run")
    assert code == 2
    assert "+ account “orders”\n" in said
    assert "    nats.limits.conn: unlimited → 10\n" in said
    assert "+ user “alice” of “orders”\n" in said
    assert "? account “SYS”\n" in said
    assert said.endswith(
        "acme: 2 to create, 1 untouched, 1 not in the manifest.\nNothing was changed: this was the plan.\n"
    )
    assert IssuedToken.objects.count() == tokens
    code, said = run("apply", str(file))
    assert (code, said.splitlines()[-1]) == (0, "Applied.")
    assert Account.objects.filter(name="orders").exists()
    assert run("apply", str(file), "--dry-run", "--prune")[0] == 0
    code, said = run("apply", str(file))
    assert (code, said.splitlines()[-1]) == (0, "Nothing differs.")
    event = AuditEvent.objects.order_by("seq").last()
    assert event is not None
    assert (event.actor, event.action) == ("command:apply", "operator.apply-manifest")


def test_what_is_written_out_is_what_is_there(file: Path, tmp_path: Path) -> None:
    run("apply", str(file))
    for option in ([], ["--keys"]):
        code, said = run("manifest", "ACME", *option)
        assert code == 0
        assert said == run("manifest", "acme", *option)[1], "always the same"
        assert ("key: U" in said) == bool(option)
        assert re.search(r"\bS[OAU][A-Z2-7]{56}\b|eyJ", said) is None, "no secret"
        path = tmp_path / "again.yaml"
        path.write_text(said)
        assert run("apply", str(path), "--prune", "--dry-run")[0] == 0


def test_a_program_reads_the_plan_and_applies_just_that(file: Path) -> None:
    code, said = run("apply", str(file), "--dry-run", "--json")
    plan = json.loads(said)
    assert code == 2
    assert plan["counts"] == {"create": 2, "change": 0, "delete": 0, "keep": 1, "surplus": 1}
    orders = next(one for one in plan["objects"] if one["name"] == "orders")
    assert {"path": "nats.limits.conn", "before": "unlimited", "after": "10"} in orders["changes"]
    assert plan["applied"] is False
    make.account(make.operator("other"))
    file.write_text(TEXT.replace("conn: 10", "conn: 11"))
    with pytest.raises(CommandError, match="since this plan was made"):
        run("apply", str(file), "--plan", plan["plan"])
    file.write_text(TEXT)
    code, said = run("apply", str(file), "--plan", plan["plan"], "--json")
    assert (code, json.loads(said)["applied"]) == (0, True)


def test_a_manifest_comes_from_standard_input(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stdin: Any = io.TextIOWrapper(io.BytesIO(TEXT.encode()))
    monkeypatch.setattr(sys, "stdin", stdin)
    assert run("apply", "-")[0] == 0
    assert Account.objects.filter(name="orders").exists()


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        ("operator: {nam: acme}", [], r"Line 1, column \d+: .*do you mean “name”"),
        ("operator: {name: acne}", [], "Line 1: There is no operator “acne” here. Do you mean “acme”"),
        (TEXT, ["--operator", "other"], "There is no operator “other” here"),
        (TEXT.replace("allow: [orders.>]", "allow: [a..b]"), [], "Line 5: User “alice” of “orders”"),
        (TEXT.replace("users: [", "users: [{name: bob, role: x}, "), [], "Line 5: .*no role “x”"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_done(
    file: Path, text: str, options: list[str], words: str
) -> None:
    file.write_text(text)
    for trial in ([], ["--dry-run"]):
        with pytest.raises(CommandError, match=words) as caught:
            run("apply", str(file), *options, *trial)
        assert caught.value.returncode == 1
    assert not Account.objects.filter(name="orders").exists()
    with pytest.raises(CommandError, match="can't be read: No such file"):
        run("apply", "nowhere.yaml")
