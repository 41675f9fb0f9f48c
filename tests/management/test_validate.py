"""`manage.py validate` says what nsc says about the same JWTs, in its words and tables; and what nsc does not know."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from identities.formats.tables import table
from identities.management.commands.validate import told
from identities.models import Account, Operator
from identities.services import clock, validating
from tests import goldens, make, nscstore

pytestmark = pytest.mark.django_db


def run(*options: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("validate", *options, stdout=out, stderr=err)
    except SystemExit as ended:
        return int(str(ended.code)), out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


def as_nsc(operator: Operator) -> str:
    """What nsc finds too, in its tables, with the line by which it ends."""
    found = list(validating.check(principal=make.COMMAND, operator=operator, now=clock.unix()))
    tables = [told(one, [finding for finding in one.findings if finding.nsc]) + "\n" for one in found]
    fatal = any(finding.nsc and finding.grade != "warning" for one in found for finding in one.findings)
    return "".join(tables) + ("Error: validation found errors" if fatal else "")


@pytest.mark.parametrize("name", [name for name in goldens.VARIANTS if not name.endswith("-tampered")])
def test_nscs_verdict_on_its_stores(name: str) -> None:
    """nsc stops at tampered JWTs, which nothing here takes in."""
    path = f"invalid/store-variants/{name}"
    operator = nscstore.insert(goldens.store(path, "Good"))
    expected = (goldens.GOLDEN / path / "out" / "validate.txt").read_text()
    assert as_nsc(operator).rstrip("\n") == expected.rstrip("\n")
    code, out, err = run()
    assert code == (1 if "Error: validation found errors" in expected else 0), out
    assert ("Error: validation found errors" in err) is bool(code)


@pytest.mark.parametrize(("path", "name"), goldens.ENVIRONMENTS.items())
def test_nscs_verdict_on_its_whole_environments(path: str, name: str) -> None:
    operator = nscstore.insert(goldens.store(path, name))
    expected = (goldens.GOLDEN / path / "out" / "validate.txt").read_text()
    assert as_nsc(operator).rstrip("\n") == expected.rstrip("\n")


def test_what_servers_know_besides_is_found_in_nscs_full_environment() -> None:
    operator = nscstore.insert(goldens.store("full", "FullOp"))
    found = {
        one.name: [finding.message for finding in one.findings]
        for one in validating.check(principal=make.COMMAND, operator=operator, now=clock.unix())
    }
    assert "its JWT is revoked: servers refuse it" in found["Analytics"]  # a1, as the server said too
    code, out, _ = run("--operator", "FullOp")
    assert 'user "a1": its JWT is revoked' in out
    assert code in (0, 1)


def test_an_installation_in_order_ends_well_with_nscs_words() -> None:
    operator = make.operator("Good")
    make.user(make.account(operator, "App"))
    code, out, err = run()
    assert (code, err) == (0, "")
    assert '| Operator "Good" |\n+-----------------+\n| No issues found |' in out
    assert '|  Account "App"  |' in out


def test_one_operator_can_be_chosen_by_name_or_key() -> None:
    first = make.operator("First")
    make.operator("Second")
    for chosen in ("FIRST", first.public_key):
        _, out, _ = run("--operator", chosen)
        assert 'Operator "First"' in out
        assert 'Operator "Second"' not in out
    with pytest.raises(CommandError, match="no operator"):
        run("--operator", "Third")


def test_json_tells_the_same_to_programs() -> None:
    operator = make.operator("Op")
    system = Account.objects.get(operator=operator)
    claims = system.claims.replace('"subs":-1', '"mem_storage":1,"subs":-1')
    Account.objects.filter(pk=system.pk).update(claims=claims)
    code, out, _ = run("--json")
    document: dict[str, Any] = json.loads(out)
    assert (code, document["ok"]) == (1, False)
    (held,) = document["operators"]
    assert (held["name"], held["key"]) == ("Op", operator.public_key)
    (account,) = held["objects"]
    assert account["name"] == "SYS"
    assert {
        "grade": "error",
        "path": "nats.limits.mem_storage",
        "message": "JetStream should not be enabled for system account",
        "nsc": True,
    } in account["findings"]


def test_of_many_users_the_first_are_named() -> None:
    account = make.account(make.operator("Op"), "App")
    make.many_users(account, [f"u{number:02}" for number in range(25)])
    Account.objects.filter(pk=account.pk).update(
        claims=Account.objects.get(pk=account.pk).claims.replace(
            account.public_key, make.account().public_key
        )
    )
    code, out, _ = run("--operator", "Op")
    assert code == 1
    assert 'user "u00" is not issued by account or account signing keys' in out
    assert 'user "u20"' not in out
    assert "and 5 more users likewise: is not issued by account" in out


@pytest.mark.parametrize(("title", "width"), [("x", 10), ("a title wider than its rows", 40)])
def test_a_table_is_framed_whatever_is_wider(title: str, width: int) -> None:
    lines = table(title, ("#", " ", "Description"), [("1", "!", "y" * width)]).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert title in lines[1]
