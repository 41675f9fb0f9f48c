"""The real nsc pushes to our account server, and pulls from it, as it does with nats-account-server."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core.management import call_command

from identities.models import Account
from identities.services import accounts, changes, clock, pushes
from tests import make, natsserver
from tests.nsc import Nsc

pytestmark = pytest.mark.django_db(transaction=True)
On = Callable[..., Nsc]


@pytest.fixture
def account() -> Account:
    make.installation()
    return make.account(make.operator("Op"), "Team")


def address(live_server: Any, account: Account, password: str = "") -> str:
    """The account server's URL, with the push password in it."""
    host = urlsplit(live_server.url).netloc
    secret = f"push:{password}@" if password else ""
    return f"http://{secret}{host}/o/{account.operator.public_key}/jwt/v1"


def out(tmp_path: Path) -> Path:
    """The operator as a store of nsc's, with its keys."""
    root = tmp_path / "out"
    call_command("export_nsc", "Op", str(root), "--with-keys", stdout=io.StringIO())
    return root


def test_what_nsc_edits_and_pushes_is_here_to_the_byte(
    live_server: Any, account: Account, nsc_on: On, tmp_path: Path
) -> None:
    password = pushes.open_door(principal=make.COMMAND, operator=account.operator, self_signed=False)
    nsc = nsc_on(out(tmp_path))
    natsserver.eventually(lambda: clock.unix() > account.last_iat, "the next second")
    nsc.run("edit", "account", "-n", "Team", "--description", "by nsc")
    nsc.run("push", "-a", "Team", "-u", address(live_server, account, password))
    account.refresh_from_db()
    assert changes.claims_of(account).nats.description == "by nsc"
    assert account.token.text == nsc.raw("account", "-n", "Team")


def test_nsc_is_told_why_a_push_is_refused(
    live_server: Any, account: Account, nsc_on: On, tmp_path: Path
) -> None:
    pushes.open_door(principal=make.COMMAND, operator=account.operator, self_signed=False)
    nsc = nsc_on(out(tmp_path))
    nsc.run("edit", "account", "-n", "Team", "--description", "by nsc")
    said = nsc.run("push", "-a", "Team", "-u", address(live_server, account, "wrong"), code=1)
    assert "wrong push password" in said
    account.refresh_from_db()
    assert changes.claims_of(account).nats.description == ""


def test_nsc_pulls_what_was_edited_here(
    live_server: Any, account: Account, nsc_on: On, tmp_path: Path
) -> None:
    nsc = nsc_on(out(tmp_path))
    nsc.run("edit", "operator", "--account-jwt-server-url", address(live_server, account))
    account = accounts.revoke(principal=make.COMMAND, account=account, entries={"*": 5})
    nsc.run("pull", "-a", "Team")
    assert nsc.raw("account", "-n", "Team") == account.token.text
