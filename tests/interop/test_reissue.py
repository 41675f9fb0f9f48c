"""An operator and an account under another key, clicked together, and what a real nats-server makes of it."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests import natsclient, natsserver
from tests.interop.tutorial import Tutorial
from tests.pages import Page

pytestmark = pytest.mark.django_db


def key_of(page: Page) -> str:
    return urlsplit(page.url).path.rstrip("/").rpartition("/")[2]


def reissue(tutorial: Tutorial, page: Page, name: str) -> Page:
    """Read the plan, type the name; the page under the new key."""
    visitor = tutorial.visitor
    plan = visitor.open(visitor.open(page.url).link("/reissue"))
    assert "What does not move by itself" in plan.text
    done = visitor.send(plan, confirm=name)
    assert "Reissued" in done.text, done.text
    return done


def push(server: natsserver.NatsServer, system: Path, jwt: bytes) -> None:
    answer = natsclient.request(server.url, system, "$SYS.REQ.CLAIMS.UPDATE", jwt)
    assert '"code":200' in answer, answer


def put_aside(path: Path | None) -> Path:
    assert path is not None
    return path.rename(path.with_name(f"old-{path.name}"))


def test_servers_come_over_to_an_operators_new_key_without_an_outage(
    tmp_path: Path, nats: natsserver.Stable
) -> None:
    tutorial = Tutorial.begin(tmp_path, generate_signing_key=False)  # its own key signs its accounts
    creds = tutorial.add_user("TestUser")
    assert creds is not None
    system = tutorial.system_creds()
    server = nats.start(tutorial.config(resolver="full", preload="all"))
    assert natsclient.hear_yourself(server.url, creds) == b"hello, world"

    before = key_of(tutorial.operator)
    tutorial.operator = reissue(tutorial, tutorial.operator, "Test")
    tutorial.account = tutorial.visitor.open(tutorial.account.url)  # the old address leads on
    assert key_of(tutorial.operator) in tutorial.account.url

    # Whoever takes the new key alone at once locks everybody out: accounts by the old key lie in the server's store.
    server.restart(tutorial.config(resolver="full", preload="system"))
    assert not natsclient.lets_in(server.url, creds)

    server.restart(tutorial.config(resolver="full", preload="system", also_trusted=before))
    assert natsclient.hear_yourself(server.url, creds) == b"hello, world"
    later = tutorial.add_user("Later")
    assert later is not None
    assert natsclient.lets_in(server.url, later)

    push(server, system, tutorial.account_jwt())
    assert natsclient.hear_yourself(server.url, creds) == b"hello, world"
    server.restart(tutorial.config(resolver="full", preload="system"))
    for mine in (creds, later):
        assert natsclient.hear_yourself(server.url, mine) == b"hello, world"


def test_with_the_old_key_kept_as_a_signing_key_accounts_need_not_be_sent(
    tmp_path: Path, nats: natsserver.Stable
) -> None:
    tutorial = Tutorial.begin(tmp_path, generate_signing_key=False)
    creds = tutorial.add_user("TestUser")
    assert creds is not None
    server = nats.start(tutorial.config(resolver="full", preload="all"))
    visitor = tutorial.visitor
    tutorial.operator = visitor.send(
        visitor.open(tutorial.operator.link("/reissue")), convert=True, confirm="Test"
    )
    server.restart(tutorial.config(resolver="full", preload="system"))
    assert natsclient.hear_yourself(server.url, creds) == b"hello, world"


def test_an_accounts_new_creds_work_and_the_old_ones_as_long_as_servers_keep_the_old_account(
    tmp_path: Path, nats: natsserver.Stable
) -> None:
    tutorial = Tutorial.begin(tmp_path)
    old = put_aside(tutorial.add_user("TestUser"))
    gone = put_aside(tutorial.add_user("Gone"))
    tutorial.delete_user("Gone")
    system = tutorial.system_creds()
    server = nats.start(tutorial.config(resolver="full", preload="all", allow_delete="on"))
    assert natsclient.hear_yourself(server.url, old) == b"hello, world"
    assert not natsclient.lets_in(server.url, gone)

    tutorial.account = reissue(tutorial, tutorial.account, "TestAccount")
    new = tutorial.creds(tutorial.visitor.open(tutorial.users["TestUser"].url))
    assert not natsclient.lets_in(server.url, new)  # no server has heard of the new account yet
    push(server, system, tutorial.account_jwt())
    assert natsclient.hear_yourself(server.url, new) == b"hello, world"
    assert natsclient.hear_yourself(server.url, old) == b"hello, world"
    assert not natsclient.lets_in(server.url, gone)

    memory = nats.start(tutorial.config(resolver="memory"))  # carries the accounts that there are now
    assert natsclient.hear_yourself(memory.url, new) == b"hello, world"
    assert not natsclient.lets_in(memory.url, old)


def test_a_reissued_system_account_comes_with_the_next_configuration(
    tmp_path: Path, nats: natsserver.Stable
) -> None:
    tutorial = Tutorial.begin(tmp_path)
    creds = tutorial.add_user("TestUser")
    assert creds is not None
    put_aside(tutorial.system_creds())
    accounts = tutorial.visitor.open(tutorial.operator.link("/accounts/"))
    reissue(tutorial, tutorial.visitor.open(accounts.link("SYS")), "SYS")
    server = nats.start(tutorial.config(resolver="full", preload="all"))
    assert natsclient.hear_yourself(server.url, creds) == b"hello, world"
    push(server, tutorial.system_creds(), tutorial.account_jwt())
